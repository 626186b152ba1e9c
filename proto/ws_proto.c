#include "proto/ws_proto.h"

#include <string.h>

#include "common/core/bytes.h"
#include "proto/limits.h"

// ---- Client to gateway ---------------------------------------------------------------------------------------------

// What remains is exactly `count` entries, and not more of them than may be watched.
static bool takes_entries(struct bytes_reader *in, uint16_t count, const uint8_t **entries)
{
    *entries = bytes_take(in, (size_t)count * WS_ENTRY_LEN);
    return count <= LIMIT_WATCH_TILES && bytes_done(in);
}

int ws_decode_hello(const uint8_t *msg, size_t len, struct ws_hello *out)
{
    struct bytes_reader in;
    bytes_reader_init(&in, msg, len);
    uint8_t type = bytes_u8(&in);
    uint8_t flags = bytes_u8(&in);
    struct ws_hello hello = {.count = bytes_u16(&in)};
    hello.connection = bytes_u64(&in);
    if (type != WS_HELLO || flags != 0 || hello.connection == 0 || !takes_entries(&in, hello.count, &hello.entries))
        return ERR_MALFORMED;
    *out = hello;
    return 0;
}

int ws_decode_watch(const uint8_t *msg, size_t len, struct ws_watch *out)
{
    struct bytes_reader in;
    bytes_reader_init(&in, msg, len);
    uint8_t type = bytes_u8(&in);
    uint8_t flags = bytes_u8(&in);
    struct ws_watch watch = {.count = bytes_u16(&in)};
    if ((type != WS_WATCH && type != WS_RESUME) || flags != 0 || !takes_entries(&in, watch.count, &watch.entries))
        return ERR_MALFORMED;
    *out = watch;
    return 0;
}

int ws_decode_draw(const uint8_t *msg, size_t len, struct ws_draw *out)
{
    struct bytes_reader in;
    bytes_reader_init(&in, msg, len);
    uint8_t type = bytes_u8(&in);
    struct ws_draw draw = {.color = bytes_u8(&in)};
    draw.x = bytes_u16(&in);
    draw.y = bytes_u16(&in);
    draw.nonce = bytes_u32(&in);
    // Nonce 0 stands for "never placed" in a user's record: a draw with it could look like a repetition of nothing.
    if (type != WS_DRAW || draw.nonce == 0 || !bytes_done(&in))
        return ERR_MALFORMED;
    *out = draw;
    return 0;
}

struct ws_entry ws_entry_at(const uint8_t *entries, uint16_t i)
{
    const uint8_t *at = entries + (size_t)i * WS_ENTRY_LEN;
    return (struct ws_entry){
        .tile = {.tx = bytes_get_u16(at), .ty = bytes_get_u16(at + 2)},
        .pos = {.seq = bytes_get_u32(at + 4), .epoch = bytes_get_u64(at + 8)},
    };
}

static void put_entries(struct bytes_writer *out, const struct ws_entry *entries, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++) {
        bytes_put_u16(out, entries[i].tile.tx);
        bytes_put_u16(out, entries[i].tile.ty);
        bytes_put_u32(out, entries[i].pos.seq);
        bytes_put_u64(out, entries[i].pos.epoch);
    }
}

size_t ws_encode_hello(uint8_t *to, uint64_t connection, const struct ws_entry *entries, uint16_t count)
{
    struct bytes_writer out;
    bytes_writer_init(&out, to, WS_HELLO_HEAD_LEN + (size_t)count * WS_ENTRY_LEN);
    bytes_put_u8(&out, WS_HELLO);
    bytes_put_u8(&out, 0);
    bytes_put_u16(&out, count);
    bytes_put_u64(&out, connection);
    put_entries(&out, entries, count);
    return bytes_written(&out);
}

size_t ws_encode_watch(uint8_t *to, enum ws_type type, const struct ws_entry *entries, uint16_t count)
{
    struct bytes_writer out;
    bytes_writer_init(&out, to, WS_WATCH_HEAD_LEN + (size_t)count * WS_ENTRY_LEN);
    bytes_put_u8(&out, (uint8_t)type);
    bytes_put_u8(&out, 0);
    bytes_put_u16(&out, count);
    put_entries(&out, entries, count);
    return bytes_written(&out);
}

size_t ws_encode_draw(uint8_t *to, const struct ws_draw *draw)
{
    to[0] = WS_DRAW;
    to[1] = draw->color;
    bytes_set_u16(to + 2, draw->x);
    bytes_set_u16(to + 4, draw->y);
    bytes_set_u32(to + 6, draw->nonce);
    return WS_DRAW_LEN;
}

// ---- Gateway to client, encoding -----------------------------------------------------------------------------------

size_t ws_encode_welcome(uint8_t *to, const struct ws_welcome *welcome)
{
    to[0] = WS_WELCOME;
    to[1] = welcome->flags;
    bytes_set_u16(to + 2, welcome->edge);
    bytes_set_u32(to + 4, welcome->version);
    bytes_set_u32(to + 8, welcome->width);
    bytes_set_u32(to + 12, welcome->height);
    bytes_set_u32(to + 16, welcome->cooldown_ms);
    bytes_set_u32(to + 20, welcome->next_nonce);
    bytes_set_u32(to + 24, welcome->wait_ms);
    bytes_set_u32(to + 28, welcome->online);
    bytes_set_u64(to + 32, welcome->user);
    return WS_WELCOME_LEN;
}

size_t ws_encode_verdict(uint8_t *to, const struct ws_verdict *verdict)
{
    to[0] = WS_VERDICT;
    to[1] = verdict->code;
    bytes_set_u16(to + 2, verdict->x);
    bytes_set_u16(to + 4, verdict->y);
    bytes_set_u16(to + 6, 0);
    bytes_set_u32(to + 8, verdict->nonce);
    bytes_set_u32(to + 12, verdict->next_nonce);
    bytes_set_u32(to + 16, verdict->wait_ms);
    bytes_set_u32(to + 20, verdict->seq);
    return WS_VERDICT_LEN;
}

size_t ws_encode_tile_head(uint8_t *to, const struct ws_tile *tile)
{
    bool crosses = tile->previous_epoch != tile->epoch;
    to[0] = WS_TILE;
    to[1] = crosses ? WS_FLAG_PREVIOUS_EPOCH : 0;
    bytes_set_u16(to + 2, tile->tile.tx);
    bytes_set_u16(to + 4, tile->tile.ty);
    bytes_set_u16(to + 6, tile->count);
    bytes_set_u32(to + 8, tile->first);
    bytes_set_u64(to + 12, tile->epoch);
    if (!crosses)
        return WS_TILE_HEAD_LEN;
    bytes_set_u64(to + WS_TILE_HEAD_LEN, tile->previous_epoch);
    return WS_TILE_HEAD_LEN + 8;
}

size_t ws_encode_snapshot_head(uint8_t *to, const struct ws_snapshot *snapshot)
{
    to[0] = WS_SNAPSHOT;
    to[1] = snapshot->encoding;
    bytes_set_u16(to + 2, snapshot->tile.tx);
    bytes_set_u16(to + 4, snapshot->tile.ty);
    bytes_set_u16(to + 6, 0);
    bytes_set_u32(to + 8, snapshot->pos.seq);
    bytes_set_u64(to + 12, snapshot->pos.epoch);
    bytes_set_u64(to + 20, snapshot->checksum);
    return WS_SNAPSHOT_HEAD_LEN;
}

size_t ws_encode_status(uint8_t *to, const struct ws_status *status)
{
    to[0] = WS_STATUS;
    to[1] = status->flags;
    bytes_set_u16(to + 2, 0);
    bytes_set_u32(to + 4, status->online);
    return WS_STATUS_LEN;
}

size_t ws_encode_config(uint8_t *to, const struct ws_config *config)
{
    to[0] = WS_CONFIG;
    to[1] = config->flags;
    bytes_set_u16(to + 2, config->edge);
    bytes_set_u32(to + 4, config->version);
    bytes_set_u32(to + 8, config->width);
    bytes_set_u32(to + 12, config->height);
    bytes_set_u32(to + 16, config->cooldown_ms);
    return WS_CONFIG_LEN;
}

size_t ws_encode_move(uint8_t *to, uint32_t delay_ms)
{
    bytes_set_u32(to, WS_MOVE); // with the three reserved bytes
    bytes_set_u32(to + 4, delay_ms);
    return WS_MOVE_LEN;
}

size_t ws_encode_error(uint8_t *to, enum ws_error code)
{
    to[0] = WS_ERROR;
    to[1] = (uint8_t)code;
    return WS_ERROR_LEN;
}

size_t ws_encode_announcement(uint8_t *to, const char *text, size_t len)
{
    to[0] = WS_ANNOUNCEMENT;
    to[1] = 0;
    bytes_set_u16(to + 2, (uint16_t)len);
    if (len > 0)
        memcpy(to + WS_ANNOUNCEMENT_HEAD_LEN, text, len);
    return WS_ANNOUNCEMENT_HEAD_LEN + len;
}

size_t ws_encode_palette(uint8_t *to, const struct palette *palette)
{
    struct bytes_writer out;
    bytes_writer_init(&out, to, WS_PALETTE_MAX);
    bytes_put_u8(&out, WS_PALETTE);
    bytes_put_u8(&out, 0);
    bytes_put_u16(&out, palette->count);
    for (uint16_t i = 0; i < palette->count; i++) {
        const struct palette_color *color = &palette->colors[i];
        size_t len = strlen(color->name);
        bytes_put_u8(&out, color->r);
        bytes_put_u8(&out, color->g);
        bytes_put_u8(&out, color->b);
        bytes_put_u8(&out, (uint8_t)len);
        bytes_put(&out, color->name, len);
    }
    return bytes_written(&out);
}
