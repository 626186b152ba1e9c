#include "gateway/fanout.h"

#include <stdlib.h>

#include "gateway/frames.h"
#include "gateway/ws_conn.h"

// A snapshot that is further behind than this is used, and a new one is asked for.
#define SNAPSHOT_STALE_UPDATES 1024u
#define COMPLAIN_EVERY_MS 500

void fanout_init(struct fanout *fanout, struct interest *interest, const struct fanout_options *options)
{
    *fanout = (struct fanout){.interest = interest, .options = *options};
    fanout->stats.tick_us = (int64_t)options->tick_min_ms * 1000;
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        struct lane *lane = &fanout->lanes[i];
        TAILQ_INIT(&lane->dirty);
        TAILQ_INIT(&lane->stalled);
        TAILQ_INIT(&lane->waiting);
    }
    TAILQ_INIT(&fanout->round_tiles);
    TAILQ_INIT(&fanout->ready);
    TAILQ_INIT(&fanout->blocked);
    fanout->now = &fanout->lanes[FANOUT_LANES - 1]; // the first is the next
}

void fanout_fini(struct fanout *fanout)
{
    shared_buf_unref(fanout->buf);
    free(fanout->audiences);
    *fanout = (struct fanout){0};
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static void drop(struct fanout *fanout, struct shared_buf **kept)
{
    if (*kept == NULL)
        return;
    fanout->kept_bytes -= (*kept)->len;
    shared_buf_unref(*kept);
    *kept = NULL;
}

static void keep(struct fanout *fanout, struct shared_buf **kept, struct shared_buf *buf)
{
    drop(fanout, kept);
    fanout->kept_bytes += buf->len;
    *kept = shared_buf_ref(buf);
}

void fanout_drop_deltas(struct fanout *fanout, struct held_out *out)
{
    for (unsigned i = 0; i < HELD_DELTAS; i++)
        drop(fanout, &out->deltas[i].buf);
}

void fanout_keep_delta(struct fanout *fanout, struct held_out *out, struct position from, struct shared_buf *buf)
{
    struct held_delta *delta = &out->deltas[out->next_delta++ % HELD_DELTAS];
    keep(fanout, &delta->buf, buf);
    delta->from = from;
}

static void make_dirty(struct fanout *fanout, struct lane *lane, struct held_out *out, struct monotime now)
{
    if (out->dirty || out->stalled)
        return;
    out->dirty = true;
    out->since = now;
    TAILQ_INSERT_TAIL(&lane->dirty, out, dirty_link);
    fanout->options.on_work(fanout->options.arg);
}

void fanout_make_clean(struct lane *lane, struct held_out *out)
{
    if (out->dirty)
        TAILQ_REMOVE(&lane->dirty, out, dirty_link);
    if (out->stalled)
        TAILQ_REMOVE(&lane->stalled, out, dirty_link);
    out->dirty = out->stalled = false;
}

void fanout_stall(struct lane *lane, struct held_out *out)
{
    fanout_make_clean(lane, out);
    out->stalled = true;
    TAILQ_INSERT_TAIL(&lane->stalled, out, dirty_link);
}

static void unstall(struct fanout *fanout, struct lane *lane, struct held_out *out)
{
    if (!out->stalled)
        return;
    fanout_make_clean(lane, out);
    out->dirty = true;
    TAILQ_INSERT_TAIL(&lane->dirty, out, dirty_link);
    fanout->options.on_work(fanout->options.arg);
}

void fanout_loaded(struct fanout *fanout, struct held *held)
{
    held->ready = true;
    held->generation = ++fanout->generations;
    for (unsigned i = 0; i < FANOUT_LANES; i++)
        held->outs[i].sent = held->replica.pos;
    fanout_wake(fanout);
}

void fanout_replaced(struct fanout *fanout, struct held *held, struct monotime now)
{
    held->generation = ++fanout->generations;
    held->snapshot.asked = false;
    drop(fanout, &held->snapshot.frame);
    pump_invalidate(fanout, held);
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        struct held_out *out = &held->outs[i];
        out->sent = out->before = FANOUT_NOWHERE;
        fanout_drop_deltas(fanout, out);
        unstall(fanout, &fanout->lanes[i], out);
        make_dirty(fanout, &fanout->lanes[i], out, now);
    }
}

static void lane_updated(struct fanout *fanout, struct lane *lane, struct held_out *out, struct monotime now)
{
    make_dirty(fanout, lane, out, now);
    // A tick that waits longer would find its beginning fallen out of the ring.
    const struct held *held = out->held;
    uint32_t unsent = held->replica.pos.seq - out->sent.seq;
    if (!out->stalled && unsent > held->ring.max / 2 && monotime_before(now, lane->next))
        lane->next = now;
}

void fanout_updated(struct fanout *fanout, struct held *held, struct monotime now)
{
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        struct held_out *out = &held->outs[i];
        if (held->watchers.lanes[i].count > 0) {
            lane_updated(fanout, &fanout->lanes[i], out, now);
            continue;
        }
        // Where nobody watches it, nobody depends on what was sent.
        out->sent = held->replica.pos;
        fanout_drop_deltas(fanout, out);
    }
}

void fanout_snapshot(struct fanout *fanout, struct held *held, struct shared_buf *buf, struct position pos)
{
    held->snapshot.asked = false;
    if (buf != NULL) {
        keep(fanout, &held->snapshot.frame, buf);
        held->snapshot.pos = pos;
    }
    for (unsigned i = 0; i < FANOUT_LANES; i++)
        unstall(fanout, &fanout->lanes[i], &held->outs[i]);
    fanout_wake(fanout);
}

void fanout_forget(struct fanout *fanout, struct held *held)
{
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        struct held_out *out = &held->outs[i];
        fanout_make_clean(&fanout->lanes[i], out);
        fanout_drop_deltas(fanout, out);
        if (out->frame == NULL)
            continue;
        TAILQ_REMOVE(&fanout->round_tiles, out, round_link);
        shared_buf_unref(out->frame);
        out->frame = NULL;
    }
    drop(fanout, &held->snapshot.frame);
}

struct shared_buf *fanout_delta(struct fanout *fanout, struct held_out *out, struct position from)
{
    const struct held *held = out->held;
    for (unsigned i = 0; i < HELD_DELTAS; i++) {
        if (out->deltas[i].buf != NULL && position_equal(out->deltas[i].from, from))
            return shared_buf_ref(out->deltas[i].buf);
    }
    struct shared_buf *buf = frames_tile(&held->ring, held->tile, from, out->sent);
    if (buf != NULL)
        fanout_keep_delta(fanout, out, from, buf);
    return buf;
}

static void ask_snapshot(struct fanout *fanout, struct held *held)
{
    if (!held->snapshot.asked)
        held->snapshot.asked = fanout->options.ask_snapshot(held, fanout->options.arg);
}

struct shared_buf *fanout_usable_snapshot(struct fanout *fanout, struct held *held)
{
    const struct held_snapshot *snapshot = &held->snapshot;
    bool usable = snapshot->frame != NULL && ring_has(&held->ring, snapshot->pos);
    if (!usable || held->replica.pos.seq - snapshot->pos.seq > SNAPSHOT_STALE_UPDATES)
        ask_snapshot(fanout, held);
    return usable ? snapshot->frame : NULL;
}

void fanout_count_write(struct fanout *fanout, const struct shared_buf *buf)
{
    fanout->stats.writes++;
    fanout->stats.bytes += buf->len;
}

// ---- Time ----------------------------------------------------------------------------------------------------------

struct monotime fanout_due(const struct fanout *fanout, struct monotime now)
{
    if (fanout->active || pump_has_work(fanout))
        return now;
    struct monotime due = MONOTIME_NEVER;
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        if (!TAILQ_EMPTY(&fanout->lanes[i].dirty))
            due = monotime_min(due, fanout->lanes[i].next);
    }
    return monotime_before(due, now) ? now : due;
}

// The lane whose round may begin for the longest time; of several, the first after the last one that did. NULL if none.
static struct lane *due_lane(struct fanout *fanout, struct monotime now)
{
    struct lane *due = NULL;
    size_t last = (size_t)(fanout->now - fanout->lanes);
    for (size_t i = 1; i <= FANOUT_LANES; i++) {
        struct lane *lane = &fanout->lanes[(last + i) % FANOUT_LANES];
        if (TAILQ_EMPTY(&lane->dirty) || !monotime_reached(lane->next, now))
            continue;
        if (due == NULL || monotime_before(lane->next, due->next))
            due = lane;
    }
    return due;
}

void fanout_run(struct fanout *fanout, struct monotime now)
{
    struct lane *lane;
    for (unsigned tries = 0; tries < FANOUT_LANES && !fanout->active; tries++) {
        if ((lane = due_lane(fanout, now)) == NULL)
            break;
        round_begin(fanout, lane, now);
    }
    if (fanout->active)
        round_slice(fanout);
    pump_run(fanout);
}

void fanout_spent(struct fanout *fanout, int64_t us, struct monotime now)
{
    fanout->spent_us += us;
    if (fanout->ended)
        round_account(fanout, now);
}

void fanout_wake_lane(struct fanout *fanout, struct lane *lane)
{
    lane->woken = true;
    fanout->options.on_work(fanout->options.arg);
}

void fanout_wake(struct fanout *fanout)
{
    for (unsigned i = 0; i < FANOUT_LANES; i++)
        fanout_wake_lane(fanout, &fanout->lanes[i]);
}

void fanout_sweep(struct fanout *fanout, struct monotime now)
{
    if (fanout->starved)
        fanout_wake(fanout);
    fanout->starved = false;
    if (!monotime_reached(fanout->complain_at, now))
        return;
    fanout->complain_at = monotime_add_ms(now, COMPLAIN_EVERY_MS);
    pump_complain(fanout, now);
}
