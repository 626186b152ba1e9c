#include "shard/place.h"

#include <stdlib.h>

#include "shard/place_impl.h"
#include "shard/rules.h"

struct place *place_new(const struct place_options *options)
{
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL)
        return NULL;
    place->builder = batch_builder_new();
    if (place->builder == NULL) {
        free(place);
        return NULL;
    }
    place->address = options->address;
    place->incarnation = options->incarnation;
    place->pool.max = options->waiting_max != 0 ? options->waiting_max : LIMIT_SHARD_WAITING;
    windows_init(&place->windows, options->windows_max != 0 ? options->windows_max : WINDOWS_MAX);
    for (int i = 0; i < TILE_STATES; i++)
        TAILQ_INIT(&place->lists[i]);
    TAILQ_INIT(&place->recent);
    TAILQ_INIT(&place->due);
    return place;
}

void place_free(struct place *place)
{
    if (place == NULL)
        return;
    while (place->tiles != NULL)
        tile_forget(place, place->tiles);
    for (uint16_t i = 0; i < LIMIT_SHARD_LINKS; i++)
        peer_close(&place->peers[i]);
    windows_fini(&place->windows);
    draw_pool_fini(&place->pool);
    batch_builder_free(place->builder);
    free(place);
}

const struct place_stats *place_stats(struct place *place)
{
    place->stats.waiting = place->pool.used;
    place->stats.owned =
        place->list_counts[TILE_OWNED] + place->list_counts[TILE_READY] + place->list_counts[TILE_FLYING];
    place->stats.windows = place->windows.count;
    return &place->stats;
}

void place_set_config(struct place *place, const struct canvas_config *config)
{
    place->config = *config;
}

void place_set_pressure(struct place *place, bool pressure)
{
    place->pressure = pressure;
}

// ---- Links ---------------------------------------------------------------------------------------------------------

struct peer *place_peer(struct place *place, uint16_t peer)
{
    return &place->peers[peer];
}

void place_peer_open(struct place *place, uint16_t peer)
{
    peer_open(&place->peers[peer]);
}

void place_peer_close(struct place *place, uint16_t peer)
{
    peer_close(&place->peers[peer]);
}

bool place_peer_lives(const struct place *place, const struct draw *draw)
{
    const struct peer *peer = &place->peers[draw->peer];
    return peer->open && peer->generation == draw->peer_generation;
}

int place_forward(struct place *place, uint16_t peer, uint64_t view, uint32_t refusals)
{
    int err = peer_set_received(&place->peers[peer], refusals);
    if (err == 0)
        place_view_hint(place, view);
    return err;
}

static enum place_result not_owner(struct place *place, struct peer *peer, struct tile tile)
{
    peer_refuse(peer, tile);
    place->stats.not_owner++;
    return PLACE_NOT_OWNER;
}

static enum place_result decided(struct place *place, const struct link_verdict *verdict)
{
    place->stats.verdicts[verdict->code]++;
    return PLACE_DECIDED;
}

static enum place_result overloaded(struct place *place, const struct link_draw *asked, struct link_verdict *verdict)
{
    rules_refuse(asked, VERDICT_OVERLOADED, rules_overload_wait_ms(place->pool.used, place->rate), verdict);
    return decided(place, verdict);
}

static enum place_result enqueue(struct place *place, struct monotime now, uint16_t peer, const struct link_draw *asked,
                                 struct link_verdict *verdict)
{
    struct tile where = geom_tile_of(&place->config.geom, asked->x, asked->y);
    if (place->leaving || peer_must_refuse(&place->peers[peer], where))
        return not_owner(place, &place->peers[peer], where);
    struct draw *draw = draw_new(&place->pool);
    if (draw == NULL)
        return overloaded(place, asked, verdict);
    struct place_tile *tile = tile_get(place, where, now);
    if (tile == NULL) {
        draw_release(&place->pool, draw);
        return overloaded(place, asked, verdict);
    }
    if (tile->queue.count == 0)
        tile->held_since = now;
    draw->asked = *asked;
    draw->arrived = now;
    draw->peer = peer;
    draw->peer_generation = place->peers[peer].generation;
    place->peers[peer].in_flight++;
    tile_push(place, tile, draw);
    return PLACE_QUEUED;
}

enum place_result place_draw(struct place *place, struct monotime now, uint16_t peer, const struct link_draw *asked,
                             struct link_verdict *verdict)
{
    if (place->config.version == 0) {
        // Which tile must refuse those that follow is not known: they may not follow.
        place->peers[peer].broken = true;
        return not_owner(place, &place->peers[peer], (struct tile){0, 0});
    }
    if (!rules_allow(&place->config, place->pressure, asked, verdict))
        return decided(place, verdict);
    return enqueue(place, now, peer, asked, verdict);
}

void place_answer(struct place *place, struct draw *draw, const struct link_verdict *verdict)
{
    draw->verdict = *verdict;
    if (draw->uncertain && !verdict_is_certain(verdict->code))
        rules_refuse(&draw->asked, VERDICT_UNAVAILABLE, RULES_UNKNOWN_WAIT_MS, &draw->verdict);
    draw->verdict.id = draw->asked.id;
    draw_push(&place->answers, draw);
    place->stats.verdicts[draw->verdict.code]++;
    place->second_answers++;
}

struct draw *place_next_answer(struct place *place)
{
    struct draw *draw = draw_pop(&place->answers);
    if (draw != NULL && place_peer_lives(place, draw))
        place->peers[draw->peer].in_flight--;
    return draw;
}

void place_release(struct place *place, struct draw *draw)
{
    draw_release(&place->pool, draw);
}

// ---- Redis ---------------------------------------------------------------------------------------------------------

void place_connected(struct place *place)
{
    place->connected = true;
    place->view_reading = false;
    place_want_view(place);
}

// All that are owned and in no batch.
static void disown_all(struct place *place, struct monotime now)
{
    static const enum tile_state states[] = {TILE_OWNED, TILE_READY};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct place_tile *tile, *next;
        for (tile = TAILQ_FIRST(&place->lists[states[i]]); tile != NULL; tile = next) {
            next = TAILQ_NEXT(tile, in_list);
            tile_disown(place, tile, now);
        }
    }
}

void place_disconnected(struct place *place, struct monotime now)
{
    place->connected = false;
    disown_all(place, now);
}

void place_restored(struct place *place, struct monotime now)
{
    struct place_tile *tile;
    TAILQ_FOREACH(tile, &place->lists[TILE_FLYING], in_list)
    tile->voided = true;
    TAILQ_FOREACH(tile, &place->lists[TILE_TAKING], in_list)
    tile->voided = true;
    disown_all(place, now);
    place_want_view(place);
}

void place_leave(struct place *place)
{
    struct place_tile *tile, *next;
    place->leaving = true;
    for (tile = TAILQ_FIRST(&place->lists[TILE_READY]); tile != NULL; tile = next) {
        next = TAILQ_NEXT(tile, in_list);
        place_refuse_queue(place, tile);
        tile_settle(place, tile);
    }
    place_decide(place);
}

bool place_is_leaving(const struct place *place)
{
    return place->leaving;
}

bool place_is_quiet(const struct place *place)
{
    return place->batches_in_flight == 0 && place->pool.used == 0;
}

// ---- Time ----------------------------------------------------------------------------------------------------------

static void refuse_held(struct place *place, struct monotime now, enum tile_state state)
{
    struct place_tile *tile, *next;
    for (tile = TAILQ_FIRST(&place->lists[state]); tile != NULL; tile = next) {
        next = TAILQ_NEXT(tile, in_list);
        if (!monotime_reached(monotime_add_ms(tile->held_since, PLACE_HOLD_MS), now))
            continue;
        place_refuse_queue(place, tile);
        if (state == TILE_HELD)
            tile_forget(place, tile);
    }
}

static void make_beats_due(struct place *place, struct monotime now)
{
    struct place_tile *tile;
    while ((tile = TAILQ_FIRST(&place->recent)) != NULL &&
           monotime_reached(monotime_add_ms(tile->placed_at, PLACE_BEAT_AFTER_MS), now)) {
        TAILQ_REMOVE(&place->recent, tile, in_recent);
        tile->recent = false;
    }
    TAILQ_FOREACH(tile, &place->recent, in_recent)
    tile_set_due(place, tile, true);
}

void place_tick(struct place *place, struct monotime now)
{
    refuse_held(place, now, TILE_HELD);
    refuse_held(place, now, TILE_TAKING);
    windows_expire(&place->windows, now);
    if (monotime_reached(monotime_add_ms(place->second_began, 1000), now)) {
        place->rate = place->second_answers;
        place->second_answers = 0;
        place->second_began = now;
    }
    if (monotime_reached(place->beats_at, now)) {
        make_beats_due(place, now);
        place->beats_at = monotime_add_ms(now, PLACE_BEAT_EVERY_MS);
    }
}

bool place_next_beat(struct place *place, struct place_beat *out)
{
    struct place_tile *tile = TAILQ_FIRST(&place->due);
    // Of one in a batch nobody knows the position now.
    while (tile != NULL && tile->state == TILE_FLYING)
        tile = TAILQ_NEXT(tile, in_due);
    if (tile == NULL || !place->connected)
        return false;
    tile_set_due(place, tile, false);
    place->stats.beats++;
    *out = (struct place_beat){.tile = tile->tile,
                               .epoch = tile->epoch,
                               .seq = tile->pos.seq,
                               .checksum = tile->checksum,
                               .placed = tile->pos.seq - tile->told_seq};
    tile->told_seq = tile->pos.seq;
    return true;
}

void place_beat_failed(struct place *place, struct monotime now, const struct place_beat *beat)
{
    struct place_tile *tile = tile_find(place, beat->tile);
    bool owned = tile != NULL && (tile->state == TILE_OWNED || tile->state == TILE_READY);
    if (!owned || tile->epoch != beat->epoch)
        return;
    place_want_view(place);
    tile_disown(place, tile, now);
}
