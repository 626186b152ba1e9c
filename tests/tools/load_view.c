#include "tests/tools/load_view.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "common/core/bytes.h"
#include "common/core/replica.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"

#define ENCODING_ZLIB 1

struct watched {
    struct position pos;
    bool asked; // RESUME sent, not yet answered
};

struct load_view {
    struct geom geom;
    uint32_t first;
    uint32_t count;
    struct replica *replicas; // NULL: positions only
    struct watched tiles[];
};

struct load_view *load_view_new(const struct geom *geom, uint32_t first, uint32_t count, bool replicas)
{
    struct load_view *view = calloc(1, sizeof *view + count * sizeof view->tiles[0]);
    if (view == NULL)
        return NULL;
    view->geom = *geom;
    view->first = first;
    view->count = count;
    if (!replicas)
        return view;
    view->replicas = calloc(count, sizeof *view->replicas);
    bool good = view->replicas != NULL;
    for (uint32_t i = 0; i < count && good; i++)
        good = replica_init(&view->replicas[i], geom_tile_len(geom)) == 0;
    if (good)
        return view;
    load_view_free(view);
    return NULL;
}

void load_view_free(struct load_view *view)
{
    if (view == NULL)
        return;
    for (uint32_t i = 0; i < view->count && view->replicas != NULL; i++)
        replica_fini(&view->replicas[i]);
    free(view->replicas);
    free(view);
}

static struct ws_entry entry_of(const struct load_view *view, uint32_t i)
{
    return (struct ws_entry){geom_tile_at(&view->geom, view->first + i), view->tiles[i].pos};
}

size_t load_view_hello(const struct load_view *view, const struct load_proc *proc, uint64_t connection, uint8_t *to)
{
    (void)proc;
    struct ws_entry entries[LIMIT_WATCH_TILES];
    uint32_t count = view != NULL ? view->count : 0;
    for (uint32_t i = 0; i < count; i++)
        entries[i] = entry_of(view, i);
    return ws_encode_hello(to, connection, entries, (uint16_t)count);
}

// The place of a tile in the view, or ERR_NOT_FOUND.
static int64_t place_of(const struct load_view *view, struct tile tile)
{
    if (view == NULL || !geom_has_tile(&view->geom, tile))
        return ERR_NOT_FOUND;
    uint32_t index = geom_index(&view->geom, tile);
    return index >= view->first && index - view->first < view->count ? (int64_t)index - view->first : ERR_NOT_FOUND;
}

// ---- Updates ------------------------------------------------------------------------------------------------------

// The rule of replica.h for positions alone: how many of the updates are new, or -1 after a gap.
static int64_t follow(struct position *mine, const struct ws_tile *tile)
{
    uint32_t last = tile->first + (tile->count - 1u);
    bool joins = mine->seq == tile->first - 1 && mine->epoch == tile->previous_epoch;
    int64_t applied = tile->count;
    if (!joins) {
        if (mine->epoch != tile->epoch || tile->first - 1 >= mine->seq)
            return mine->epoch == tile->epoch && last <= mine->seq ? 0 : -1;
        applied = last <= mine->seq ? 0 : (int64_t)(last - mine->seq);
    }
    if (applied > 0)
        *mine = (struct position){tile->epoch, last};
    return applied;
}

// As `follow`, for a replica; ERR_MALFORMED - 1 for an update that cannot be.
#define IMPOSSIBLE (-2)

static int64_t apply(struct replica *replica, const struct ws_tile *tile, uint16_t colors)
{
    const struct replica_update update = {.prev_epoch = tile->previous_epoch,
                                          .epoch = tile->epoch,
                                          .first = tile->first,
                                          .count = tile->count,
                                          .records = tile->updates};
    uint32_t applied = 0;
    int result = replica_apply(replica, &update, colors, &applied);
    if (result < 0)
        return IMPOSSIBLE;
    return result == REPLICA_GAP || result == REPLICA_EPOCH ? -1 : (int64_t)applied;
}

static void ask_again(struct load_conn *conn, uint32_t place)
{
    struct load_view *view = conn->view;
    uint8_t msg[WS_WATCH_HEAD_LEN + WS_ENTRY_LEN];
    struct ws_entry entry = entry_of(view, place);
    conn->proc->stats->gaps++;
    if (view->tiles[place].asked)
        return;
    view->tiles[place].asked = true;
    load_conn_send(conn, msg, ws_encode_watch(msg, WS_RESUME, &entry, 1));
}

// Latency from draw to here. Of a replica's updates all count; of others one, each as likely as another.
static void measure(struct load_conn *conn, const struct ws_tile *tile, uint32_t applied, struct monotime now)
{
    struct load_proc *proc = conn->proc;
    const struct geom *geom = &conn->view->geom;
    uint32_t from = tile->count - applied;
    uint32_t to = tile->count;
    if (conn->view->replicas == NULL) {
        from += (uint32_t)load_proc_random(proc, applied);
        to = from + 1;
    }
    for (uint32_t i = from; i < to; i++) {
        const uint8_t *at = tile->updates + (size_t)i * WS_UPDATE_LEN;
        uint16_t offset = bytes_get_u16(at);
        int64_t age_us = load_seen_age_us(proc->seen, geom_x(geom, tile->tile, offset),
                                          geom_y(geom, tile->tile, offset), at[2], now);
        if (age_us >= 0)
            hist_add(&proc->stats->seen_us, (uint64_t)age_us);
    }
}

int load_view_on_tile(struct load_conn *conn, const struct load_frame *frame, struct monotime now)
{
    struct load_view *view = conn->view;
    struct load_stats *stats = conn->proc->stats;
    struct ws_tile tile;
    if (ws_decode_tile(frame->payload, frame->len, &tile) != 0)
        return ERR_MALFORMED;
    int64_t place = place_of(view, tile.tile);
    if (place < 0)
        return ERR_MALFORMED;
    struct watched *watched = &view->tiles[place];
    int64_t applied = view->replicas != NULL ? apply(&view->replicas[place], &tile, conn->proc->canvas->colors)
                                             : follow(&watched->pos, &tile);
    stats->tile_frames++;
    stats->updates += tile.count;
    if (applied == IMPOSSIBLE)
        return ERR_MALFORMED;
    if (view->replicas != NULL)
        watched->pos = view->replicas[place].pos;
    if (applied < 0) {
        ask_again(conn, (uint32_t)place);
        return 0;
    }
    if (applied == 0)
        return 0;
    watched->asked = false;
    measure(conn, &tile, (uint32_t)applied, now);
    return 0;
}

static int load_replica(struct load_conn *conn, uint32_t place, const struct ws_snapshot *snapshot)
{
    uint8_t px[GEOM_EDGE_MAX * GEOM_EDGE_MAX];
    uLongf len = sizeof px;
    const uint8_t *data = px;
    struct replica *replica = &conn->view->replicas[place];
    if (snapshot->encoding != ENCODING_ZLIB) {
        data = snapshot->data;
        len = snapshot->len;
    } else if (uncompress(px, &len, snapshot->data, snapshot->len) != Z_OK) {
        return ERR_MALFORMED;
    }
    if (replica_load(replica, snapshot->pos, data, len) != 0)
        return ERR_MALFORMED;
    if (replica->checksum != snapshot->checksum)
        conn->proc->stats->bad_checksums++;
    return 0;
}

int load_view_on_snapshot(struct load_conn *conn, const struct load_frame *frame)
{
    struct load_view *view = conn->view;
    struct ws_snapshot snapshot;
    if (ws_decode_snapshot(frame->payload, frame->len, &snapshot) != 0)
        return ERR_MALFORMED;
    int64_t place = place_of(view, snapshot.tile);
    if (place < 0)
        return ERR_MALFORMED;
    conn->proc->stats->snapshots++;
    view->tiles[place] = (struct watched){.pos = snapshot.pos};
    return view->replicas != NULL ? load_replica(conn, (uint32_t)place, &snapshot) : 0;
}

// ---- Comparing ----------------------------------------------------------------------------------------------------

struct load_view_difference load_view_compare(const struct load_view *view, const struct load_tiles *tiles)
{
    struct load_view_difference difference = {0};
    for (uint32_t i = 0; i < view->count; i++) {
        if (!position_equal(view->tiles[i].pos, tiles->positions[view->first + i])) {
            difference.behind++;
            continue;
        }
        const uint8_t *theirs = load_tiles_px(tiles, view->first + i);
        for (uint32_t at = 0; view->replicas != NULL && at < view->replicas[i].len; at++)
            difference.pixels += view->replicas[i].px[at] != theirs[at];
    }
    return difference;
}

uint64_t load_view_mismatches(const struct load_view *view, const struct load_image *image)
{
    uint64_t mismatches = 0;
    for (uint32_t i = 0; i < view->count && view->replicas != NULL; i++) {
        struct tile tile = geom_tile_at(&view->geom, view->first + i);
        for (uint32_t at = 0; at < view->replicas[i].len; at++) {
            if (!geom_has_offset(&view->geom, tile, at))
                continue;
            size_t place = (size_t)geom_y(&view->geom, tile, (uint16_t)at) * image->width +
                           geom_x(&view->geom, tile, (uint16_t)at);
            mismatches += image->px[place] != LOAD_TRANSPARENT && image->px[place] != view->replicas[i].px[at];
        }
    }
    return mismatches;
}
