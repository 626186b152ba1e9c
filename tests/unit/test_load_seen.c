#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/tools/load_seen.h"

static struct monotime us(int64_t value)
{
    return (struct monotime){value};
}

static void test_age_of_a_draw(void **state)
{
    (void)state;
    struct load_seen *seen = load_seen_new(us(1000000));
    assert_non_null(seen);
    assert_int_equal(load_seen_age_us(seen, 1, 2, 3, us(1000500)), -1);
    load_seen_sent(seen, 1, 2, 3, us(1000500));
    assert_int_equal(load_seen_age_us(seen, 1, 2, 3, us(1000750)), 250);
    // Another pixel, another color.
    assert_int_equal(load_seen_age_us(seen, 2, 1, 3, us(1000750)), -1);
    assert_int_equal(load_seen_age_us(seen, 1, 2, 4, us(1000750)), -1);
    // The later draw counts.
    load_seen_sent(seen, 1, 2, 3, us(2000000));
    assert_int_equal(load_seen_age_us(seen, 1, 2, 3, us(2000001)), 1);
    // Too long ago to be the one that is seen.
    assert_int_equal(load_seen_age_us(seen, 1, 2, 3, us(90000000)), -1);
}

// Few are lost to collisions, none is wrong.
static void test_many_draws(void **state)
{
    (void)state;
    struct load_seen *seen = load_seen_new(us(0));
    assert_non_null(seen);
    unsigned lost = 0;
    for (uint32_t i = 0; i < 50000; i++)
        load_seen_sent(seen, i % 2000, i / 2000, (uint8_t)(i % 32), us(i + 1));
    for (uint32_t i = 0; i < 50000; i++) {
        int64_t age = load_seen_age_us(seen, i % 2000, i / 2000, (uint8_t)(i % 32), us(100000));
        if (age < 0)
            lost++;
        else
            assert_int_equal(age, 100000 - (i + 1));
    }
    assert_true(lost < 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_age_of_a_draw), cmocka_unit_test(test_many_draws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
