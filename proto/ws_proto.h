// The browser protocol, tessera.v1 (PROTOCOL.md, part 1.2): messages to structs and back. Pure; allocates nothing.
//
// Encoders write the payload of one WebSocket message into memory of the caller and return its length in bytes;
// they need as many bytes as the WS_*_LEN constant, or function, says, and have no other way to fail. Decoders
// return 0, or ERR_MALFORMED for a wrong type, length or value; what they fill points into the input.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/palette.h"
#include "common/core/position.h"

#define WS_SUBPROTOCOL "tessera.v1"

enum ws_type {
    WS_HELLO = 0x01,
    WS_DRAW = 0x02,
    WS_WATCH = 0x03,
    WS_RESUME = 0x04,
    WS_WELCOME = 0x81,
    WS_VERDICT = 0x82,
    WS_TILE = 0x83,
    WS_SNAPSHOT = 0x84,
    WS_STATUS = 0x85,
    WS_CONFIG = 0x86,
    WS_MOVE = 0x87,
    WS_ERROR = 0x88,
    WS_ANNOUNCEMENT = 0x89,
    WS_PALETTE = 0x8a,
};

enum ws_error { WS_ERROR_WATCH_LIMIT = 1, WS_ERROR_TILE_UNAVAILABLE = 2 };

enum ws_close {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_TEXT = 1003,
    WS_CLOSE_TOO_LONG = 1009,
    WS_CLOSE_NO_HELLO = 4000,
    WS_CLOSE_MALFORMED = 4002,
    WS_CLOSE_SLOW = 4004,
    WS_CLOSE_FULL = 4005,
    WS_CLOSE_NEW_PAGE = 4006,
    WS_CLOSE_ERASED = 4007,
};

#define WS_FLAG_READ_ONLY 0x01u      // WELCOME, STATUS, CONFIG
#define WS_FLAG_PREVIOUS_EPOCH 0x01u // TILE

#define WS_ENTRY_LEN 16u
#define WS_HELLO_HEAD_LEN 12u
#define WS_WATCH_HEAD_LEN 4u
#define WS_DRAW_LEN 10u
#define WS_WELCOME_LEN 40u
#define WS_VERDICT_LEN 24u
#define WS_TILE_HEAD_LEN 20u // + 8 with WS_FLAG_PREVIOUS_EPOCH
#define WS_UPDATE_LEN 3u
#define WS_SNAPSHOT_HEAD_LEN 28u
#define WS_STATUS_LEN 8u
#define WS_CONFIG_LEN 20u
#define WS_MOVE_LEN 8u
#define WS_ERROR_LEN 2u
#define WS_ANNOUNCEMENT_HEAD_LEN 4u
#define WS_ANNOUNCEMENT_MAX 500u // bytes of its text
#define WS_PALETTE_HEAD_LEN 4u
#define WS_PALETTE_MAX (WS_PALETTE_HEAD_LEN + PALETTE_COLORS_MAX * (4u + PALETTE_NAME_SIZE - 1u))

// A tile and the position that the client has of it.
struct ws_entry {
    struct tile tile;
    struct position pos;
};

struct ws_hello {
    uint64_t connection;
    uint16_t count;
    const uint8_t *entries; // into the message: ws_entry_at
};

// WATCH and RESUME.
struct ws_watch {
    uint16_t count;
    const uint8_t *entries;
};

struct ws_draw {
    uint8_t color;
    uint16_t x, y;
    uint32_t nonce;
};

struct ws_welcome {
    uint8_t flags;
    uint16_t edge;
    uint32_t version, width, height, cooldown_ms, next_nonce, wait_ms, online;
    uint64_t user;
};

struct ws_verdict {
    uint8_t code; // enum verdict_code, proto/verdict.h
    uint16_t x, y;
    uint32_t nonce, next_nonce, wait_ms, seq;
};

// Head of a TILE frame; `count` updates of WS_UPDATE_LEN bytes follow.
struct ws_tile {
    struct tile tile;
    uint16_t count;
    uint32_t first;
    uint64_t epoch, previous_epoch;
    const uint8_t *updates; // decoded: into the message
};

struct ws_snapshot {
    uint8_t encoding; // 0 raw, 1 zlib
    struct tile tile;
    struct position pos;
    uint64_t checksum;
    const uint8_t *data; // decoded: into the message
    size_t len;
};

struct ws_status {
    uint8_t flags;
    uint32_t online;
};

struct ws_announcement {
    const char *text; // UTF-8, not terminated; into the message
    uint16_t len;
};

struct ws_config {
    uint8_t flags;
    uint16_t edge;
    uint32_t version, width, height, cooldown_ms;
};

MUST_CHECK int ws_decode_hello(const uint8_t *msg, size_t len, struct ws_hello *out);
MUST_CHECK int ws_decode_watch(const uint8_t *msg, size_t len, struct ws_watch *out); // WATCH or RESUME
MUST_CHECK int ws_decode_draw(const uint8_t *msg, size_t len, struct ws_draw *out);
// Entry i (< count) of a decoded HELLO, WATCH or RESUME.
struct ws_entry ws_entry_at(const uint8_t *entries, uint16_t i);

// For clients (load client, tests).
MUST_CHECK int ws_decode_welcome(const uint8_t *msg, size_t len, struct ws_welcome *out);
MUST_CHECK int ws_decode_verdict(const uint8_t *msg, size_t len, struct ws_verdict *out);
MUST_CHECK int ws_decode_tile(const uint8_t *msg, size_t len, struct ws_tile *out);
MUST_CHECK int ws_decode_snapshot(const uint8_t *msg, size_t len, struct ws_snapshot *out);
MUST_CHECK int ws_decode_status(const uint8_t *msg, size_t len, struct ws_status *out);
MUST_CHECK int ws_decode_config(const uint8_t *msg, size_t len, struct ws_config *out);
MUST_CHECK int ws_decode_move(const uint8_t *msg, size_t len, uint32_t *delay_ms);
MUST_CHECK int ws_decode_error(const uint8_t *msg, size_t len, uint8_t *code);
MUST_CHECK int ws_decode_announcement(const uint8_t *msg, size_t len, struct ws_announcement *out);
MUST_CHECK int ws_decode_palette(const uint8_t *msg, size_t len, struct palette *out);

// Needs WS_HELLO_HEAD_LEN + count * WS_ENTRY_LEN bytes.
size_t ws_encode_hello(uint8_t *to, uint64_t connection, const struct ws_entry *entries, uint16_t count);
// type is WS_WATCH or WS_RESUME. Needs WS_WATCH_HEAD_LEN + count * WS_ENTRY_LEN bytes.
size_t ws_encode_watch(uint8_t *to, enum ws_type type, const struct ws_entry *entries, uint16_t count);
size_t ws_encode_draw(uint8_t *to, const struct ws_draw *draw);
size_t ws_encode_welcome(uint8_t *to, const struct ws_welcome *welcome);
size_t ws_encode_verdict(uint8_t *to, const struct ws_verdict *verdict);
// Only the head (20 or 28 bytes); the caller appends the updates.
size_t ws_encode_tile_head(uint8_t *to, const struct ws_tile *tile);
// Only the head; the caller appends the data.
size_t ws_encode_snapshot_head(uint8_t *to, const struct ws_snapshot *snapshot);
size_t ws_encode_status(uint8_t *to, const struct ws_status *status);
size_t ws_encode_config(uint8_t *to, const struct ws_config *config);
size_t ws_encode_move(uint8_t *to, uint32_t delay_ms);
size_t ws_encode_error(uint8_t *to, enum ws_error code);
// Needs WS_ANNOUNCEMENT_HEAD_LEN + len bytes; len is at most WS_ANNOUNCEMENT_MAX.
size_t ws_encode_announcement(uint8_t *to, const char *text, size_t len);
// Needs WS_PALETTE_MAX bytes.
size_t ws_encode_palette(uint8_t *to, const struct palette *palette);
