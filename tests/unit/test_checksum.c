// The checksums that the JavaScript tests check too.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/core/mix.h"
#include "tests/unit/vectors.h"

static void test_single_pixels(void **state)
{
    (void)state;
    json_t *root = vectors_load("checksum.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "mix64"), index, vector)
    {
        uint32_t offset = (uint32_t)field_number(vector, "offset");
        assert_int_equal(mix64(offset, (uint8_t)field_number(vector, "color")), field_u64(vector, "mix"));
    }
    assert_true(index >= 10);
    json_decref(root);
}

static void test_tiles(void **state)
{
    (void)state;
    json_t *root = vectors_load("checksum.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "tiles"), index, vector)
    {
        struct blob px = blob_from_hex(field_text(vector, "hex"));
        assert_int_equal(mix_tile_checksum(px.data, px.len), field_u64(vector, "checksum"));
        blob_free(&px);
    }
    json_array_foreach(json_object_get(root, "made"), index, vector)
    {
        size_t len = (size_t)field_number(vector, "len");
        uint32_t colors = (uint32_t)field_number(vector, "colors");
        uint32_t s = (uint32_t)field_number(vector, "seed");
        uint8_t *px = malloc(len);
        assert_non_null(px);
        for (size_t i = 0; i < len; i++) {
            s ^= s << 13;
            s ^= s >> 17;
            s ^= s << 5;
            px[i] = (uint8_t)(s % colors);
        }
        assert_int_equal(mix_tile_checksum(px, len), field_u64(vector, "checksum"));
        free(px);
    }
    assert_int_equal(index, 2);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_single_pixels), cmocka_unit_test(test_tiles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
