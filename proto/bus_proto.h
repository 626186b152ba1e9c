// What the bus carries (REDIS.md, channels), and what the stream, user records and config look like to a reader. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/position.h"

enum bus_type { BUS_UPDATE = 1, BUS_POSITION = 2, BUS_VIEW = 3, BUS_CONFIG = 4, BUS_ERASED = 5 };

struct bus_message {
    enum bus_type type;
    uint64_t previous_epoch; // UPDATE
    uint64_t epoch;          // UPDATE, POSITION
    uint32_t first;          // UPDATE; >= 1
    uint32_t count;          // UPDATE: updates of 3 bytes, as in a TILE frame
    const uint8_t *updates;  // into the input
    uint32_t seq;            // POSITION
    uint64_t checksum;       // POSITION
    uint64_t view;           // VIEW
    uint32_t version;        // CONFIG
    uint64_t user;           // ERASED; not 0
};

// 0; ERR_UNSUPPORTED: an array of flat items whose type is none of these, of a later version; ERR_MALFORMED.
MUST_CHECK int bus_decode(const uint8_t *msg, size_t len, struct bus_message *out);

// ERASED, as the gateway that was asked publishes it.
#define BUS_ERASED_LEN 11u
void bus_encode_erased(uint8_t to[BUS_ERASED_LEN], uint64_t user);

// A user's record. Absent (len 0): all zero. 0 or ERR_MALFORMED.
struct user_record {
    uint8_t color;
    uint16_t x, y;
    uint32_t nonce, seq;
    uint64_t landed_ms;
};
#define USER_RECORD_LEN 24u
#define USER_GROUPS 64u
MUST_CHECK int user_record_decode(const uint8_t *bytes, size_t len, struct user_record *out);
void user_record_encode(uint8_t to[USER_RECORD_LEN], const struct user_record *record);
