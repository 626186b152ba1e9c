#include "check.h"

#include "shard/windows.h"

static struct monotime at_s(int64_t seconds)
{
    return (struct monotime){seconds * 1000000};
}

static void test_find_what_was_made(void **state)
{
    (void)state;
    struct windows windows;
    struct windows_tile a = {0}, b = {0};
    windows_init(&windows, 10);
    struct windows_entry *one = windows_get(&windows, &a, &(struct windows_key){1, 2}, at_s(1));
    window_add(&one->window, 5, 6);
    assert_ptr_equal(windows_get(&windows, &a, &(struct windows_key){1, 2}, at_s(1)), one);
    assert_int_equal(windows_get(&windows, &a, &(struct windows_key){2, 1}, at_s(1))->window.newest, 0);
    assert_int_equal(windows_get(&windows, &b, &(struct windows_key){1, 2}, at_s(1))->window.newest, 0);
    assert_int_equal(windows.count, 3);
    windows_clear(&windows, &a);
    assert_int_equal(windows.count, 1);
    assert_int_equal(windows_get(&windows, &a, &(struct windows_key){1, 2}, at_s(1))->window.newest, 0);
    windows_clear(&windows, &a);
    windows_clear(&windows, &b);
    windows_fini(&windows);
}

static void test_bound(void **state)
{
    (void)state;
    struct windows windows;
    struct windows_tile tile = {0};
    windows_init(&windows, 3);
    for (uint64_t user = 1; user <= 3; user++)
        assert_non_null(windows_get(&windows, &tile, &(struct windows_key){user, 0}, at_s((int64_t)user)));
    assert_null(windows_get(&windows, &tile, &(struct windows_key){4, 0}, at_s(100)));
    struct windows_entry *first = windows_get(&windows, &tile, &(struct windows_key){1, 0}, at_s(100));
    window_add(&first->window, 1, 1);
    windows_touch(&windows, first, at_s(100));
    // The second is the longest unused one now, and is out of the promise at 122 s.
    assert_null(windows_get(&windows, &tile, &(struct windows_key){4, 0}, at_s(121)));
    assert_non_null(windows_get(&windows, &tile, &(struct windows_key){4, 0}, at_s(122)));
    assert_int_equal(windows.count, 3);
    assert_int_equal(windows_get(&windows, &tile, &(struct windows_key){1, 0}, at_s(122))->window.newest, 1);
    windows_clear(&windows, &tile);
    windows_fini(&windows);
}

static void test_expiry(void **state)
{
    (void)state;
    struct windows windows;
    struct windows_tile tile = {0};
    windows_init(&windows, 10);
    windows_get(&windows, &tile, &(struct windows_key){1, 0}, at_s(0));
    windows_get(&windows, &tile, &(struct windows_key){2, 0}, at_s(10));
    windows_expire(&windows, at_s(239));
    assert_int_equal(windows.count, 2);
    windows_expire(&windows, at_s(240));
    assert_int_equal(windows.count, 1);
    windows_expire(&windows, at_s(1000));
    assert_int_equal(windows.count, 0);
    windows_fini(&windows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_what_was_made),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_expiry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
