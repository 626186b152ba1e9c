#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include <png.h>

#include "gateway/region_png.h"

#define EDGE 64u
#define LEN (EDGE * EDGE)

static const struct geom geom = {100, 70, EDGE}; // 2 x 2 tiles, the last of each cut

static int parse(struct region *region, const char *text)
{
    return region_parse(region, &(struct query){text, strlen(text)});
}

static void test_bounds(void **state)
{
    (void)state;
    struct region region;
    static const char *const good[] = {"x=0&y=0&w=1&h=1", "x=-511&y=65535&w=512&h=512&scale=2",
                                       "w=37&h=37&x=1&y=1&scale=32", "x=0&y=0&w=400&h=400&scale=3"};
    static const char *const bad[] = {"",
                                      "x=0&y=0&w=1",
                                      "x=-512&y=0&w=1&h=1",
                                      "x=65536&y=0&w=1&h=1",
                                      "x=0&y=0&w=513&h=1",
                                      "x=0&y=0&w=1&h=0",
                                      "x=0&y=0&w=1&h=1&scale=33",
                                      "x=0&y=0&w=1&h=1&scale=0",
                                      "x=0&y=0&w=401&h=1&scale=3",
                                      "x=0&y=0&w=1&h=401&scale=3",
                                      "x=0&y=0&w=1&h=1&scale=x"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(parse(&region, good[i]), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse(&region, bad[i]), ERR_RANGE);
    assert_int_equal(parse(&region, "x=-3&y=4&w=5&h=6"), 0);
    assert_true(region.x == -3 && region.y == 4 && region.w == 5 && region.h == 6 && region.scale == 1);
}

static void test_tiles(void **state)
{
    (void)state;
    static const struct {
        struct region region;
        bool touches;
        struct region_tiles tiles;
    } cases[] = {
        {{0, 0, 1, 1, 1}, true, {{0, 0}, 1, 1}},       {{63, 63, 1, 1, 1}, true, {{0, 0}, 1, 1}},
        {{63, 63, 2, 2, 1}, true, {{0, 0}, 2, 2}},     {{64, 10, 10, 10, 1}, true, {{1, 0}, 1, 1}},
        {{-5, -5, 512, 512, 1}, true, {{0, 0}, 2, 2}}, {{99, 69, 9, 9, 1}, true, {{1, 1}, 1, 1}},
        {{100, 0, 9, 9, 1}, false, {{0, 0}, 0, 0}},    {{0, 70, 9, 9, 1}, false, {{0, 0}, 0, 0}},
        {{-9, 0, 9, 9, 1}, false, {{0, 0}, 0, 0}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct region_tiles tiles;
        assert_int_equal(region_tiles(&cases[i].region, &geom, &tiles), cases[i].touches);
        if (!cases[i].touches)
            continue;
        assert_true(tile_equal(tiles.first, cases[i].tiles.first) && tiles.across == cases[i].tiles.across &&
                    tiles.down == cases[i].tiles.down);
        uint32_t last = region_count(&tiles) - 1;
        assert_true(
            tile_equal(region_tile_at(&tiles, last), (struct tile){(uint16_t)(tiles.first.tx + tiles.across - 1),
                                                                   (uint16_t)(tiles.first.ty + tiles.down - 1)}));
    }
}

static void test_keys_differ(void **state)
{
    (void)state;
    const struct region a = {-511, 65535, 512, 1, 1};
    const struct region others[] = {{-510, 65535, 512, 1, 1}, {-511, 65534, 512, 1, 1}, {-511, 65535, 511, 1, 1},
                                    {-511, 65535, 512, 2, 1}, {-511, 65535, 512, 1, 2}, {65535, -511, 1, 512, 32}};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_true(region_key(&a) != region_key(&others[i]));
    assert_true(region_key(&others[5]) < UINT64_C(1) << 59);
}

// ---- The picture ----------------------------------------------------------------------------------------------------

static uint8_t tiles_px[4][LEN];

static uint8_t color_of(uint32_t x, uint32_t y)
{
    return (uint8_t)((x * 7 + y * 3) % 32);
}

static void check_picture(const struct palette *palette, const struct region *region)
{
    struct region_tiles touched;
    const uint8_t *px[4];
    assert_true(region_tiles(region, &geom, &touched));
    for (uint32_t i = 0; i < region_count(&touched); i++)
        px[i] = tiles_px[geom_index(&geom, region_tile_at(&touched, i))];
    struct shared_buf *buf = region_png(&geom, palette, region, px);
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_int_equal(png_image_begin_read_from_memory(&image, buf->bytes, buf->len), 1);
    assert_int_equal(image.width, region->w * region->scale);
    assert_int_equal(image.height, region->h * region->scale);
    image.format = PNG_FORMAT_RGBA;
    uint8_t *rgba = malloc(PNG_IMAGE_SIZE(image));
    assert_int_equal(png_image_finish_read(&image, NULL, rgba, 0, NULL), 1);
    for (uint32_t y = 0; y < image.height; y++)
        for (uint32_t x = 0; x < image.width; x++) {
            const uint8_t *at = rgba + 4 * ((size_t)y * image.width + x);
            int32_t cx = region->x + (int32_t)(x / region->scale), cy = region->y + (int32_t)(y / region->scale);
            bool inside = cx >= 0 && cy >= 0 && cx < (int32_t)geom.width && cy < (int32_t)geom.height;
            const struct palette_color *color = &palette->colors[inside ? color_of((uint32_t)cx, (uint32_t)cy) : 0];
            assert_int_equal(at[3], inside || palette->count > 255 ? 255 : 0);
            if (at[3] == 255)
                assert_true(at[0] == color->r && at[1] == color->g && at[2] == color->b);
        }
    free(rgba);
    shared_buf_unref(buf);
}

static void test_pictures(void **state)
{
    (void)state;
    static struct palette full;
    for (uint32_t y = 0; y < 128; y++)
        for (uint32_t x = 0; x < 128; x++)
            tiles_px[y / EDGE * 2 + x / EDGE][y % EDGE * EDGE + x % EDGE] = color_of(x, y);
    full.count = PALETTE_COLORS_MAX;
    for (unsigned i = 0; i < PALETTE_COLORS_MAX; i++)
        full.colors[i] = (struct palette_color){.r = (uint8_t)i, .g = (uint8_t)(255 - i), .b = 7};
    static const struct region regions[] = {{0, 0, 100, 70, 1},  {60, 60, 8, 8, 5},  {-3, -2, 10, 10, 3},
                                            {90, 60, 20, 20, 2}, {64, 64, 1, 1, 32}, {-200, -200, 512, 512, 2}};
    for (size_t i = 0; i < sizeof regions / sizeof regions[0]; i++) {
        check_picture(palette_default(), &regions[i]);
        check_picture(&full, &regions[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds), cmocka_unit_test(test_tiles),
                                       cmocka_unit_test(test_keys_differ), cmocka_unit_test(test_pictures)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
