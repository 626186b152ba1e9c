// Bounds-checked reading and writing of little-endian wire formats over the caller's memory, and the two text encodings
// of bytes that we use. All arithmetic with lengths of a peer goes through here.
//
// Reader and writer remember the first fault: after it every read gives 0 (or NULL), every write does nothing, and the
// caller asks once at the end. Nothing is allocated and nothing is owned.
#pragma once

#include "common/core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct bytes_writer {
    uint8_t *start;
    uint8_t *at;
    uint8_t *end;
    bool bad;
};

// `data` may be NULL when `len` is 0. The memory must outlive the reader.
void bytes_reader_init(struct bytes_reader *reader, const void *data, size_t len);

uint8_t bytes_u8(struct bytes_reader *reader);
uint16_t bytes_u16(struct bytes_reader *reader);
uint32_t bytes_u32(struct bytes_reader *reader);
uint64_t bytes_u64(struct bytes_reader *reader);

// The next `len` bytes in place (never NULL for a good reader, even with len 0), or NULL when fewer are left.
const uint8_t *bytes_take(struct bytes_reader *reader, size_t len);

// How many bytes are left; 0 after a fault.
size_t bytes_left(const struct bytes_reader *reader);

// No read went past the end so far.
bool bytes_ok(const struct bytes_reader *reader);

// As bytes_ok, and nothing is left: the message was exactly as long as its content.
bool bytes_done(const struct bytes_reader *reader);

void bytes_writer_init(struct bytes_writer *writer, void *data, size_t capacity);

void bytes_put_u8(struct bytes_writer *writer, uint8_t value);
void bytes_put_u16(struct bytes_writer *writer, uint16_t value);
void bytes_put_u32(struct bytes_writer *writer, uint32_t value);
void bytes_put_u64(struct bytes_writer *writer, uint64_t value);
void bytes_put(struct bytes_writer *writer, const void *data, size_t len);

// Room for `len` bytes that the caller fills in at once, or NULL when there is none.
uint8_t *bytes_reserve(struct bytes_writer *writer, size_t len);

// How many bytes were written.
size_t bytes_written(const struct bytes_writer *writer);

// Everything written so far did fit.
bool bytes_fits(const struct bytes_writer *writer);

// Single values at a place whose bounds the caller has checked already.
uint16_t bytes_get_u16(const uint8_t *at);
uint32_t bytes_get_u32(const uint8_t *at);
uint64_t bytes_get_u64(const uint8_t *at);
void bytes_set_u16(uint8_t *at, uint16_t value);
void bytes_set_u32(uint8_t *at, uint32_t value);
void bytes_set_u64(uint8_t *at, uint64_t value);

// Sizes of the texts without and with their closing NUL.
#define BYTES_HEX_SIZE(len) ((len)*2 + 1)
#define BYTES_BASE64URL_LEN(len) (((len)*4 + 2) / 3)
#define BYTES_BASE64URL_SIZE(len) (BYTES_BASE64URL_LEN(len) + 1)

// Lower-case hex with a closing NUL. `text` holds at least BYTES_HEX_SIZE(len).
void bytes_to_hex(char *text, const void *data, size_t len);

// Decodes exactly `text_len` digits of either case. Returns the count of bytes, ERR_MALFORMED, or ERR_FULL when
// `capacity` is too small.
MUST_CHECK int bytes_from_hex(void *data, size_t capacity, const char *text, size_t text_len);

// RFC 4648 base64url without padding, with a closing NUL. `text` holds at least BYTES_BASE64URL_SIZE(len).
void bytes_to_base64url(char *text, const void *data, size_t len);

// Decodes only the canonical form: no padding, no other characters, unused bits 0; so that one value has one text.
// Returns the count of bytes, ERR_MALFORMED or ERR_FULL.
MUST_CHECK int bytes_from_base64url(void *data, size_t capacity, const char *text, size_t text_len);

// UTF-8 (RFC 3629) without control characters: what people are shown.
bool bytes_is_text(const void *text, size_t len);

// Compares two secrets of one length in a time that does not depend on their content.
bool bytes_equal_secret(const void *a, const void *b, size_t len);
