// The one shape of msgpack that Tessera's own messages have: an array of up to six items that are unsigned integers or
// runs of bytes. Everything else (nesting, maps, signs, floats, nil, more items, bytes behind the array) is refused
// while it is read. Nothing is allocated, whatever a peer claims. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"

#define MSGPACK_FLAT_MAX 6u

enum msgpack_flat_kind { MSGPACK_FLAT_UINT, MSGPACK_FLAT_BIN, MSGPACK_FLAT_STR };

struct msgpack_flat_item {
    enum msgpack_flat_kind kind;
    uint64_t number;      // UINT
    const uint8_t *bytes; // BIN, STR: into the message; never NULL
    size_t len;           // BIN, STR
};

struct msgpack_flat {
    uint32_t count;
    struct msgpack_flat_item items[MSGPACK_FLAT_MAX];
};

// 0 or ERR_MALFORMED: the message is not exactly one such array, whole.
MUST_CHECK int msgpack_flat_parse(const uint8_t *msg, size_t len, struct msgpack_flat *out);

// The message is [type, …] with items as `form` says, after the type: '1' '2' '4' '8' for a number that fits so many
// bytes, 'b' for bin, 's' for str. So "84b" is the form of [type, u64, u32, bin].
MUST_CHECK int msgpack_flat_check(const struct msgpack_flat *msg, const char *form);
