// The browser protocol, each message both ways: what a decoder takes, its encoder writes again byte for byte (reserved
// bytes and unknown flags aside), and what is made of any values is taken and gives the same values.
#include <stdlib.h>
#include <string.h>

#include "gateway/watch_list.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"
#include "tests/fuzz/fuzz.h"

#define ROOM 70000u

static uint8_t again[ROOM];

// `len` bytes were written; they are the message, but for the bytes from `from` up to `to`, which are not looked at.
static void check_again(const uint8_t *bytes, size_t size, size_t len, size_t from, size_t to)
{
    FUZZ_CHECK(len == size);
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK(again[i] == bytes[i] || (i >= from && i < to));
}

// ---- From a client --------------------------------------------------------------------------------------------------

static void check_watch_list(const uint8_t *entries, uint16_t count)
{
    static const struct geom geom = {4000, 3000, 64};
    struct watch_list watch;
    if (watch_list_read(&watch, &geom, entries, count) != 0)
        return;
    FUZZ_CHECK(watch.count == count);
    for (uint32_t i = 0; i < watch.count; i++) {
        FUZZ_CHECK(geom_has_tile(&geom, watch.tiles[i]));
        FUZZ_CHECK(i == 0 || tile_key(watch.tiles[i - 1]) < tile_key(watch.tiles[i]));
    }
}

static void read_entries(struct ws_entry *to, const uint8_t *entries, uint16_t count)
{
    for (uint16_t i = 0; i < count; i++)
        to[i] = ws_entry_at(entries, i);
}

static void check_client_message(const uint8_t *bytes, size_t size)
{
    static struct ws_entry entries[LIMIT_WATCH_TILES];
    struct ws_hello hello;
    struct ws_watch watch;
    struct ws_draw draw;
    if (ws_decode_hello(bytes, size, &hello) == 0) {
        FUZZ_CHECK(hello.count <= LIMIT_WATCH_TILES && hello.connection != 0);
        read_entries(entries, hello.entries, hello.count);
        check_again(bytes, size, ws_encode_hello(again, hello.connection, entries, hello.count), 0, 0);
        check_watch_list(hello.entries, hello.count);
    }
    if (ws_decode_watch(bytes, size, &watch) == 0) {
        FUZZ_CHECK(watch.count <= LIMIT_WATCH_TILES);
        read_entries(entries, watch.entries, watch.count);
        check_again(bytes, size, ws_encode_watch(again, (enum ws_type)bytes[0], entries, watch.count), 0, 0);
        check_watch_list(watch.entries, watch.count);
    }
    if (ws_decode_draw(bytes, size, &draw) == 0) {
        FUZZ_CHECK(draw.nonce != 0);
        check_again(bytes, size, ws_encode_draw(again, &draw), 0, 0);
    }
}

// ---- From a gateway -------------------------------------------------------------------------------------------------

static void check_tile(const uint8_t *bytes, size_t size)
{
    struct ws_tile tile;
    if (ws_decode_tile(bytes, size, &tile) != 0)
        return;
    size_t head = ws_encode_tile_head(again, &tile);
    memcpy(again + head, tile.updates, (size_t)tile.count * WS_UPDATE_LEN);
    // The previous epoch may be written although it is the same.
    if (size != head + (size_t)tile.count * WS_UPDATE_LEN)
        FUZZ_CHECK(bytes[1] == WS_FLAG_PREVIOUS_EPOCH && tile.epoch == tile.previous_epoch);
    else
        check_again(bytes, size, size, 0, 0);
}

static void check_snapshot(const uint8_t *bytes, size_t size)
{
    struct ws_snapshot snapshot;
    if (ws_decode_snapshot(bytes, size, &snapshot) != 0 || size > ROOM)
        return;
    size_t head = ws_encode_snapshot_head(again, &snapshot);
    memcpy(again + head, snapshot.data, snapshot.len);
    check_again(bytes, size, head + snapshot.len, 6, 8);
}

static void check_texts(const uint8_t *bytes, size_t size)
{
    struct ws_announcement announcement;
    struct palette palette;
    if (ws_decode_announcement(bytes, size, &announcement) == 0)
        check_again(bytes, size, ws_encode_announcement(again, announcement.text, announcement.len), 1, 2);
    if (ws_decode_palette(bytes, size, &palette) == 0)
        check_again(bytes, size, ws_encode_palette(again, &palette), 1, 2);
}

static void check_server_message(const uint8_t *bytes, size_t size)
{
    struct ws_welcome welcome;
    struct ws_verdict verdict;
    struct ws_status status;
    struct ws_config config;
    uint32_t delay_ms;
    uint8_t code;
    if (ws_decode_welcome(bytes, size, &welcome) == 0)
        check_again(bytes, size, ws_encode_welcome(again, &welcome), 0, 0);
    if (ws_decode_verdict(bytes, size, &verdict) == 0)
        check_again(bytes, size, ws_encode_verdict(again, &verdict), 6, 8);
    if (ws_decode_status(bytes, size, &status) == 0)
        check_again(bytes, size, ws_encode_status(again, &status), 2, 4);
    if (ws_decode_config(bytes, size, &config) == 0)
        check_again(bytes, size, ws_encode_config(again, &config), 0, 0);
    if (ws_decode_move(bytes, size, &delay_ms) == 0)
        check_again(bytes, size, ws_encode_move(again, delay_ms), 1, 4);
    if (ws_decode_error(bytes, size, &code) == 0)
        check_again(bytes, size, ws_encode_error(again, (enum ws_error)code), 0, 0);
    check_tile(bytes, size);
    check_snapshot(bytes, size);
    check_texts(bytes, size);
}

// ---- From values ----------------------------------------------------------------------------------------------------

static void check_made(struct fuzz_in *in)
{
    struct ws_draw draw = {fuzz_u8(in), fuzz_u16(in), fuzz_u16(in), fuzz_u32(in)}, draw_again;
    FUZZ_CHECK((ws_decode_draw(again, ws_encode_draw(again, &draw), &draw_again) == 0) == (draw.nonce != 0));
    FUZZ_CHECK(draw.nonce == 0 || (draw_again.color == draw.color && draw_again.x == draw.x && draw_again.y == draw.y &&
                                   draw_again.nonce == draw.nonce));
    struct ws_tile tile = {.tile = {fuzz_u16(in), fuzz_u16(in)}, .first = fuzz_u32(in), .epoch = fuzz_u64(in)},
                   tile_again;
    size_t len;
    const uint8_t *updates = fuzz_take(in, WS_UPDATE_LEN * 100, &len);
    tile.previous_epoch = tile.epoch - fuzz_u8(in);
    tile.count = (uint16_t)(len / WS_UPDATE_LEN);
    bool possible = tile.count >= 1 && tile.first >= 1 && tile.count - 1u <= UINT32_MAX - tile.first &&
                    tile.previous_epoch <= tile.epoch;
    size_t head = ws_encode_tile_head(again, &tile);
    memcpy(again + head, updates, len);
    FUZZ_CHECK((ws_decode_tile(again, head + (size_t)tile.count * WS_UPDATE_LEN, &tile_again) == 0) == possible);
    FUZZ_CHECK(!possible || (tile_equal(tile.tile, tile_again.tile) && tile.first == tile_again.first &&
                             tile.count == tile_again.count && tile.epoch == tile_again.epoch &&
                             tile.previous_epoch == tile_again.previous_epoch));
}

// The head of a frame says the length that it was given (RFC 6455, 5.2).
static void check_frame_head(uint64_t len)
{
    uint8_t head[10];
    size_t head_len = ws_frame_head(head, len);
    uint64_t said = head_len == 2 ? head[1] : 0;
    for (size_t i = 2; i < head_len; i++)
        said = said << 8 | head[i];
    FUZZ_CHECK(head[0] == 0x82 && said == len && (head_len == 2) == (len < 126) && (head_len == 10) == (len > 65535));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    check_client_message(data, size);
    check_server_message(data, size);
    check_made(&in);
    uint64_t len = fuzz_u64(&in);
    check_frame_head(len >> fuzz_u8(&in) % 64);
    return 0;
}
