#include "check.h"

#include "common/core/geom.h"

static const struct geom small = {.width = 1000, .height = 300, .edge = 256};

static void test_valid(void **state)
{
    (void)state;
    static const struct {
        struct geom geom;
        bool valid;
    } cases[] = {
        {{1, 1, 64}, true},     {{65536, 65536, 64}, true}, {{65536, 1, 256}, true}, {{100, 100, 128}, true},
        {{0, 1, 64}, false},    {{1, 0, 64}, false},        {{65537, 1, 64}, false}, {{1, 65537, 64}, false},
        {{100, 100, 0}, false}, {{100, 100, 32}, false},    {{100, 100, 65}, false}, {{100, 100, 512}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(geom_valid(&cases[i].geom), cases[i].valid);
}

static void test_tiles(void **state)
{
    (void)state;
    assert_int_equal(geom_across(&small), 4);
    assert_int_equal(geom_down(&small), 2);
    assert_int_equal(geom_count(&small), 8);
    assert_int_equal(geom_tile_len(&small), 65536);
    const struct geom largest = {65536, 65536, 64};
    assert_int_equal(geom_count(&largest), 1024 * 1024);
}

static void test_pixel_there_and_back(void **state)
{
    (void)state;
    for (uint32_t y = 0; y < small.height; y += 7) {
        for (uint32_t x = 0; x < small.width; x += 13) {
            struct tile tile = geom_tile_of(&small, x, y);
            uint16_t offset = geom_offset_of(&small, x, y);
            assert_true(geom_has_tile(&small, tile));
            assert_true(geom_has_offset(&small, tile, offset));
            assert_int_equal(geom_x(&small, tile, offset), x);
            assert_int_equal(geom_y(&small, tile, offset), y);
        }
    }
    assert_int_equal(geom_offset_of(&small, 511, 255), 65535);
}

static void test_bounds(void **state)
{
    (void)state;
    assert_true(geom_has_pixel(&small, 999, 299));
    assert_false(geom_has_pixel(&small, 1000, 0));
    assert_false(geom_has_pixel(&small, 0, 300));
    assert_false(geom_has_pixel(&small, UINT32_MAX, 0));
    assert_true(geom_has_tile(&small, (struct tile){3, 1}));
    assert_false(geom_has_tile(&small, (struct tile){4, 0}));
    assert_false(geom_has_tile(&small, (struct tile){0, 2}));
    assert_false(geom_has_tile(&small, (struct tile){65535, 65535}));
}

static void test_edge_tiles_keep_their_stride_but_not_all_is_on_the_canvas(void **state)
{
    (void)state;
    const struct tile corner = {3, 1};
    assert_true(geom_has_offset(&small, corner, 231));
    assert_false(geom_has_offset(&small, corner, 232));
    assert_true(geom_has_offset(&small, corner, 43 * 256));
    assert_false(geom_has_offset(&small, corner, 44 * 256));
    assert_false(geom_has_offset(&small, (struct tile){0, 0}, 65536));
}

static void test_index_is_dense(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < geom_count(&small); i++) {
        struct tile tile = geom_tile_at(&small, i);
        assert_true(geom_has_tile(&small, tile));
        assert_int_equal(geom_index(&small, tile), i);
    }
    assert_int_equal(tile_key((struct tile){1, 2}), 0x10002);
    assert_true(tile_equal((struct tile){1, 2}, (struct tile){1, 2}));
    assert_false(tile_equal((struct tile){1, 2}, (struct tile){2, 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_tiles),
        cmocka_unit_test(test_pixel_there_and_back),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_edge_tiles_keep_their_stride_but_not_all_is_on_the_canvas),
        cmocka_unit_test(test_index_is_dense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
