#include "check.h"

#include "common/core/hist.h"

static struct hist hist;

static int reset(void **state)
{
    (void)state;
    hist = (struct hist){0};
    return 0;
}

static void test_empty(void **state)
{
    (void)state;
    assert_int_equal(hist_percentile(&hist, 50), 0);
    assert_int_equal(hist_percentile(&hist, 100), 0);
    assert_int_equal(hist_count_below_pow2(&hist, 40), 0);
}

static void test_small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 16; i++)
        hist_add(&hist, i);
    assert_int_equal(hist.sum, 120);
    assert_int_equal(hist_percentile(&hist, 0), 0);
    assert_int_equal(hist_percentile(&hist, 50), 7);
    assert_int_equal(hist_percentile(&hist, 100), 15);
    assert_int_equal(hist_count_below_pow2(&hist, 0), 1);
    assert_int_equal(hist_count_below_pow2(&hist, 1), 2);
    assert_int_equal(hist_count_below_pow2(&hist, 3), 8);
    assert_int_equal(hist_count_below_pow2(&hist, 40), 16);
}

static void test_every_value_within_an_eighth(void **state)
{
    (void)state;
    for (uint64_t value = 1; value < (uint64_t)1 << HIST_VALUE_BITS; value = value * 3 + 1) {
        reset(NULL);
        hist_add(&hist, value);
        hist_add(&hist, UINT64_MAX); // so that max does not cut the read-out
        uint64_t shown = hist_percentile(&hist, 50);
        assert_true(shown >= value);
        assert_true(shown <= value + value / 8);
    }
}

static void test_powers_of_two_are_bounds(void **state)
{
    (void)state;
    for (unsigned power = 0; power < HIST_VALUE_BITS; power++) {
        reset(NULL);
        hist_add(&hist, (uint64_t)1 << power);
        assert_int_equal(hist_count_below_pow2(&hist, power), 0);
        assert_int_equal(hist_count_below_pow2(&hist, power + 1), 1);
    }
}

static void test_too_great(void **state)
{
    (void)state;
    hist_add(&hist, (uint64_t)1 << HIST_VALUE_BITS);
    hist_add(&hist, UINT64_MAX);
    assert_int_equal(hist_count_below_pow2(&hist, HIST_VALUE_BITS), 0);
    assert_true(hist_percentile(&hist, 99) == UINT64_MAX);
}

static void test_merge(void **state)
{
    (void)state;
    static struct hist other;
    hist_add(&hist, 5);
    hist_add(&other, 1000);
    hist_merge(&hist, &other);
    assert_int_equal(hist.count, 2);
    assert_int_equal(hist.max, 1000);
    assert_int_equal(hist.sum, 1005);
    assert_int_equal(hist_percentile(&hist, 50), 5);
    assert_int_equal(hist_percentile(&hist, 99), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_empty, reset),
        cmocka_unit_test_setup(test_small_values_are_exact, reset),
        cmocka_unit_test_setup(test_every_value_within_an_eighth, reset),
        cmocka_unit_test_setup(test_powers_of_two_are_bounds, reset),
        cmocka_unit_test_setup(test_too_great, reset),
        cmocka_unit_test_setup(test_merge, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
