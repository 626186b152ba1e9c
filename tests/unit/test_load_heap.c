#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/tools/load_heap.h"

#define TIMERS 200

static struct load_heap heap;
static struct load_timer timers[TIMERS];

static struct monotime at(int64_t us)
{
    return (struct monotime){us};
}

static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < TIMERS; i++)
        timers[i] = (struct load_timer){0};
    return load_heap_init(&heap, TIMERS);
}

static int tear_down(void **state)
{
    (void)state;
    load_heap_fini(&heap);
    return 0;
}

// Takes out all, in their order; returns how many there were.
static uint32_t drain(void)
{
    struct monotime last = {INT64_MIN};
    uint32_t count = 0;
    struct load_timer *first;
    while ((first = load_heap_first(&heap)) != NULL) {
        assert_false(monotime_before(first->due, last));
        last = first->due;
        load_heap_clear(&heap, first);
        assert_int_equal(first->place, 0);
        count++;
    }
    return count;
}

static void test_earliest_first(void **state)
{
    (void)state;
    assert_null(load_heap_first(&heap));
    for (uint32_t i = 0; i < TIMERS; i++)
        load_heap_set(&heap, &timers[i], at(i * 7919 % 1009));
    assert_int_equal(drain(), TIMERS);
}

static void test_moved_both_ways(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TIMERS; i++)
        load_heap_set(&heap, &timers[i], at(1000 + i));
    load_heap_set(&heap, &timers[150], at(1));
    assert_ptr_equal(load_heap_first(&heap), &timers[150]);
    load_heap_set(&heap, &timers[150], at(5000));
    assert_ptr_equal(load_heap_first(&heap), &timers[0]);
    for (uint32_t i = 0; i < TIMERS; i++)
        load_heap_set(&heap, &timers[i], at(i * 31 % 97));
    assert_int_equal(drain(), TIMERS);
}

static void test_taken_out_of_the_middle(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < TIMERS; i++)
        load_heap_set(&heap, &timers[i], at(i * 7919 % 1009));
    for (uint32_t i = 0; i < TIMERS; i += 3)
        load_heap_clear(&heap, &timers[i]);
    load_heap_clear(&heap, &timers[0]); // again: nothing
    assert_int_equal(drain(), TIMERS - (TIMERS + 2) / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_earliest_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_moved_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_taken_out_of_the_middle, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
