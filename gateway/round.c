// Rounds of the fan-out: from dirty tiles to one write per synced client.

#include <stdlib.h>

#include "gateway/fanout.h"
#include "gateway/frames.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"

// Rounds may take two thirds of the time: the next begins no earlier than so many per cent of its cost after its
// beginning. What a client waits is half a tick and half a round in the mean, so it pays to use the time there is;
// draws come between the slices anyway.
#define TICK_PERCENT_OF_COST 150

// ---- Beginning -----------------------------------------------------------------------------------------------------

// What brings synced clients from sent to the replica. NULL: not now; the tile waits for its snapshot, or stays dirty
// for want of memory.
static struct shared_buf *tile_frame(struct fanout *fanout, struct held *held)
{
    struct held_out *out = &held->out;
    struct position now = held->replica.pos;
    if (ring_has(&held->ring, out->sent))
        return frames_tile(&held->ring, held->tile, out->sent, now);
    struct shared_buf *snapshot = fanout_usable_snapshot(fanout, held);
    if (snapshot == NULL) {
        if (out->snapshot_asked)
            fanout_stall(fanout, held);
        return NULL;
    }
    fanout->stats.snapshots++;
    if (position_equal(out->snapshot_pos, now))
        return shared_buf_ref(snapshot);
    struct shared_buf *rest = frames_tile(&held->ring, held->tile, out->snapshot_pos, now);
    struct shared_buf *both = rest != NULL ? frames_join((struct shared_buf *[]){snapshot, rest}, 2) : NULL;
    shared_buf_unref(rest);
    return both;
}

static void take_audiences(struct fanout *fanout, const struct held *held)
{
    for (uint32_t i = 0; i < held->watchers.count; i++) {
        struct audience *audience = held->watchers.slots[i].audience;
        if (audience->pinned)
            continue;
        audience->pinned = true;
        fanout->audiences[fanout->audience_count++] = audience;
    }
}

static void take_tile(struct fanout *fanout, struct held *held)
{
    struct held_out *out = &held->out;
    struct position now = held->replica.pos;
    if (held->watchers.count == 0 || position_equal(out->sent, now)) {
        out->sent = now;
        fanout_drop_deltas(fanout, out);
        fanout_make_clean(fanout, held);
        return;
    }
    struct shared_buf *frame = tile_frame(fanout, held);
    if (frame == NULL)
        return;
    fanout_make_clean(fanout, held);
    out->frame = frame;
    out->before = out->sent;
    out->sent = now;
    out->round = fanout->round;
    fanout_drop_deltas(fanout, out);
    if (fanout->stats.lagging > 0)
        fanout_keep_delta(fanout, out, out->before, frame);
    fanout->oldest = monotime_min(fanout->oldest, out->since);
    TAILQ_INSERT_TAIL(&fanout->round_tiles, held, out.round_link);
    take_audiences(fanout, held);
}

// All audiences may be in it.
static bool reserve_audiences(struct fanout *fanout)
{
    uint32_t count = fanout->interest->count;
    if (count <= fanout->audience_capacity)
        return true;
    uint32_t capacity = count + count / 4 + 16;
    struct audience **audiences = realloc(fanout->audiences, capacity * sizeof(struct audience *));
    if (audiences == NULL)
        return false;
    fanout->audiences = audiences;
    fanout->audience_capacity = capacity;
    return true;
}

void round_begin(struct fanout *fanout, struct monotime now)
{
    fanout->next = monotime_add_ms(now, fanout->options.tick_min_ms);
    if (!reserve_audiences(fanout))
        return;
    fanout->round++;
    fanout->audience_count = fanout->at = fanout->client_at = 0;
    fanout->started = fanout->oldest = now;
    fanout->spent_us = 0;
    struct held *held, *following;
    for (held = TAILQ_FIRST(&fanout->dirty); held != NULL; held = following) {
        following = TAILQ_NEXT(held, out.dirty_link);
        take_tile(fanout, held);
    }
    fanout->active = fanout->audience_count > 0;
    if (fanout->active)
        fanout_wake(fanout);
}

// ---- Going round ---------------------------------------------------------------------------------------------------

// What the round has for the audience: one tile's frame as it is, several joined. NULL without memory.
static struct shared_buf *audience_buf(const struct fanout *fanout, const struct audience *audience, uint32_t *count)
{
    struct shared_buf *frames[LIMIT_WATCH_TILES];
    *count = 0;
    for (uint32_t i = 0; i < audience->count; i++) {
        const struct held_out *out = &audience->watches[i].held->out;
        if (out->frame != NULL && out->round == fanout->round)
            frames[(*count)++] = out->frame;
    }
    return *count == 1 ? shared_buf_ref(frames[0]) : frames_join(frames, *count);
}

static void fall_behind(struct fanout *fanout, struct hub_client *client, enum lag_queue queue)
{
    if (pump_start(fanout, client, queue) == 0)
        return;
    client->round = fanout->round;
    ws_conn_close(client->conn, WS_CLOSE_SLOW, "no memory for a lagging client");
}

static void serve(struct fanout *fanout, struct hub_client *client)
{
    if (fanout->buf == NULL) {
        fall_behind(fanout, client, LAG_READY);
        return;
    }
    switch (ws_conn_write_shared(client->conn, fanout->buf, 0)) {
    case WS_WRITE_TAKEN:
        client->round = fanout->round;
        fanout->stats.frames += fanout->buf_tiles;
        fanout_count_write(fanout, fanout->buf);
        break;
    case WS_WRITE_FULL:
        fanout->stats.full_sockets++;
        fall_behind(fanout, client, LAG_BLOCKED);
        break;
    case WS_WRITE_DEAD:
        client->round = fanout->round;
        break;
    }
}

static void finish_audience(struct fanout *fanout, struct audience *audience)
{
    shared_buf_unref(fanout->buf);
    fanout->buf = NULL;
    fanout->at++;
    fanout->client_at = 0;
    audience->pinned = false;
    interest_settle(fanout->interest, audience);
}

// Serves at most `budget` clients of the audience that is due; returns what is left of the budget.
static uint32_t serve_audience(struct fanout *fanout, uint32_t budget)
{
    struct audience *audience = fanout->audiences[fanout->at];
    if (fanout->client_at == 0 && fanout->buf == NULL)
        fanout->buf = audience_buf(fanout, audience, &fanout->buf_tiles);
    while (budget > 0 && fanout->client_at < audience->used) {
        struct hub_client *client = audience->clients[fanout->client_at++];
        if (client == NULL || client->lag != NULL || client->round == fanout->round)
            continue;
        serve(fanout, client);
        budget--;
    }
    if (fanout->client_at < audience->used)
        return 0;
    finish_audience(fanout, audience);
    // An audience costs something too, be it only of one.
    return budget > 0 ? budget - 1 : 0;
}

static void round_end(struct fanout *fanout)
{
    struct held *held;
    while ((held = TAILQ_FIRST(&fanout->round_tiles)) != NULL) {
        TAILQ_REMOVE(&fanout->round_tiles, held, out.round_link);
        shared_buf_unref(held->out.frame);
        held->out.frame = NULL;
    }
    fanout->stats.rounds++;
    fanout->active = false;
    fanout->ended = true;
}

void round_slice(struct fanout *fanout)
{
    uint32_t budget = fanout->options.slice_clients;
    while (budget > 0 && fanout->at < fanout->audience_count)
        budget = serve_audience(fanout, budget);
    if (fanout->at == fanout->audience_count)
        round_end(fanout);
}

void round_account(struct fanout *fanout, struct monotime now)
{
    struct fanout_stats *stats = &fanout->stats;
    int64_t tick_us = fanout->spent_us * TICK_PERCENT_OF_COST / 100;
    int64_t min_us = (int64_t)fanout->options.tick_min_ms * 1000;
    int64_t max_us = (int64_t)fanout->options.tick_max_ms * 1000;
    tick_us = tick_us < min_us ? min_us : tick_us;
    stats->tick_us = tick_us > max_us ? max_us : tick_us;
    fanout->next = monotime_add_us(fanout->started, stats->tick_us);
    fanout->ended = false;
    int64_t round_us = monotime_diff_us(now, fanout->started);
    int64_t delay_us = monotime_diff_us(now, fanout->oldest);
    hist_add(&stats->round_us, round_us > 0 ? (uint64_t)round_us : 0);
    hist_add(&stats->delay_us, delay_us > 0 ? (uint64_t)delay_us : 0);
}
