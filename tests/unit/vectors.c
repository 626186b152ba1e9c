#include "tests/unit/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/bytes.h"

json_t *vectors_load(const char *name)
{
    char path[128];
    json_error_t error;
    (void)snprintf(path, sizeof path, "proto/vectors/%s", name);
    json_t *root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

struct blob blob_from_hex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    struct blob blob = {.data = malloc(len > 0 ? len : 1), .len = len};
    assert_non_null(blob.data);
    if (bytes_from_hex(blob.data, len, hex, strlen(hex)) != (int)len)
        fail_msg("not hex: %s", hex);
    return blob;
}

struct blob blob_cut(const struct blob *blob, size_t len)
{
    struct blob cut = {.data = malloc(len > 0 ? len : 1), .len = len};
    assert_non_null(cut.data);
    memcpy(cut.data, blob->data, len);
    return cut;
}

void blob_free(struct blob *blob)
{
    free(blob->data);
    *blob = (struct blob){0};
}

const char *field_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    if (text == NULL)
        fail_msg("no text %s", name);
    return text;
}

uint64_t field_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_boolean(value))
        return json_is_true(value);
    if (!json_is_integer(value))
        fail_msg("no number %s", name);
    return (uint64_t)json_integer_value(value);
}

uint64_t field_u64(const json_t *object, const char *name)
{
    return strtoull(field_text(object, name), NULL, 16);
}

void assert_hex_field(const json_t *object, const char *name, const void *data, size_t len)
{
    struct blob expected = blob_from_hex(field_text(object, name));
    assert_int_equal(expected.len, len);
    assert_memory_equal(expected.data, data, len);
    blob_free(&expected);
}
