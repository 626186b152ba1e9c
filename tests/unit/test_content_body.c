// Bodies over HTTP, read back by the libraries that browsers use.

#include <png.h>
#include <stdlib.h>
#include <zlib.h>

#include "check.h"
#include "common/core/bytes.h"
#include "gateway/content_body.h"

#define EDGE 64u
#define LEN (EDGE * EDGE)

static struct canvas_config config; // 100 x 70: 2 x 2 tiles, the last of each cut
static struct tile_image *images[4];

static int begin(void **state)
{
    (void)state;
    config = (struct canvas_config){.version = 3, .geom = {100, 70, EDGE}, .palette = *palette_default()};
    for (uint16_t i = 0; i < 4; i++) {
        images[i] = calloc(1, sizeof *images[i] + LEN);
        images[i]->refs = 1;
        images[i]->tile = (struct tile){i % 2, i / 2};
        images[i]->pos = (struct position){1000u + i, 7u * i};
        images[i]->len = LEN;
        for (uint32_t at = 0; at < LEN; at++)
            images[i]->px[at] = (uint8_t)((at * 7 + at / EDGE + i) % 32);
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        free(images[i]);
    return 0;
}

static void test_tile(void **state)
{
    (void)state;
    struct shared_buf *body = content_make(&(struct content_part){.kind = CONTENT_TILE}, &config, images + 1, 1);
    assert_int_equal(body->len, LEN);
    assert_memory_equal(body->bytes, images[1]->px, LEN);
    shared_buf_unref(body);
}

static void check_canvas(const uint8_t *at)
{
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(bytes_get_u16(at), i % 2);
        assert_int_equal(bytes_get_u16(at + 2), i / 2);
        assert_int_equal(bytes_get_u32(at + 4), 7 * i);
        assert_int_equal(bytes_get_u64(at + 8), 1000 + i);
        assert_memory_equal(at + 16, images[i]->px, LEN);
        at += 16 + LEN;
    }
}

static void test_canvas(void **state)
{
    (void)state;
    struct shared_buf *body = content_make(&(struct content_part){.kind = CONTENT_TILES}, &config, images, 4);
    assert_int_equal(body->len, 4 * (16 + LEN));
    check_canvas(body->bytes);
    shared_buf_unref(body);
}

static void test_gzip(void **state)
{
    (void)state;
    static uint8_t out[4 * (16 + LEN)];
    struct shared_buf *body =
        content_make(&(struct content_part){.kind = CONTENT_TILES, .gzip = true}, &config, images, 4);
    z_stream stream = {.next_in = body->bytes, .avail_in = (uInt)body->len, .next_out = out, .avail_out = sizeof out};
    assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.total_out, sizeof out);
    assert_int_equal(stream.avail_in, 0);
    check_canvas(out);
    inflateEnd(&stream);
    shared_buf_unref(body);
}

static void check_png(const struct shared_buf *body)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    static uint8_t rgb[100 * 70 * 3];
    assert_true(png_image_begin_read_from_memory(&png, body->bytes, body->len));
    assert_int_equal(png.width, 100);
    assert_int_equal(png.height, 70);
    png.format = PNG_FORMAT_RGB;
    assert_true(png_image_finish_read(&png, NULL, rgb, 300, NULL));
    for (uint32_t y = 0; y < 70; y++) {
        for (uint32_t x = 0; x < 100; x++) {
            uint8_t index = images[x / EDGE + y / EDGE * 2]->px[y % EDGE * EDGE + x % EDGE];
            const struct palette_color *color = &config.palette.colors[index < config.palette.count ? index : 0];
            assert_memory_equal(rgb + 3 * (y * 100 + x), ((uint8_t[]){color->r, color->g, color->b}), 3);
        }
    }
    png_image_free(&png);
}

static void test_png(void **state)
{
    (void)state;
    images[2]->px[5] = 200; // no such color: the background
    struct shared_buf *body = content_make(&(struct content_part){.kind = CONTENT_PNG}, &config, images, 4);
    check_png(body);
    shared_buf_unref(body);
}

// Larger than what the writer begins with.
static void test_large_png(void **state)
{
    (void)state;
    static struct tile_image *many[64 * 64];
    struct canvas_config large = config;
    png_image png = {.version = PNG_IMAGE_VERSION};
    large.geom = (struct geom){4096, 4096, EDGE};
    for (size_t i = 0; i < 64 * 64; i++)
        many[i] = images[i % 3];
    struct shared_buf *body = content_make(&(struct content_part){.kind = CONTENT_PNG}, &large, many, 64 * 64);
    assert_non_null(body);
    assert_true(png_image_begin_read_from_memory(&png, body->bytes, body->len));
    assert_int_equal(png.width, 4096);
    png_image_free(&png);
    shared_buf_unref(body);
}

static void etag(char to[CONTENT_ETAG_SIZE], enum content_kind kind, bool gzip)
{
    content_etag(to, &(struct content_part){.kind = kind, .gzip = gzip}, &config, images, kind == CONTENT_TILE ? 1 : 4);
}

static void test_etags(void **state)
{
    (void)state;
    char one[CONTENT_ETAG_SIZE], two[CONTENT_ETAG_SIZE], position[CONTENT_POSITION_SIZE];
    images[0]->pos = (struct position){UINT64_MAX, UINT32_MAX};
    etag(one, CONTENT_TILE, true);
    assert_string_equal(one, "\"18446744073709551615-4294967295-gzip\"");
    content_position(position, images[0]->pos);
    assert_string_equal(position, "18446744073709551615-4294967295");
    etag(one, CONTENT_TILES, false);
    etag(two, CONTENT_TILES, true);
    assert_string_not_equal(one, two);
    etag(two, CONTENT_PNG, false);
    assert_string_not_equal(one, two);
    images[3]->pos.seq++;
    etag(two, CONTENT_TILES, false);
    assert_string_not_equal(one, two);
    images[3]->pos.seq--;
    etag(two, CONTENT_TILES, false);
    assert_string_equal(one, two);
    config.version++; // another palette gives another picture
    etag(two, CONTENT_TILES, false);
    assert_string_not_equal(one, two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tile, begin, end),
        cmocka_unit_test_setup_teardown(test_canvas, begin, end),
        cmocka_unit_test_setup_teardown(test_gzip, begin, end),
        cmocka_unit_test_setup_teardown(test_png, begin, end),
        cmocka_unit_test_setup_teardown(test_large_png, begin, end),
        cmocka_unit_test_setup_teardown(test_etags, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
