// The clients of hub_world.h and their sockets.

#include <zlib.h>

#define ALLOC_FAIL_NEVER
#include "alloc_fail.h"
#include "check.h"
#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "gateway/ws_conn.h"
#include "hub_world.h"
#include "hub_world_impl.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"

struct view {
    bool watched;
    struct position pos;
    uint8_t px[WORLD_TILE_LEN];
};

struct ws_conn {
    struct hub_client hub;
    bool joined, strict, cut, ended;
    size_t socket_bytes; // what the socket holds; more than that is held by reference, and nothing else is taken
    uint8_t *wire;
    size_t wire_len, wire_capacity;
    uint8_t *in; // read, and not a whole frame yet
    size_t in_len;
    unsigned gaps, snapshots, writes, updates, complaints;
    struct view views[WORLD_TILES];
};

static struct ws_conn clients[WORLD_CLIENTS];

void world_clients_begin(void)
{
    memset(clients, 0, sizeof clients);
}

void world_clients_end(void)
{
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        world_leave(i);
}

// ---- The socket ----------------------------------------------------------------------------------------------------

enum ws_write ws_conn_write_shared(struct ws_conn *conn, struct shared_buf *buf, size_t from)
{
    assert_int_equal(from, 0);
    if (conn->ended)
        return WS_WRITE_DEAD;
    if (conn->cut)
        return WS_WRITE_FULL;
    if (conn->wire_len >= conn->socket_bytes) {
        conn->cut = true;
        return WS_WRITE_FULL;
    }
    if (conn->wire_len + buf->len > conn->wire_capacity) {
        conn->wire_capacity = (conn->wire_len + buf->len) * 2;
        conn->wire = realloc(conn->wire, conn->wire_capacity);
    }
    memcpy(conn->wire + conn->wire_len, buf->bytes, buf->len);
    conn->wire_len += buf->len;
    conn->cut = conn->wire_len > conn->socket_bytes;
    conn->writes++;
    return WS_WRITE_TAKEN;
}

void ws_conn_send(struct ws_conn *conn, const uint8_t *payload, size_t len)
{
    assert_int_equal(len, WS_ERROR_LEN);
    assert_int_equal(payload[0], WS_ERROR);
    assert_int_equal(payload[1], WS_ERROR_TILE_UNAVAILABLE);
    conn->complaints++;
}

void ws_conn_close(struct ws_conn *conn, enum ws_close code, const char *reason)
{
    (void)code;
    if (alloc_fail_count() == 0)
        fail_msg("connection %d closed: %s", (int)(conn - clients), reason);
    conn->ended = true;
}

// ---- The client's rule (PROTOCOL.md 1.2) ---------------------------------------------------------------------------

static void on_gap(struct ws_conn *conn, unsigned tile)
{
    if (conn->strict)
        fail_msg("client %d: gap on tile %u at %u", (int)(conn - clients), tile, conn->views[tile].pos.seq);
    conn->gaps++;
    world_resume((unsigned)(conn - clients), tile, false);
}

static void apply_from(struct view *view, const struct ws_tile *frame, uint32_t skip)
{
    for (uint32_t i = skip; i < frame->count; i++)
        view->px[bytes_get_u16(frame->updates + 3 * i)] = frame->updates[3 * i + 2];
    view->pos = (struct position){frame->epoch, frame->first + frame->count - 1};
}

static void on_tile(struct ws_conn *conn, const struct ws_tile *frame)
{
    unsigned tile = world_tile_index(frame->tile);
    struct view *view = &conn->views[tile];
    uint32_t last = frame->first + frame->count - 1;
    bool follows = position_equal(view->pos, (struct position){frame->previous_epoch, frame->first - 1});
    assert_in_range(frame->count, 1, LIMIT_TILE_FRAME_UPDATES);
    assert_true(frame->epoch >= frame->previous_epoch);
    if (!view->watched)
        return;
    conn->updates += frame->count;
    if (conn->strict && !follows)
        fail_msg("client %d: tile %u at %u gets %u to %u", (int)(conn - clients), tile, view->pos.seq, frame->first,
                 last);
    if (follows)
        apply_from(view, frame, 0);
    else if (frame->epoch != view->pos.epoch)
        on_gap(conn, tile);
    else if (last <= view->pos.seq)
        return;
    else if (frame->first <= view->pos.seq + 1)
        apply_from(view, frame, view->pos.seq + 1 - frame->first);
    else
        on_gap(conn, tile);
}

static void on_snapshot(struct ws_conn *conn, const struct ws_snapshot *frame)
{
    struct view *view = &conn->views[world_tile_index(frame->tile)];
    uLongf len = WORLD_TILE_LEN;
    if (!view->watched)
        return;
    memset(view->px, 0, WORLD_TILE_LEN);
    if (frame->encoding == 1)
        assert_int_equal(uncompress(view->px, &len, frame->data, frame->len), Z_OK);
    else
        memcpy(view->px, frame->data, frame->len);
    assert_true(frame->checksum == mix_tile_checksum(view->px, WORLD_TILE_LEN));
    view->pos = frame->pos;
    conn->snapshots++;
}

static void on_payload(struct ws_conn *conn, const uint8_t *payload, size_t len)
{
    struct ws_tile tile;
    struct ws_snapshot snapshot;
    if (payload[0] == WS_TILE) {
        assert_int_equal(ws_decode_tile(payload, len, &tile), 0);
        on_tile(conn, &tile);
    } else {
        assert_int_equal(ws_decode_snapshot(payload, len, &snapshot), 0);
        on_snapshot(conn, &snapshot);
    }
}

// Length of the frame at the beginning of `in` with its header, 0 when it is not whole.
static size_t whole_frame(const uint8_t *in, size_t len, size_t *head)
{
    size_t payload;
    if (len < 10 && (len < 2 || (in[1] >= 126 && len < 4) || in[1] == 127))
        return 0;
    assert_int_equal(in[0], 0x82);
    payload = in[1];
    *head = payload < 126 ? 2 : payload == 126 ? 4 : 10;
    if (payload >= 126) {
        payload = 0;
        for (size_t i = 2; i < *head; i++)
            payload = payload << 8 | in[i];
    }
    return *head + payload <= len ? *head + payload : 0;
}

void world_read(unsigned client, size_t bytes)
{
    struct ws_conn *conn = &clients[client];
    size_t len, head, at = 0;
    if (!conn->joined)
        return;
    if (bytes > conn->wire_len)
        bytes = conn->wire_len;
    if (bytes > 0) {
        conn->in = realloc(conn->in, conn->in_len + bytes);
        memcpy(conn->in + conn->in_len, conn->wire, bytes);
        conn->in_len += bytes;
        conn->wire_len -= bytes;
        memmove(conn->wire, conn->wire + bytes, conn->wire_len);
    }
    // While nothing has come `in` is NULL, to which C lets nobody add, be it 0.
    while (conn->in != NULL && (len = whole_frame(conn->in + at, conn->in_len - at, &head)) > 0) {
        on_payload(conn, conn->in + at + head, len - head);
        at += len;
    }
    if (at > 0) {
        conn->in_len -= at;
        memmove(conn->in, conn->in + at, conn->in_len);
    }
    if (conn->cut && conn->wire_len < conn->socket_bytes) {
        conn->cut = false;
        hub_writable(world_hub(), &conn->hub);
    }
}

// ---- What it asks for ----------------------------------------------------------------------------------------------

static uint16_t put_entries(const struct ws_conn *conn, unsigned tiles, uint8_t *to)
{
    uint8_t message[WS_WATCH_HEAD_LEN + WORLD_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[WORLD_TILES];
    uint16_t count = 0;
    // Not in their order: that is for the hub to find.
    for (unsigned i = WORLD_TILES; i-- > 0;) {
        if (tiles & 1u << i)
            entries[count++] = (struct ws_entry){world_tile(i), conn->views[i].pos};
    }
    ws_encode_watch(message, WS_WATCH, entries, count);
    memcpy(to, message + WS_WATCH_HEAD_LEN, count * WS_ENTRY_LEN);
    return count;
}

static void set_watched(struct ws_conn *conn, unsigned tiles)
{
    for (unsigned i = 0; i < WORLD_TILES; i++)
        conn->views[i].watched = tiles & 1u << i;
}

int world_join(unsigned client, unsigned tiles, bool strict, size_t socket_bytes)
{
    struct ws_conn *conn = &clients[client];
    uint8_t entries[WORLD_TILES * WS_ENTRY_LEN];
    assert_false(conn->joined);
    conn->joined = true;
    conn->strict = strict;
    conn->socket_bytes = socket_bytes;
    conn->hub = (struct hub_client){.conn = conn};
    uint16_t count = put_entries(conn, tiles, entries);
    int err = hub_join(world_hub(), &conn->hub, entries, count);
    set_watched(conn, err == 0 ? tiles : 0);
    return err;
}

void world_bury(void)
{
    for (unsigned i = 0; i < WORLD_CLIENTS; i++) {
        if (clients[i].ended)
            world_leave(i);
    }
}

bool world_joined(unsigned client)
{
    return clients[client].joined;
}

int world_watch(unsigned client, unsigned tiles)
{
    struct ws_conn *conn = &clients[client];
    uint8_t entries[WORLD_TILES * WS_ENTRY_LEN];
    uint16_t count = put_entries(conn, tiles, entries);
    int err = hub_watch(world_hub(), &conn->hub, entries, count);
    if (err == 0)
        set_watched(conn, tiles);
    return err;
}

int world_keep(unsigned client, unsigned tiles)
{
    struct ws_conn *conn = &clients[client];
    uint8_t entries[WORLD_TILES * WS_ENTRY_LEN];
    uint16_t count = put_entries(conn, tiles, entries);
    int err = hub_keep(world_hub(), &conn->hub, entries, count);
    for (unsigned i = 0; i < WORLD_TILES; i++)
        conn->views[i].watched = conn->views[i].watched && (err != 0 || (tiles & 1u << i) != 0);
    return err;
}

uint32_t world_asked(unsigned client)
{
    return clients[client].hub.asked;
}

void world_resume(unsigned client, unsigned tile, bool from_nothing)
{
    struct ws_conn *conn = &clients[client];
    uint8_t entries[WORLD_TILES * WS_ENTRY_LEN];
    if (from_nothing) {
        memset(conn->views[tile].px, 0, WORLD_TILE_LEN);
        conn->views[tile].pos = (struct position){0, 0};
    }
    uint16_t count = put_entries(conn, 1u << tile, entries);
    assert_int_equal(hub_resume(world_hub(), &conn->hub, entries, count), 0);
}

void world_leave(unsigned client)
{
    struct ws_conn *conn = &clients[client];
    if (!conn->joined)
        return;
    hub_leave(world_hub(), &conn->hub);
    free(conn->wire);
    free(conn->in);
    conn->wire = conn->in = NULL;
    conn->wire_len = conn->wire_capacity = conn->in_len = 0;
    conn->joined = conn->cut = conn->ended = false;
}

void world_forget(unsigned client)
{
    assert_false(clients[client].joined);
    memset(&clients[client], 0, sizeof clients[client]);
}

unsigned world_gaps(unsigned client)
{
    return clients[client].gaps;
}

unsigned world_snapshots(unsigned client)
{
    return clients[client].snapshots;
}

unsigned world_complaints(unsigned client)
{
    return clients[client].complaints;
}

unsigned world_writes(unsigned client)
{
    return clients[client].writes;
}

unsigned world_updates(unsigned client)
{
    return clients[client].updates;
}

struct position world_client_position(unsigned client, unsigned tile)
{
    return clients[client].views[tile].pos;
}

void world_check_equal(void)
{
    for (unsigned client = 0; client < WORLD_CLIENTS; client++) {
        const struct ws_conn *conn = &clients[client];
        for (unsigned tile = 0; conn->joined && tile < WORLD_TILES; tile++) {
            const struct view *view = &conn->views[tile];
            if (!view->watched)
                continue;
            if (!position_equal(view->pos, world_position(tile)))
                fail_msg("client %u tile %u is at %u, not at %u", client, tile, view->pos.seq,
                         world_position(tile).seq);
            assert_memory_equal(view->px, world_pixels(tile), WORLD_TILE_LEN);
        }
    }
}
