#include "check.h"

#include <stdbool.h>
#define ZLIB_CONST
#include <zlib.h>

#include "gateway/gzip.h"

static uint8_t text[200000], got[400000];

// What a client makes of it; its checksum and length are zlib's to compare.
static size_t unpacked(const struct shared_buf *packed)
{
    bool fits = packed->len <= CHECK_GUARD_LEN;
    z_stream stream = {.next_in = fits ? check_guarded(packed->bytes, packed->len) : packed->bytes,
                       .avail_in = (uInt)packed->len,
                       .next_out = got,
                       .avail_out = sizeof got};
    assert_int_equal(inflateInit2(&stream, MAX_WBITS + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    return stream.total_out;
}

static void fill(void)
{
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (uint8_t)((size_t) "a page that says the same again and again"[i % 41] + i / 7001 % 3);
}

static void test_parts_are_one_member(void **state)
{
    (void)state;
    static const size_t sizes[][3] = {{0, 0, 0},     {1, 1, 1},          {5000, 900, 7000},         {0, 10, 0},
                                      {10, 0, 0},    {0, 0, 10},         {70000, 65535, 64000},     {1, 65535, 0},
                                      {32768, 1, 1}, {100000, 0, 99999}, {256, GZIP_BETWEEN_MAX, 9}};
    fill();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const size_t *len = sizes[i], whole = len[0] + len[1] + len[2];
        struct gzip_part first = {0}, last = {0};
        assert_int_equal(gzip_part_make(&first, text, len[0], false), 0);
        assert_int_equal(gzip_part_make(&last, text + len[0] + len[1], len[2], true), 0);
        struct shared_buf *packed = gzip_join(&first, text + len[0], len[1], &last);
        assert_non_null(packed);
        assert_int_equal(unpacked(packed), whole);
        assert_memory_equal(got, text, whole);
        assert_true(packed->len <= len[1] + (len[0] + len[2]) / 4 + 80);
        shared_buf_unref(packed);
        gzip_part_fini(&first);
        gzip_part_fini(&last);
    }
}

static void test_whole(void **state)
{
    (void)state;
    fill();
    for (size_t len = 0; len < 60000; len = len * 2 + 1) {
        struct shared_buf *raw = shared_buf_new(len);
        memcpy(raw->bytes, text, len);
        struct shared_buf *packed = gzip_fast(raw);
        assert_int_equal(unpacked(packed), len);
        assert_memory_equal(got, text, len);
        shared_buf_unref(packed);
        shared_buf_unref(raw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_one_member),
        cmocka_unit_test(test_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
