#include "check.h"

#include "common/core/bucket.h"

static struct monotime ms(int64_t value)
{
    return (struct monotime){value * 1000};
}

static void test_starts_full_and_refills(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 10, 3, ms(0));
    assert_true(bucket_take(&bucket, ms(0), 1));
    assert_true(bucket_take(&bucket, ms(0), 2));
    assert_false(bucket_take(&bucket, ms(0), 1));
    assert_int_equal(bucket_wait_ms(&bucket, ms(0), 1), 100);
    assert_false(bucket_take(&bucket, ms(99), 1));
    assert_int_equal(bucket_wait_ms(&bucket, ms(99), 1), 1);
    assert_true(bucket_take(&bucket, ms(100), 1));
    assert_false(bucket_take(&bucket, ms(100), 1));
}

static void test_never_above_burst(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 10, 3, ms(0));
    assert_false(bucket_take(&bucket, ms(1000000), 4));
    assert_true(bucket_take(&bucket, ms(1000000), 3));
    assert_false(bucket_take(&bucket, ms(1000000), 1));
    assert_true(bucket_wait_ms(&bucket, ms(1000000), 4) == INT64_MAX);
}

static void test_a_burst_that_is_lowered(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 1000, 2000, (struct monotime){0});
    bucket.rate_per_s = 50;
    bucket.burst = 100;
    unsigned taken = 0;
    while (taken < 100000 && bucket_take(&bucket, (struct monotime){INT64_C(3600) * 1000000}, 1))
        taken++;
    assert_int_equal(taken, 100);
}

static void test_small_steps_lose_nothing(void **state)
{
    (void)state;
    struct bucket bucket;
    unsigned taken = 0;
    bucket_init(&bucket, 7, 1, ms(0));
    for (int64_t t = 0; t <= 100000000; t += 333)
        taken += bucket_take(&bucket, (struct monotime){t}, 1);
    assert_in_range(taken, 698, 701); // 100 s at 7 a second, and the burst
}

static void test_clock_jumps_back(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 10, 2, ms(5000));
    assert_true(bucket_take(&bucket, ms(5000), 2));
    assert_false(bucket_take(&bucket, ms(0), 1));
    assert_true(bucket_take(&bucket, ms(100), 1)); // goes on from there, without a pause of 5 s
}

static void test_extremes_do_not_overflow(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, UINT32_MAX, UINT32_MAX, (struct monotime){INT64_MIN});
    assert_true(bucket_take(&bucket, (struct monotime){INT64_MAX}, UINT32_MAX));
    assert_false(bucket_take(&bucket, (struct monotime){INT64_MAX}, 1));
    assert_false(bucket_take(&bucket, (struct monotime){INT64_MIN}, 1));
    assert_true(bucket_take(&bucket, (struct monotime){INT64_MAX}, UINT32_MAX));
    bucket_init(&bucket, 1, UINT32_MAX, ms(0));
    assert_true(bucket_take(&bucket, ms(0), UINT32_MAX));
    assert_true(bucket_wait_ms(&bucket, ms(0), UINT32_MAX) == (int64_t)UINT32_MAX * 1000);
}

static void test_rate_zero_is_no_limit_and_burst_zero_is_one(void **state)
{
    (void)state;
    struct bucket bucket;
    bucket_init(&bucket, 0, 0, ms(0));
    assert_true(bucket_take(&bucket, ms(0), UINT32_MAX));
    assert_int_equal(bucket_wait_ms(&bucket, ms(0), UINT32_MAX), 0);
    bucket_init(&bucket, 1, 0, ms(0));
    assert_true(bucket_take(&bucket, ms(0), 1));
    assert_false(bucket_take(&bucket, ms(0), 1));
}

static void test_monotime_saturates_and_rounds(void **state)
{
    (void)state;
    const struct monotime last = {INT64_MAX};
    const struct monotime first = {INT64_MIN};
    assert_true(monotime_add_us(last, 1).us == INT64_MAX);
    assert_true(monotime_add_us(first, -1).us == INT64_MIN);
    assert_true(monotime_add_ms(ms(0), INT64_MAX).us == INT64_MAX);
    assert_true(monotime_add_ms(ms(0), INT64_MIN).us == INT64_MIN);
    assert_true(monotime_diff_us(last, first) == INT64_MAX);
    assert_true(monotime_diff_us(first, last) == INT64_MIN);
    assert_int_equal(monotime_diff_ms((struct monotime){1}, ms(0)), 1);
    assert_int_equal(monotime_diff_ms((struct monotime){-1}, ms(0)), -1);
    assert_int_equal(monotime_diff_ms(ms(7), ms(4)), 3);
    assert_true(monotime_before(ms(1), ms(2)));
    assert_true(monotime_reached(ms(2), ms(2)));
    assert_false(monotime_reached(MONOTIME_NEVER, ms(2)));
    assert_true(monotime_min(ms(1), ms(2)).us == 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starts_full_and_refills),
        cmocka_unit_test(test_never_above_burst),
        cmocka_unit_test(test_a_burst_that_is_lowered),
        cmocka_unit_test(test_small_steps_lose_nothing),
        cmocka_unit_test(test_clock_jumps_back),
        cmocka_unit_test(test_extremes_do_not_overflow),
        cmocka_unit_test(test_rate_zero_is_no_limit_and_burst_zero_is_one),
        cmocka_unit_test(test_monotime_saturates_and_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
