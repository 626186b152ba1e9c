#include "check.h"

#include "common/core/mix.h"

static void test_known_values(void **state)
{
    (void)state;
    // The finaliser of SplitMix64, from the first outputs of the generator with seed 0.
    assert_true(mix_final(0x9e3779b97f4a7c15u) == 0xe220a8397b1dcdafu);
    assert_true(mix_final(0x9e3779b97f4a7c15u * 2) == 0x6e789e6aa1b965f4u);
    assert_true(mix_final(0) == 0);
    assert_true(mix_fnv1a("", 0) == 0xcbf29ce484222325u);
    assert_true(mix_fnv1a("a", 1) == 0xaf63dc4c8601ec8cu);
    assert_true(mix_fnv1a("foobar", 6) == 0x85944171f73967e8u);
}

static void test_background_costs_nothing(void **state)
{
    (void)state;
    const uint8_t px[8] = {3, 0, 1, 0, 0, 0, 0, 0};
    assert_true(mix64(0, 0) == 0);
    assert_true(mix64(65535, 0) == 0);
    assert_true(mix_tile_checksum(px, 8) == mix_tile_checksum(px, 3));
    assert_true(mix_tile_checksum(px, 8) == mix64(0, 3) + mix64(2, 1));
    assert_true(mix_tile_checksum(NULL, 0) == 0);
}

static void test_neighbours_differ(void **state)
{
    (void)state;
    // Offset and color must not run into each other.
    assert_true(mix64(0, 255) != mix64(1, 0));
    assert_true(mix64(1, 1) != mix64(0, 1));
    assert_true(mix64(1, 1) != mix64(1, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_background_costs_nothing),
        cmocka_unit_test(test_neighbours_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
