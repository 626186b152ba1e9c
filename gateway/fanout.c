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
    TAILQ_INIT(&fanout->dirty);
    TAILQ_INIT(&fanout->stalled);
    TAILQ_INIT(&fanout->round_tiles);
    for (unsigned i = 0; i < 3; i++)
        TAILQ_INIT(&fanout->queues[i]);
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

static void make_dirty(struct fanout *fanout, struct held *held, struct monotime now)
{
    struct held_out *out = &held->out;
    if (out->dirty || out->stalled)
        return;
    out->dirty = true;
    out->since = now;
    TAILQ_INSERT_TAIL(&fanout->dirty, held, out.dirty_link);
    fanout->options.on_work(fanout->options.arg);
}

void fanout_make_clean(struct fanout *fanout, struct held *held)
{
    struct held_out *out = &held->out;
    if (out->dirty)
        TAILQ_REMOVE(&fanout->dirty, held, out.dirty_link);
    if (out->stalled)
        TAILQ_REMOVE(&fanout->stalled, held, out.dirty_link);
    out->dirty = out->stalled = false;
}

void fanout_stall(struct fanout *fanout, struct held *held)
{
    fanout_make_clean(fanout, held);
    held->out.stalled = true;
    TAILQ_INSERT_TAIL(&fanout->stalled, held, out.dirty_link);
}

static void unstall(struct fanout *fanout, struct held *held)
{
    if (!held->out.stalled)
        return;
    fanout_make_clean(fanout, held);
    held->out.dirty = true;
    TAILQ_INSERT_TAIL(&fanout->dirty, held, out.dirty_link);
    fanout->options.on_work(fanout->options.arg);
}

void fanout_loaded(struct fanout *fanout, struct held *held)
{
    held->out.ready = true;
    held->out.generation = ++fanout->generations;
    held->out.sent = held->replica.pos;
    fanout_wake(fanout);
}

void fanout_replaced(struct fanout *fanout, struct held *held, struct monotime now)
{
    struct held_out *out = &held->out;
    out->generation = ++fanout->generations;
    out->snapshot_asked = false;
    out->sent = FANOUT_NOWHERE;
    out->before = FANOUT_NOWHERE;
    fanout_drop_deltas(fanout, out);
    drop(fanout, &out->snapshot);
    pump_invalidate(fanout, held);
    unstall(fanout, held);
    make_dirty(fanout, held, now);
}

void fanout_updated(struct fanout *fanout, struct held *held, struct monotime now)
{
    make_dirty(fanout, held, now);
    // A tick that waits longer would find its beginning fallen out of the ring.
    uint32_t unsent = held->replica.pos.seq - held->out.sent.seq;
    if (!held->out.stalled && unsent > held->ring.max / 2 && monotime_before(now, fanout->next))
        fanout->next = now;
}

void fanout_snapshot(struct fanout *fanout, struct held *held, struct shared_buf *buf, struct position pos)
{
    struct held_out *out = &held->out;
    out->snapshot_asked = false;
    if (buf != NULL) {
        keep(fanout, &out->snapshot, buf);
        out->snapshot_pos = pos;
    }
    unstall(fanout, held);
    fanout_wake(fanout);
}

void fanout_forget(struct fanout *fanout, struct held *held)
{
    fanout_make_clean(fanout, held);
    if (held->out.frame != NULL) {
        TAILQ_REMOVE(&fanout->round_tiles, held, out.round_link);
        shared_buf_unref(held->out.frame);
        held->out.frame = NULL;
    }
    fanout_drop_deltas(fanout, &held->out);
    drop(fanout, &held->out.snapshot);
}

struct shared_buf *fanout_delta(struct fanout *fanout, struct held *held, struct position from)
{
    struct held_out *out = &held->out;
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
    if (!held->out.snapshot_asked)
        held->out.snapshot_asked = fanout->options.ask_snapshot(held, fanout->options.arg);
}

struct shared_buf *fanout_usable_snapshot(struct fanout *fanout, struct held *held)
{
    struct held_out *out = &held->out;
    bool usable = out->snapshot != NULL && ring_has(&held->ring, out->snapshot_pos);
    if (!usable || held->replica.pos.seq - out->snapshot_pos.seq > SNAPSHOT_STALE_UPDATES)
        ask_snapshot(fanout, held);
    return usable ? out->snapshot : NULL;
}

// ---- Clients -------------------------------------------------------------------------------------------------------

struct position fanout_position(const struct fanout *fanout, const struct hub_client *client, uint32_t index)
{
    if (client->lag != NULL)
        return client->lag->pos[index];
    const struct held_out *out = &client->audience->watches[index].held->out;
    bool not_reached = fanout->active && client->round != fanout->round && out->round == fanout->round;
    return not_reached ? out->before : out->sent;
}

// The client's positions in `audience`; returns whether they are all those of a synced client.
static bool carry_over(const struct fanout *fanout, const struct hub_client *client, const struct audience *audience,
                       const struct position *given, struct position *pos)
{
    bool synced = true;
    for (uint32_t i = 0; i < audience->count; i++) {
        const struct held *held = audience->watches[i].held;
        int old = client->audience != NULL ? interest_find(client->audience, held->key) : -1;
        pos[i] = old >= 0 ? fanout_position(fanout, client, (uint32_t)old) : given[i];
        synced = synced && held->out.ready && position_equal(pos[i], held->out.sent);
    }
    return synced;
}

int fanout_watch(struct fanout *fanout, struct hub_client *client, struct audience *audience,
                 const struct position *given)
{
    if (client->audience == audience)
        return 0;
    struct lag *lag = pump_new(client, audience->count);
    if (lag == NULL)
        goto fail;
    bool synced = carry_over(fanout, client, audience, given, lag->pos);
    if (interest_add(fanout->interest, audience, client) != 0)
        goto fail;
    pump_end(fanout, client);
    client->round = fanout->round;
    if (synced)
        free(lag);
    else
        pump_enter(fanout, lag, LAG_READY);
    return 0;

fail:
    free(lag);
    if (!audience->pinned && audience->members == 0)
        interest_settle(fanout->interest, audience);
    return ERR_NOMEM;
}

int fanout_resume(struct fanout *fanout, struct hub_client *client, uint32_t index, struct position pos)
{
    if (client->lag == NULL) {
        int err = pump_start(fanout, client, LAG_READY);
        if (err != 0)
            return err;
    }
    client->lag->pos[index] = pos;
    if (client->lag->queue == LAG_WAITING)
        pump_move(fanout, client->lag, LAG_READY);
    return 0;
}

void fanout_leave(struct fanout *fanout, struct hub_client *client)
{
    if (client->audience == NULL)
        return;
    pump_end(fanout, client);
    interest_remove(fanout->interest, client);
}

void fanout_writable(struct fanout *fanout, struct hub_client *client)
{
    if (client->lag != NULL && client->lag->queue == LAG_BLOCKED)
        pump_move(fanout, client->lag, LAG_READY);
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
    if (TAILQ_EMPTY(&fanout->dirty))
        return MONOTIME_NEVER;
    return monotime_before(fanout->next, now) ? now : fanout->next;
}

void fanout_run(struct fanout *fanout, struct monotime now)
{
    if (!fanout->active && !TAILQ_EMPTY(&fanout->dirty) && monotime_reached(fanout->next, now))
        round_begin(fanout, now);
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

void fanout_wake(struct fanout *fanout)
{
    fanout->woken = true;
    fanout->options.on_work(fanout->options.arg);
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
