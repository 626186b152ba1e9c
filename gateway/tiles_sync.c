// How a held tile is kept equal to Redis: reads of the store, and what bus and store say.

#include <stdlib.h>

#include "common/io/log.h"
#include "gateway/tiles.h"

#define RETRY_FIRST_MS 100
#define RETRY_DOUBLINGS 5u

// ---- Asking --------------------------------------------------------------------------------------------------------

static void enqueue(struct tiles *tiles, struct held *held)
{
    if (held->queue != HELD_QUEUE_NONE || held->asking != HELD_NEED_NOTHING || held->need == HELD_NEED_NOTHING)
        return;
    held->queue = HELD_QUEUE_ASK;
    TAILQ_INSERT_TAIL(&tiles->asks, held, queue_link);
    loop_defer(tiles->loop, &tiles->kick);
}

void tiles_need(struct tiles *tiles, struct held *held, enum held_need need)
{
    if (need > held->need)
        held->need = need;
    if (need >= HELD_NEED_LOG && held->loaded && held->hurt.us == MONOTIME_NEVER.us)
        held->hurt = loop_now(tiles->loop);
    enqueue(tiles, held);
}

static void retry_later(struct tiles *tiles, struct held *held, enum held_need need)
{
    uint32_t doublings = held->failures < RETRY_DOUBLINGS ? held->failures : RETRY_DOUBLINGS;
    tiles->stats.failures++;
    held->failures++;
    if (need > held->need)
        held->need = need;
    held->again_at = monotime_add_ms(loop_now(tiles->loop), RETRY_FIRST_MS << doublings);
    held->queue = HELD_QUEUE_RETRY;
    TAILQ_INSERT_TAIL(&tiles->retries, held, queue_link);
}

void tiles_retry(struct tiles *tiles, struct monotime now)
{
    struct held *held, *next;
    for (held = TAILQ_FIRST(&tiles->retries); held != NULL; held = next) {
        next = TAILQ_NEXT(held, queue_link);
        if (!monotime_reached(held->again_at, now))
            continue;
        TAILQ_REMOVE(&tiles->retries, held, queue_link);
        held->queue = HELD_QUEUE_NONE;
        enqueue(tiles, held);
    }
}

void tiles_forget_reads(struct tiles *tiles, struct held *held)
{
    if (held->queue == HELD_QUEUE_ASK)
        TAILQ_REMOVE(&tiles->asks, held, queue_link);
    if (held->queue == HELD_QUEUE_RETRY)
        TAILQ_REMOVE(&tiles->retries, held, queue_link);
    if (held->asking == HELD_NEED_NOTHING)
        return;
    store_abandon(tiles->store, held);
    tiles->reads--;
}

static void on_snapshot(int err, const struct store_snapshot *snapshot, void *arg);
static void on_log(int err, const struct store_entry *entries, size_t count, void *arg);
static void on_position(int err, const struct store_position *position, void *arg);

static void read_one(struct tiles *tiles, struct held *held)
{
    tiles->reads++;
    held->asking = held->need;
    held->need = HELD_NEED_NOTHING;
    held->asked = held->replica.pos;
    if (held->asking == HELD_NEED_SNAPSHOT)
        store_snapshot(tiles->store, held->tile, on_snapshot, held);
    else if (held->asking == HELD_NEED_LOG)
        store_log(tiles->store, held->tile, held->asked.seq, REPAIR_ASK_ENTRIES, on_log, held);
    else
        store_position(tiles->store, held->tile, on_position, held);
}

void tiles_read(struct tiles *tiles)
{
    struct held *held;
    while (store_ready(tiles->store) && tiles->reads < TILES_READS_MAX && (held = TAILQ_FIRST(&tiles->asks)) != NULL) {
        TAILQ_REMOVE(&tiles->asks, held, queue_link);
        held->queue = HELD_QUEUE_NONE;
        read_one(tiles, held);
    }
}

// ---- What comes of an update ---------------------------------------------------------------------------------------

static void resync(struct tiles *tiles, struct held *held, enum resync_reason reason)
{
    tiles->stats.resyncs[reason]++;
    log_info("tile starts over", LOG_STR("reason", resync_reason_name(reason)), LOG_U64("tx", held->tile.tx),
             LOG_U64("ty", held->tile.ty), LOG_U64("seq", held->replica.pos.seq),
             LOG_U64("epoch", held->replica.pos.epoch));
    tiles_need(tiles, held, HELD_NEED_SNAPSHOT);
}

static enum held_result apply(struct tiles *tiles, struct held *held, const struct replica_update *update)
{
    struct position before = held->replica.pos;
    enum held_result result = held_apply(held, update);
    if (result == HELD_APPLIED) {
        tiles->stats.updates += held->replica.pos.seq - before.seq;
        tiles->stats.epochs += held->replica.pos.epoch != before.epoch;
        fanout_updated(tiles->fanout, held, loop_now(tiles->loop));
    } else if (result == HELD_IGNORED) {
        tiles->stats.ignored++;
    } else if (result == HELD_MALFORMED) {
        log_warn("impossible update", LOG_U64("tx", held->tile.tx), LOG_U64("ty", held->tile.ty),
                 LOG_U64("first", update->first), LOG_U64("epoch", update->epoch));
    }
    return result;
}

static void on_healed(struct tiles *tiles, struct held *held)
{
    held->attempts = 0;
    if (held->hurt.us == MONOTIME_NEVER.us)
        return;
    int64_t us = monotime_diff_us(loop_now(tiles->loop), held->hurt);
    hist_add(&tiles->stats.heal_us, us > 0 ? (uint64_t)us : 0);
    held->hurt = MONOTIME_NEVER;
}

// What was read did not lead up to what the bus has said since. That is in the store by now, so another read finds it;
// unless it is nowhere, which a snapshot and then a position settle.
static void on_still_behind(struct tiles *tiles, struct held *held)
{
    held->attempts++;
    if (held->attempts <= TILES_ATTEMPTS_MAX) {
        tiles_need(tiles, held, HELD_NEED_LOG);
    } else if (held->attempts == TILES_ATTEMPTS_MAX + 1) {
        resync(tiles, held, RESYNC_STUCK);
    } else {
        on_healed(tiles, held);
        tiles_need(tiles, held, HELD_NEED_POSITION);
    }
}

// The tile is as it was read. On with what came meanwhile.
static void catch_up(struct tiles *tiles, struct held *held)
{
    struct replica_update update;
    size_t at = 0;
    bool behind = held->pending.lost;
    if (behind)
        tiles->stats.overflows++;
    while (!behind && pending_next(&held->pending, &at, &update))
        behind = apply(tiles, held, &update) == HELD_GAP;
    pending_clear(&held->pending);
    if (behind)
        on_still_behind(tiles, held);
    else
        on_healed(tiles, held);
}

static void act(struct tiles *tiles, struct held *held, struct repair_judgement judgement)
{
    switch (judgement.action) {
    case REPAIR_NOTHING:
        break;
    case REPAIR_VERIFY:
        tiles_need(tiles, held, HELD_NEED_POSITION);
        break;
    case REPAIR_LOG:
        tiles->stats.gaps++;
        tiles_need(tiles, held, HELD_NEED_LOG);
        break;
    case REPAIR_RESYNC:
        resync(tiles, held, judgement.reason);
        break;
    }
}

// ---- Answers -------------------------------------------------------------------------------------------------------

// Whether the answer is good.
static bool answered(struct tiles *tiles, struct held *held, int err)
{
    tiles->reads--;
    loop_defer(tiles->loop, &tiles->kick);
    enum held_need asked = held->asking;
    held->asking = HELD_NEED_NOTHING;
    if (err != 0) {
        pending_clear(&held->pending);
        retry_later(tiles, held, asked);
        return false;
    }
    held->failures = 0;
    held->heard = loop_now(tiles->loop);
    return true;
}

static void on_snapshot(int err, const struct store_snapshot *snapshot, void *arg)
{
    struct held *held = arg;
    struct tiles *tiles = held->tiles;
    if (!answered(tiles, held, err))
        return;
    bool first = !held->loaded;
    if (held_load(held, snapshot->pos, snapshot->px, snapshot->len) != 0) {
        log_error("stored tile is too long", LOG_U64("tx", held->tile.tx), LOG_U64("ty", held->tile.ty),
                  LOG_U64("len", snapshot->len));
        pending_clear(&held->pending);
        retry_later(tiles, held, HELD_NEED_SNAPSHOT);
        return;
    }
    if (first)
        fanout_loaded(tiles->fanout, held);
    else
        fanout_replaced(tiles->fanout, held, loop_now(tiles->loop));
    catch_up(tiles, held);
    enqueue(tiles, held);
    if (first)
        tiles->on_loaded(tiles->arg);
}

// Whether all of them could be applied.
static bool apply_entries(struct tiles *tiles, struct held *held, const struct store_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct replica_update update = {
            .prev_epoch = held->replica.pos.epoch,
            .epoch = entries[i].epoch,
            .first = entries[i].first,
            .count = entries[i].count,
            .records = entries[i].updates,
        };
        enum held_result result = apply(tiles, held, &update);
        if (result != HELD_APPLIED && result != HELD_IGNORED)
            return false;
    }
    return true;
}

static void on_log(int err, const struct store_entry *entries, size_t count, void *arg)
{
    struct held *held = arg;
    struct tiles *tiles = held->tiles;
    if (!answered(tiles, held, err))
        return;
    struct repair_plan plan = repair_judge_log(held->replica.pos, entries, count);
    if (plan.judgement.action == REPAIR_NOTHING) {
        if (apply_entries(tiles, held, entries + plan.skip, count - plan.skip)) {
            tiles->stats.repairs++;
            catch_up(tiles, held);
        } else {
            plan.judgement = (struct repair_judgement){REPAIR_RESYNC, RESYNC_MALFORMED};
        }
    }
    if (plan.judgement.action != REPAIR_NOTHING) {
        // The snapshot, read after this, contains what came meanwhile.
        pending_clear(&held->pending);
        act(tiles, held, plan.judgement);
    }
    enqueue(tiles, held);
}

static void on_position(int err, const struct store_position *position, void *arg)
{
    struct held *held = arg;
    struct tiles *tiles = held->tiles;
    if (!answered(tiles, held, err))
        return;
    if (held->loaded && held->need < HELD_NEED_LOG)
        act(tiles, held, repair_judge_position(held->replica.pos, held->replica.checksum, held->asked, position));
    enqueue(tiles, held);
}

// ---- The bus -------------------------------------------------------------------------------------------------------

static void on_update(struct tiles *tiles, struct held *held, const struct bus_message *message)
{
    const struct replica_update update = {
        .prev_epoch = message->previous_epoch,
        .epoch = message->epoch,
        .first = message->first,
        .count = message->count,
        .records = message->updates,
    };
    if (held->asking >= HELD_NEED_LOG) {
        pending_add(&held->pending, &update);
        return;
    }
    // A read that has not begun will contain it.
    if (!held->loaded || held->need >= HELD_NEED_LOG)
        return;
    switch (apply(tiles, held, &update)) {
    case HELD_APPLIED:
    case HELD_IGNORED:
        break;
    case HELD_GAP:
        tiles->stats.gaps++;
        tiles_need(tiles, held, HELD_NEED_LOG);
        break;
    case HELD_MALFORMED:
        tiles_need(tiles, held, HELD_NEED_POSITION);
        break;
    }
}

void tiles_bus_message(struct tiles *tiles, struct tile tile, const struct bus_message *message)
{
    struct held *held = tiles_find(tiles, tile);
    if (held == NULL || held->channel != HELD_CHANNEL_OPEN)
        return; // of a subscription that was given up
    held->heard = loop_now(tiles->loop);
    if (message->type == BUS_UPDATE) {
        on_update(tiles, held, message);
        return;
    }
    bool settled = held->loaded && held->asking < HELD_NEED_LOG && held->need < HELD_NEED_LOG;
    if (message->type == BUS_POSITION && settled)
        act(tiles, held,
            repair_judge_beat(held->replica.pos, held->replica.checksum,
                              (struct position){message->epoch, message->seq}, message->checksum));
}
