#include "gateway/tiles.h"

#include <stdlib.h>

static void on_sweep(void *arg);
static void on_kick(void *arg);

void tiles_init(struct tiles *tiles, struct loop *loop, struct store *store, struct fanout *fanout,
                const struct tiles_options *options)
{
    *tiles = (struct tiles){.loop = loop, .store = store, .fanout = fanout, .options = *options};
    TAILQ_INIT(&tiles->all);
    TAILQ_INIT(&tiles->lingering);
    TAILQ_INIT(&tiles->channels);
    TAILQ_INIT(&tiles->asks);
    TAILQ_INIT(&tiles->retries);
    loop_timer_init(&tiles->sweep, loop, on_sweep, tiles);
    loop_deferred_init(&tiles->kick, on_kick, tiles);
}

void tiles_configure(struct tiles *tiles, const struct geom *geom)
{
    bool first = tiles->len == 0;
    tiles->geom = *geom;
    tiles->len = geom_tile_len(geom);
    tiles->cost = held_cost(tiles->len, tiles->options.ring_updates);
    if (first)
        loop_timer_arm_ms(&tiles->sweep, TILES_SWEEP_MS);
}

struct held *tiles_find(const struct tiles *tiles, struct tile tile)
{
    uint32_t key = tile_key(tile);
    struct held *held;
    HASH_FIND(hh, tiles->table, &key, sizeof key, held);
    return held;
}

size_t tiles_bytes(const struct tiles *tiles)
{
    size_t bytes = tiles->fanout->kept_bytes + tiles->fanout->interest->bytes;
    const struct held *held;
    TAILQ_FOREACH(held, &tiles->all, all_link)
    bytes += held_bytes(held);
    return bytes;
}

// ---- Holding and forgetting ----------------------------------------------------------------------------------------

static void open_channel(struct tiles *tiles, struct held *held)
{
    if (held->channel != HELD_CHANNEL_NONE || !bus_is_up(tiles->bus))
        return;
    held->channel = HELD_CHANNEL_QUEUED;
    TAILQ_INSERT_TAIL(&tiles->channels, held, channel_link);
    loop_defer(tiles->loop, &tiles->kick);
}

static struct held *begin(struct tiles *tiles, struct tile tile)
{
    struct held *held = held_new(tile, tiles->len, tiles->options.ring_updates);
    if (held == NULL)
        return NULL;
    HASH_ADD(hh, tiles->table, key, sizeof held->key, held);
    if (held->hh.tbl == NULL) {
        held_free(held);
        return NULL;
    }
    tiles->count++;
    held->tiles = tiles;
    held->heard = loop_now(tiles->loop);
    TAILQ_INSERT_TAIL(&tiles->all, held, all_link);
    open_channel(tiles, held);
    return held;
}

static void forget(struct tiles *tiles, struct held *held)
{
    if (held->channel == HELD_CHANNEL_QUEUED)
        TAILQ_REMOVE(&tiles->channels, held, channel_link);
    if (held->channel == HELD_CHANNEL_OPEN)
        bus_unsubscribe(tiles->bus, held->tile);
    if (held->lingering)
        TAILQ_REMOVE(&tiles->lingering, held, linger_link);
    tiles_forget_reads(tiles, held);
    fanout_forget(tiles->fanout, held);
    TAILQ_REMOVE(&tiles->all, held, all_link);
    HASH_DEL(tiles->table, held);
    tiles->count--;
    held_free(held);
}

void tiles_fini(struct tiles *tiles)
{
    struct held *held;
    loop_timer_disarm(&tiles->sweep);
    loop_deferred_cancel(&tiles->kick);
    while ((held = TAILQ_FIRST(&tiles->all)) != NULL) {
        if (held->channel == HELD_CHANNEL_OPEN)
            held->channel = HELD_CHANNEL_NONE; // the connection goes anyway
        forget(tiles, held);
    }
}

void tiles_unwatched(struct tiles *tiles, struct held *held)
{
    if (held->pins > 0 || held->watchers.count > 0 || held->lingering)
        return;
    held->lingering = true;
    held->unwatched = loop_now(tiles->loop);
    TAILQ_INSERT_TAIL(&tiles->lingering, held, linger_link);
}

static void pin(struct tiles *tiles, struct held *held)
{
    held->pins++;
    if (held->lingering)
        TAILQ_REMOVE(&tiles->lingering, held, linger_link);
    held->lingering = false;
}

static void unpin(struct tiles *tiles, struct held *held)
{
    held->pins--;
    tiles_unwatched(tiles, held);
}

// A subscription that is under way is waited for: the next one of the same channel could not be told from it.
static bool may_go(const struct held *held)
{
    return held->channel != HELD_CHANNEL_ASKED;
}

static struct held *oldest_lingering(const struct tiles *tiles)
{
    struct held *held;
    TAILQ_FOREACH(held, &tiles->lingering, linger_link)
    {
        if (may_go(held))
            return held;
    }
    return NULL;
}

static bool over(const struct tiles *tiles, uint32_t count, size_t going)
{
    size_t of_clients = tiles->fanout->kept_bytes + tiles->fanout->interest->bytes;
    return (size_t)count * tiles->cost + of_clients > tiles->options.memory + going;
}

// Lingering tiles give way, the oldest first, until there is room for `more`, without those that are `going`.
static bool make_room(struct tiles *tiles, uint32_t more, uint32_t going)
{
    struct held *held;
    while (over(tiles, tiles->count + more - going, 0)) {
        if ((held = oldest_lingering(tiles)) == NULL)
            return false;
        forget(tiles, held);
    }
    return true;
}

bool tiles_make_room(struct tiles *tiles, size_t going)
{
    struct held *held;
    while (over(tiles, tiles->count, going)) {
        if ((held = oldest_lingering(tiles)) == NULL)
            return false;
        forget(tiles, held);
    }
    return true;
}

int tiles_hold(struct tiles *tiles, const struct tile *wanted, uint32_t count, uint32_t going, struct held **out)
{
    uint32_t missing = 0;
    int err = ERR_FULL;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = tiles_find(tiles, wanted[i]);
        if (out[i] != NULL)
            pin(tiles, out[i]);
        else
            missing++;
    }
    if (missing > 0 && !make_room(tiles, missing, going))
        goto fail;
    for (uint32_t i = 0; i < count; i++) {
        if (out[i] != NULL)
            continue;
        out[i] = begin(tiles, wanted[i]);
        if (out[i] == NULL) {
            err = ERR_NOMEM;
            goto fail;
        }
        pin(tiles, out[i]);
    }
    return 0;

fail:
    for (uint32_t i = 0; i < count; i++) {
        if (out[i] != NULL)
            unpin(tiles, out[i]);
    }
    return err;
}

void tiles_release(struct tiles *tiles, struct held *const *helds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        unpin(tiles, helds[i]);
    // What was let in for those that were going.
    (void)make_room(tiles, 0, 0);
}

// ---- Channels ------------------------------------------------------------------------------------------------------

static void subscribe(struct tiles *tiles)
{
    struct held *held;
    while ((held = TAILQ_FIRST(&tiles->channels)) != NULL && bus_subscribe(tiles->bus, held->tile) == 0) {
        TAILQ_REMOVE(&tiles->channels, held, channel_link);
        held->channel = HELD_CHANNEL_ASKED;
    }
}

void tiles_verify(struct tiles *tiles)
{
    struct held *held;
    TAILQ_FOREACH(held, &tiles->all, all_link)
    tiles_need(tiles, held, HELD_NEED_POSITION);
}

void tiles_bus_up(struct tiles *tiles)
{
    struct held *held;
    TAILQ_FOREACH(held, &tiles->all, all_link)
    open_channel(tiles, held);
}

void tiles_bus_down(struct tiles *tiles)
{
    struct held *held;
    TAILQ_INIT(&tiles->channels);
    TAILQ_FOREACH(held, &tiles->all, all_link)
    {
        held->channel = HELD_CHANNEL_NONE;
        // It may have told of placements that a crash has taken back.
        pending_clear(&held->pending);
    }
}

void tiles_bus_open(struct tiles *tiles, struct tile tile)
{
    struct held *held = tiles_find(tiles, tile);
    loop_defer(tiles->loop, &tiles->kick);
    if (held == NULL || held->channel != HELD_CHANNEL_ASKED)
        return;
    held->channel = HELD_CHANNEL_OPEN;
    // Pixels that were read, or are being read, before the channel was open may be behind what was missed on it.
    bool has_pixels = held->loaded || held->asking == HELD_NEED_SNAPSHOT;
    tiles_need(tiles, held, has_pixels ? HELD_NEED_POSITION : HELD_NEED_SNAPSHOT);
}

// ---- Time ----------------------------------------------------------------------------------------------------------

static void on_kick(void *arg)
{
    struct tiles *tiles = arg;
    subscribe(tiles);
    tiles_read(tiles);
}

void tiles_store_up(struct tiles *tiles)
{
    tiles_retry(tiles, MONOTIME_NEVER); // what failed did so for want of it
    loop_defer(tiles->loop, &tiles->kick);
}

static void expire(struct tiles *tiles, struct monotime now)
{
    struct held *held, *next;
    for (held = TAILQ_FIRST(&tiles->lingering); held != NULL; held = next) {
        next = TAILQ_NEXT(held, linger_link);
        if (!monotime_reached(monotime_add_ms(held->unwatched, tiles->options.linger_ms), now))
            return;
        if (may_go(held))
            forget(tiles, held);
    }
}

int64_t tiles_poll_ms(uint32_t count)
{
    int64_t ms = (int64_t)count * 1000 / TILES_POLLS_PER_S;
    return ms < TILES_POLL_MIN_MS ? TILES_POLL_MIN_MS : ms < TILES_POLL_MAX_MS ? ms : TILES_POLL_MAX_MS;
}

static void poll_some(struct tiles *tiles, struct monotime now)
{
    // Not while what is more urgent waits.
    int64_t poll_ms = tiles_poll_ms(tiles->count);
    uint32_t sweeps = (uint32_t)(poll_ms / TILES_SWEEP_MS);
    uint32_t share = TAILQ_EMPTY(&tiles->asks) ? (tiles->count + sweeps - 1) / sweeps : 0;
    for (uint32_t i = 0; i < share; i++) {
        struct held *held = TAILQ_FIRST(&tiles->all);
        TAILQ_REMOVE(&tiles->all, held, all_link);
        TAILQ_INSERT_TAIL(&tiles->all, held, all_link);
        bool quiet = monotime_reached(monotime_add_ms(held->heard, poll_ms - TILES_HEARD_MS), now);
        if (!held->loaded || !quiet || held->need != HELD_NEED_NOTHING || held->asking != HELD_NEED_NOTHING)
            continue;
        tiles->stats.polls++;
        tiles_need(tiles, held, HELD_NEED_POSITION);
    }
}

static void on_sweep(void *arg)
{
    struct tiles *tiles = arg;
    struct monotime now = loop_now(tiles->loop);
    loop_timer_arm_ms(&tiles->sweep, TILES_SWEEP_MS);
    fanout_sweep(tiles->fanout, now);
    tiles_retry(tiles, now);
    expire(tiles, now);
    poll_some(tiles, now);
    loop_defer(tiles->loop, &tiles->kick);
}
