// Decoding of what a gateway sends. Reserved bytes and unknown flag bits of these messages are ignored, as are unknown
// verdict and error codes: a later gateway may have more of them.
#include "proto/ws_proto.h"

#include <string.h>

#include "common/core/bytes.h"
#include "proto/limits.h"

#define ENCODING_LAST 1u // zlib

static bool is(const uint8_t *msg, size_t len, enum ws_type type, size_t expected)
{
    return len == expected && msg[0] == type;
}

static bool plausible(uint32_t width, uint32_t height, uint16_t edge)
{
    return geom_valid(&(struct geom){.width = width, .height = height, .edge = edge});
}

int ws_decode_welcome(const uint8_t *msg, size_t len, struct ws_welcome *out)
{
    if (!is(msg, len, WS_WELCOME, WS_WELCOME_LEN))
        return ERR_MALFORMED;
    struct ws_welcome welcome = {
        .flags = msg[1],
        .edge = bytes_get_u16(msg + 2),
        .version = bytes_get_u32(msg + 4),
        .width = bytes_get_u32(msg + 8),
        .height = bytes_get_u32(msg + 12),
        .cooldown_ms = bytes_get_u32(msg + 16),
        .next_nonce = bytes_get_u32(msg + 20),
        .wait_ms = bytes_get_u32(msg + 24),
        .online = bytes_get_u32(msg + 28),
        .user = bytes_get_u64(msg + 32),
    };
    if (!plausible(welcome.width, welcome.height, welcome.edge))
        return ERR_MALFORMED;
    *out = welcome;
    return 0;
}

int ws_decode_verdict(const uint8_t *msg, size_t len, struct ws_verdict *out)
{
    if (!is(msg, len, WS_VERDICT, WS_VERDICT_LEN))
        return ERR_MALFORMED;
    *out = (struct ws_verdict){
        .code = msg[1],
        .x = bytes_get_u16(msg + 2),
        .y = bytes_get_u16(msg + 4),
        .nonce = bytes_get_u32(msg + 8),
        .next_nonce = bytes_get_u32(msg + 12),
        .wait_ms = bytes_get_u32(msg + 16),
        .seq = bytes_get_u32(msg + 20),
    };
    return 0;
}

int ws_decode_tile(const uint8_t *msg, size_t len, struct ws_tile *out)
{
    struct bytes_reader in;
    bytes_reader_init(&in, msg, len);
    uint8_t type = bytes_u8(&in);
    uint8_t flags = bytes_u8(&in);
    struct ws_tile tile = {.tile.tx = bytes_u16(&in)};
    tile.tile.ty = bytes_u16(&in);
    tile.count = bytes_u16(&in);
    tile.first = bytes_u32(&in);
    tile.epoch = bytes_u64(&in);
    tile.previous_epoch = (flags & WS_FLAG_PREVIOUS_EPOCH) ? bytes_u64(&in) : tile.epoch;
    tile.updates = bytes_take(&in, (size_t)tile.count * WS_UPDATE_LEN);
    if (flags > WS_FLAG_PREVIOUS_EPOCH)
        return ERR_MALFORMED; // a flag of later times may change the layout
    if (type != WS_TILE || !bytes_done(&in) || tile.count < 1 || tile.count > LIMIT_TILE_FRAME_UPDATES)
        return ERR_MALFORMED;
    if (tile.first < 1 || tile.count - 1u > UINT32_MAX - tile.first || tile.previous_epoch > tile.epoch)
        return ERR_MALFORMED;
    *out = tile;
    return 0;
}

int ws_decode_snapshot(const uint8_t *msg, size_t len, struct ws_snapshot *out)
{
    if (len < WS_SNAPSHOT_HEAD_LEN || msg[0] != WS_SNAPSHOT || msg[1] > ENCODING_LAST)
        return ERR_MALFORMED;
    *out = (struct ws_snapshot){
        .encoding = msg[1],
        .tile = {.tx = bytes_get_u16(msg + 2), .ty = bytes_get_u16(msg + 4)},
        .pos = {.seq = bytes_get_u32(msg + 8), .epoch = bytes_get_u64(msg + 12)},
        .checksum = bytes_get_u64(msg + 20),
        .data = msg + WS_SNAPSHOT_HEAD_LEN,
        .len = len - WS_SNAPSHOT_HEAD_LEN,
    };
    return 0;
}

int ws_decode_status(const uint8_t *msg, size_t len, struct ws_status *out)
{
    if (!is(msg, len, WS_STATUS, WS_STATUS_LEN))
        return ERR_MALFORMED;
    *out = (struct ws_status){.flags = msg[1], .online = bytes_get_u32(msg + 4)};
    return 0;
}

int ws_decode_config(const uint8_t *msg, size_t len, struct ws_config *out)
{
    if (!is(msg, len, WS_CONFIG, WS_CONFIG_LEN))
        return ERR_MALFORMED;
    struct ws_config config = {
        .flags = msg[1],
        .edge = bytes_get_u16(msg + 2),
        .version = bytes_get_u32(msg + 4),
        .width = bytes_get_u32(msg + 8),
        .height = bytes_get_u32(msg + 12),
        .cooldown_ms = bytes_get_u32(msg + 16),
    };
    if (!plausible(config.width, config.height, config.edge))
        return ERR_MALFORMED;
    *out = config;
    return 0;
}

int ws_decode_move(const uint8_t *msg, size_t len, uint32_t *delay_ms)
{
    if (!is(msg, len, WS_MOVE, WS_MOVE_LEN))
        return ERR_MALFORMED;
    *delay_ms = bytes_get_u32(msg + 4);
    return 0;
}

int ws_decode_error(const uint8_t *msg, size_t len, uint8_t *code)
{
    if (!is(msg, len, WS_ERROR, WS_ERROR_LEN))
        return ERR_MALFORMED;
    *code = msg[1];
    return 0;
}

int ws_decode_announcement(const uint8_t *msg, size_t len, struct ws_announcement *out)
{
    struct bytes_reader in;
    bytes_reader_init(&in, msg, len);
    uint8_t type = bytes_u8(&in);
    (void)bytes_u8(&in);
    struct ws_announcement announcement = {.len = bytes_u16(&in)};
    announcement.text = (const char *)bytes_take(&in, announcement.len);
    if (type != WS_ANNOUNCEMENT || announcement.len > WS_ANNOUNCEMENT_MAX || !bytes_done(&in) ||
        !bytes_is_text(announcement.text, announcement.len))
        return ERR_MALFORMED;
    *out = announcement;
    return 0;
}

static bool take_color(struct bytes_reader *in, struct palette_color *color)
{
    color->r = bytes_u8(in);
    color->g = bytes_u8(in);
    color->b = bytes_u8(in);
    uint8_t len = bytes_u8(in);
    const uint8_t *name = bytes_take(in, len);
    if (name == NULL || len < 1 || len >= PALETTE_NAME_SIZE || !bytes_is_text(name, len))
        return false;
    memset(color->name, 0, sizeof color->name);
    memcpy(color->name, name, len);
    return true;
}

int ws_decode_palette(const uint8_t *msg, size_t len, struct palette *out)
{
    struct bytes_reader in;
    bytes_reader_init(&in, msg, len);
    uint8_t type = bytes_u8(&in);
    (void)bytes_u8(&in);
    out->count = bytes_u16(&in);
    if (type != WS_PALETTE || out->count < PALETTE_COLORS_MIN || out->count > PALETTE_COLORS_MAX)
        return ERR_MALFORMED;
    for (uint16_t i = 0; i < out->count; i++) {
        if (!take_color(&in, &out->colors[i]))
            return ERR_MALFORMED;
    }
    return bytes_done(&in) ? 0 : ERR_MALFORMED;
}
