// The golden vectors of proto/vectors, for the tests of the codecs. Every failure here fails the running test.
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

// Bytes in a block of exactly their length, so that a sanitizer sees a read past the end.
struct blob {
    uint8_t *data;
    size_t len;
};

// The file proto/vectors/<name>, to be released with json_decref. Tests run at the top of the tree.
json_t *vectors_load(const char *name);

struct blob blob_from_hex(const char *hex);
struct blob blob_cut(const struct blob *blob, size_t len); // a copy of the first `len` bytes
void blob_free(struct blob *blob);

// Fields of a vector. All but the first insist that the field is there.
const char *field_text(const json_t *object, const char *name);
uint64_t field_number(const json_t *object, const char *name); // a number, or true or false
uint64_t field_u64(const json_t *object, const char *name);    // 16 hex digits

// The field's hex is these bytes.
void assert_hex_field(const json_t *object, const char *name, const void *data, size_t len);
