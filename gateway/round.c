// Rounds of the fan-out: from a lane's dirty tiles to one write per synced client.

#include <stdlib.h>

#include "gateway/fanout.h"
#include "gateway/frames.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"

// Rounds may take four fifths of the time: a lane's next begins no earlier than so many per cent of the cost of all
// lanes after its last one began. What a client waits is half a tick in the mean, so it pays to use the time there is;
// draws come between the slices anyway.
#define TICK_PERCENT_OF_COST 125

// ---- Beginning -----------------------------------------------------------------------------------------------------

// What brings synced clients from sent to the replica. NULL: not now; the tile waits for its snapshot, or stays dirty
// for want of memory.
static struct shared_buf *tile_frame(struct fanout *fanout, struct lane *lane, struct held_out *out)
{
    struct held *held = out->held;
    struct position now = held->replica.pos;
    if (ring_has(&held->ring, out->sent))
        return frames_tile(&held->ring, held->tile, out->sent, now);
    struct shared_buf *snapshot = fanout_usable_snapshot(fanout, held);
    if (snapshot == NULL) {
        if (held->snapshot.asked)
            fanout_stall(lane, out);
        return NULL;
    }
    fanout->stats.snapshots++;
    if (position_equal(held->snapshot.pos, now))
        return shared_buf_ref(snapshot);
    struct shared_buf *rest = frames_tile(&held->ring, held->tile, held->snapshot.pos, now);
    struct shared_buf *both = rest != NULL ? frames_join((struct shared_buf *[]){snapshot, rest}, 2) : NULL;
    shared_buf_unref(rest);
    return both;
}

static void take_audiences(struct fanout *fanout, const struct interest_slots *watchers)
{
    for (uint32_t i = 0; i < watchers->count; i++) {
        struct audience *audience = watchers->slots[i].audience;
        if (audience->pinned)
            continue;
        audience->pinned = true;
        fanout->audiences[fanout->audience_count++] = audience;
    }
}

static void take_tile(struct fanout *fanout, struct lane *lane, struct held_out *out)
{
    const struct interest_slots *watchers = &out->held->watchers.lanes[lane - fanout->lanes];
    struct position now = out->held->replica.pos;
    if (watchers->count == 0 || position_equal(out->sent, now)) {
        out->sent = now;
        fanout_drop_deltas(fanout, out);
        fanout_make_clean(lane, out);
        return;
    }
    struct shared_buf *frame = tile_frame(fanout, lane, out);
    if (frame == NULL)
        return;
    fanout_make_clean(lane, out);
    out->frame = frame;
    out->before = out->sent;
    out->sent = now;
    out->round = lane->round;
    fanout_drop_deltas(fanout, out);
    if (fanout->stats.lagging > 0)
        fanout_keep_delta(fanout, out, out->before, frame);
    fanout->oldest = monotime_min(fanout->oldest, out->since);
    TAILQ_INSERT_TAIL(&fanout->round_tiles, out, round_link);
    take_audiences(fanout, watchers);
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

void round_begin(struct fanout *fanout, struct lane *lane, struct monotime now)
{
    lane->next = monotime_add_ms(now, fanout->options.tick_min_ms);
    fanout->now = lane;
    if (!reserve_audiences(fanout))
        return;
    lane->round++;
    fanout->audience_count = fanout->at = fanout->client_at = 0;
    fanout->started = fanout->oldest = now;
    fanout->spent_us = 0;
    struct held_out *out, *following;
    for (out = TAILQ_FIRST(&lane->dirty); out != NULL; out = following) {
        following = TAILQ_NEXT(out, dirty_link);
        take_tile(fanout, lane, out);
    }
    fanout->active = fanout->audience_count > 0;
    if (fanout->active)
        fanout_wake_lane(fanout, lane);
}

// ---- Going round ---------------------------------------------------------------------------------------------------

// What the round has for the audience: one tile's frame as it is, several joined. NULL without memory.
static struct shared_buf *audience_buf(const struct audience *audience, uint32_t *count)
{
    struct shared_buf *frames[LIMIT_WATCH_TILES];
    *count = 0;
    for (uint32_t i = 0; i < audience->count; i++) {
        const struct held_out *out = &audience->watches[i].held->outs[audience->lane];
        if (out->frame != NULL)
            frames[(*count)++] = out->frame;
    }
    return *count == 1 ? shared_buf_ref(frames[0]) : frames_join(frames, *count);
}

static void fall_behind(struct fanout *fanout, struct hub_client *client, enum lag_queue queue)
{
    if (pump_start(fanout, client, queue) == 0)
        return;
    client->round = fanout->now->round;
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
        client->round = fanout->now->round;
        fanout->stats.frames += fanout->buf_tiles;
        fanout_count_write(fanout, fanout->buf);
        break;
    case WS_WRITE_FULL:
        fanout->stats.full_sockets++;
        fall_behind(fanout, client, LAG_BLOCKED);
        break;
    case WS_WRITE_DEAD:
        client->round = fanout->now->round;
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
        fanout->buf = audience_buf(audience, &fanout->buf_tiles);
    while (budget > 0 && fanout->client_at < audience->used) {
        struct hub_client *client = audience->clients[fanout->client_at++];
        if (client == NULL || client->lag != NULL || client->round == fanout->now->round)
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
    struct held_out *out;
    while ((out = TAILQ_FIRST(&fanout->round_tiles)) != NULL) {
        TAILQ_REMOVE(&fanout->round_tiles, out, round_link);
        shared_buf_unref(out->frame);
        out->frame = NULL;
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

// What the last round of each lane that still has clients took.
static int64_t cost_of_all(const struct fanout *fanout)
{
    int64_t us = 0;
    for (unsigned i = 0; i < FANOUT_LANES; i++)
        us += fanout->interest->lane_members[i] > 0 ? fanout->lanes[i].cost_us : 0;
    return us;
}

void round_account(struct fanout *fanout, struct monotime now)
{
    struct fanout_stats *stats = &fanout->stats;
    fanout->now->cost_us = fanout->spent_us;
    int64_t tick_us = cost_of_all(fanout) * TICK_PERCENT_OF_COST / 100;
    int64_t min_us = (int64_t)fanout->options.tick_min_ms * 1000;
    int64_t max_us = (int64_t)fanout->options.tick_max_ms * 1000;
    tick_us = tick_us < min_us ? min_us : tick_us;
    stats->tick_us = tick_us > max_us ? max_us : tick_us;
    fanout->now->next = monotime_add_us(fanout->started, stats->tick_us);
    fanout->ended = false;
    int64_t round_us = monotime_diff_us(now, fanout->started);
    int64_t delay_us = monotime_diff_us(now, fanout->oldest);
    hist_add(&stats->round_us, round_us > 0 ? (uint64_t)round_us : 0);
    hist_add(&stats->delay_us, delay_us > 0 ? (uint64_t)delay_us : 0);
}
