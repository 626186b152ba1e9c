#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "tests/tools/load_image.h"

static const struct load_canvas canvas = {
    .geom = {3, 2, 64}, .colors = 3, .rgb = {{255, 255, 255}, {0, 0, 0}, {255, 0, 0}}};

static void write_png(const char *path, uint32_t width, uint32_t height, const uint8_t *rgba)
{
    png_image png = {.version = PNG_IMAGE_VERSION, .width = width, .height = height, .format = PNG_FORMAT_RGBA};
    assert_true(png_image_write_to_file(&png, path, 0, rgba, 0, NULL));
}

static void test_nearest_color(void **state)
{
    (void)state;
    assert_int_equal(load_image_nearest(&canvas, (const uint8_t[]){255, 255, 255}), 0);
    assert_int_equal(load_image_nearest(&canvas, (const uint8_t[]){10, 0, 20}), 1);
    assert_int_equal(load_image_nearest(&canvas, (const uint8_t[]){200, 60, 10}), 2);
    assert_int_equal(load_image_nearest(&canvas, (const uint8_t[]){255, 127, 127}), 2);
}

// A layer larger than the canvas, then a smaller one over it, each with a hole.
static void test_layers(void **state)
{
    (void)state;
    char dir[] = "/tmp/tessera-image-XXXXXX";
    char below[64];
    char above[64];
    assert_non_null(mkdtemp(dir));
    (void)snprintf(below, sizeof below, "%s/below.png", dir);
    (void)snprintf(above, sizeof above, "%s/above.png", dir);
    enum { W = 4 };
    uint8_t rgba[W * W * 4];
    memset(rgba, 255, sizeof rgba);
    memset(rgba, 0, 4);                             // (0, 0) transparent
    memcpy(rgba + 4, (uint8_t[]){0, 0, 0, 255}, 4); // (1, 0) black
    write_png(below, W, W, rgba);
    write_png(above, 2, 1, (const uint8_t[]){255, 0, 0, 255, 255, 0, 0, 100}); // red, and hardly anything

    struct load_image image;
    assert_int_equal(load_image_read(&image, (const char *const[]){below, above}, 2, &canvas), 0);
    static const uint16_t expected[] = {2, 1, 0, 0, 0, 0};
    assert_memory_equal(image.px, expected, sizeof expected);
    load_image_fini(&image);
    assert_int_equal(load_image_read(&image, (const char *const[]){below}, 1, &canvas), 0);
    assert_int_equal(image.px[0], LOAD_TRANSPARENT);
    load_image_fini(&image);
    assert_int_equal(load_image_read(&image, (const char *const[]){"/nowhere.png"}, 1, &canvas), ERR_IO);
    load_image_fini(&image);
    (void)remove(below);
    (void)remove(above);
    (void)remove(dir);
}

static void test_changes(void **state)
{
    (void)state;
    uint16_t px[] = {0, 1, LOAD_TRANSPARENT, 2, 0, 1};
    const struct load_image image = {3, 2, px};
    uint8_t tile[64 * 64] = {0};
    struct position position = {0};
    const struct load_tiles present = {.geom = canvas.geom, .positions = &position, .px = tile};
    uint32_t count;
    tile[0] = 1;  // (0, 0) has to become 0 again
    tile[64] = 2; // (0, 1) is right already
    tile[2] = 1;  // (2, 0): nothing is asked of it
    uint32_t *changes = load_image_changes(&image, &present, &count);
    assert_non_null(changes);
    static const uint32_t expected[] = {0, 1, 5};
    assert_int_equal(count, 3);
    assert_memory_equal(changes, expected, sizeof expected);
    free(changes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nearest_color),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
