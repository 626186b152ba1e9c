#include "gateway/frames.h"

#include <string.h>
#include <zlib.h>

#include "gateway/ws_conn.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"

#define HEAD_MAX 10u

static size_t tile_payload(const struct ring_run *run)
{
    size_t head = WS_TILE_HEAD_LEN + (run->previous_epoch != run->epoch ? 8 : 0);
    return head + (size_t)run->count * WS_UPDATE_LEN;
}

static bool next_run(const struct ring *ring, struct position from, struct position to, struct ring_run *run)
{
    return ring_next(ring, from, to, LIMIT_TILE_FRAME_UPDATES, run);
}

static uint8_t *put_run(uint8_t *at, const struct ring *ring, struct tile tile, const struct ring_run *run)
{
    const struct ws_tile head = {
        .tile = tile,
        .count = (uint16_t)run->count,
        .first = run->first,
        .epoch = run->epoch,
        .previous_epoch = run->previous_epoch,
    };
    at += ws_frame_head(at, tile_payload(run));
    at += ws_encode_tile_head(at, &head);
    ring_copy(ring, run, at);
    return at + (size_t)run->count * WS_UPDATE_LEN;
}

struct shared_buf *frames_tile(const struct ring *ring, struct tile tile, struct position from, struct position to)
{
    uint8_t scratch[HEAD_MAX];
    struct ring_run run;
    size_t len = 0;
    for (struct position at = from; next_run(ring, at, to, &run); at = ring_run_end(&run))
        len += ws_frame_head(scratch, tile_payload(&run)) + tile_payload(&run);
    struct shared_buf *buf = shared_buf_new(len);
    if (buf == NULL)
        return NULL;
    uint8_t *out = buf->bytes;
    for (struct position at = from; next_run(ring, at, to, &run); at = ring_run_end(&run))
        out = put_run(out, ring, tile, &run);
    return buf;
}

// Background at the end need not travel.
static uint32_t trimmed(const uint8_t *px, uint32_t len)
{
    while (len > 0 && px[len - 1] == 0)
        len--;
    return len;
}

// The payload's data behind room for both heads; its length, and whether it is compressed.
static struct shared_buf *pack(const uint8_t *px, uint32_t len, size_t room, size_t *data_len, bool *zlib)
{
    uLong bound = compressBound(len);
    struct shared_buf *buf = shared_buf_new(room + (bound > len ? bound : len));
    if (buf == NULL)
        return NULL;
    uLongf packed = bound;
    *zlib = compress2(buf->bytes + room, &packed, px, len, Z_BEST_SPEED) == Z_OK && packed < len;
    *data_len = *zlib ? packed : len;
    if (!*zlib && len > 0)
        memcpy(buf->bytes + room, px, len);
    return buf;
}

struct shared_buf *frames_snapshot(struct tile tile, struct position pos, uint64_t checksum, const uint8_t *px,
                                   uint32_t len)
{
    bool zlib;
    size_t data_len;
    len = trimmed(px, len);
    struct shared_buf *packed = pack(px, len, HEAD_MAX + WS_SNAPSHOT_HEAD_LEN, &data_len, &zlib);
    if (packed == NULL)
        return NULL;
    uint8_t head[HEAD_MAX];
    size_t head_len = ws_frame_head(head, WS_SNAPSHOT_HEAD_LEN + data_len);
    // A buffer of the exact size: the packed one is as large as the worst case.
    struct shared_buf *buf = shared_buf_new(head_len + WS_SNAPSHOT_HEAD_LEN + data_len);
    if (buf == NULL)
        goto out;
    const struct ws_snapshot snapshot = {.encoding = zlib, .tile = tile, .pos = pos, .checksum = checksum};
    uint8_t *at = buf->bytes;
    memcpy(at, head, head_len);
    at += head_len;
    at += ws_encode_snapshot_head(at, &snapshot);
    memcpy(at, packed->bytes + HEAD_MAX + WS_SNAPSHOT_HEAD_LEN, data_len);
out:
    shared_buf_unref(packed);
    return buf;
}

struct shared_buf *frames_join(struct shared_buf *const *bufs, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += bufs[i] != NULL ? bufs[i]->len : 0;
    struct shared_buf *joined = shared_buf_new(len);
    if (joined == NULL)
        return NULL;
    uint8_t *at = joined->bytes;
    for (size_t i = 0; i < count; i++) {
        if (bufs[i] == NULL)
            continue;
        memcpy(at, bufs[i]->bytes, bufs[i]->len);
        at += bufs[i]->len;
    }
    return joined;
}
