#include "check.h"

#include "gateway/deadline.h"

static struct monotime at_ms(int64_t ms)
{
    return (struct monotime){ms * 1000};
}

static void test_due_in_order(void **state)
{
    (void)state;
    struct deadlines list;
    struct deadline items[3] = {{0}};
    deadlines_init(&list, 100);
    assert_null(deadlines_due(&list, at_ms(1000000)));
    for (int i = 0; i < 3; i++)
        deadline_arm(&list, &items[i], at_ms(i * 10));
    assert_null(deadlines_due(&list, at_ms(99)));
    assert_ptr_equal(deadlines_due(&list, at_ms(100)), &items[0]);
    assert_false(deadline_armed(&items[0]));
    assert_null(deadlines_due(&list, at_ms(109)));
    assert_ptr_equal(deadlines_due(&list, at_ms(500)), &items[1]);
    assert_ptr_equal(deadlines_due(&list, at_ms(500)), &items[2]);
    assert_null(deadlines_due(&list, at_ms(500)));
}

static void test_moving_and_cancelling(void **state)
{
    (void)state;
    struct deadlines list, other;
    struct deadline a = {0}, b = {0};
    deadlines_init(&list, 100);
    deadlines_init(&other, 10);
    deadline_cancel(&a);
    deadline_arm(&list, &a, at_ms(0));
    deadline_arm(&list, &b, at_ms(1));
    deadline_arm(&list, &a, at_ms(50)); // behind b now
    assert_ptr_equal(deadlines_due(&list, at_ms(120)), &b);
    assert_null(deadlines_due(&list, at_ms(120)));
    deadline_arm(&other, &a, at_ms(60)); // into another list
    assert_null(deadlines_due(&list, at_ms(1000)));
    assert_true(deadline_armed(&a));
    deadline_cancel(&a);
    deadline_cancel(&a);
    assert_null(deadlines_due(&other, at_ms(1000)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_due_in_order),
        cmocka_unit_test(test_moving_and_cancelling),
    };
    return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
