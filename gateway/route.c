#include "gateway/route.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/route_internal.h"
#include "proto/verdict.h"

struct route *route_new(void)
{
    return calloc(1, sizeof(struct route));
}

void route_free(struct route *route)
{
    if (route == NULL)
        return;
    struct route_tile *tile = route->tiles;
    HASH_CLEAR(hh, route->tiles);
    while (tile != NULL) {
        struct route_tile *next = tile->hh.next;
        free(tile);
        tile = next;
    }
    for (uint32_t i = 0; i < route->slab_count; i++)
        free(route->slabs[i]);
    free(route);
}

const struct route_stats *route_stats(const struct route *route)
{
    return &route->stats;
}

int route_submit(struct route *route, struct cluster_client *client, struct tile tile, const struct link_draw *draw,
                 struct monotime now)
{
    if (route->stats.waiting >= LIMIT_GATEWAY_WAITING)
        return ERR_FULL;
    struct route_tile *queue = route_tile_get(route, tile);
    struct route_draw *record = queue != NULL ? route_draw_take(route) : NULL;
    if (record == NULL)
        return ERR_FULL;

    uint32_t id = record->draw.id;
    record->draw = *draw;
    record->draw.id = id;
    record->client = client;
    record->submitted = now;
    DL_APPEND2(client->draws, record, client_prev, client_next);
    client->in_flight++;
    DL_APPEND2(route->pending, record, age_prev, age_next);
    route_tile_append(route, queue, record);
    route_tile_update(route, queue);
    return 0;
}

// ---- Answers of shards ---------------------------------------------------------------------------------------------

// The draw that a shard's answer names, or NULL when it has no such draw.
static struct route_draw *in_flight_at(struct route *route, uint16_t slot, uint32_t id)
{
    struct route_draw *draw = route_draw_by_id(route, id);
    if (draw == NULL || draw->state != ROUTE_DRAW_FLIGHT || draw->tile->flight_slot != slot)
        return NULL;
    return draw;
}

static struct link_verdict unknown_outcome(const struct route_draw *draw)
{
    return (struct link_verdict){
        .code = VERDICT_UNAVAILABLE,
        .next_nonce = draw->draw.nonce,
        .wait_ms = ROUTE_UNAVAILABLE_WAIT_MS,
    };
}

int route_verdicts(struct route *route, uint16_t slot, const uint8_t *records, uint32_t count, struct monotime now)
{
    (void)now;
    for (uint32_t i = 0; i < count; i++) {
        struct link_verdict verdict;
        link_verdict_at(records, i, &verdict);
        struct route_draw *draw = in_flight_at(route, slot, verdict.id);
        if (draw == NULL || verdict.code >= VERDICT_COUNT)
            return ERR_MALFORMED;
        if (draw->uncertain && !verdict_is_certain(verdict.code))
            verdict = unknown_outcome(draw);
        draw->tile->failures = 0;
        route_tile_remove(route, draw);
        route_draw_finish(route, draw, &verdict);
    }
    return 0;
}

static void came_back(struct route *route, struct route_draw *draw, struct monotime now)
{
    struct route_tile *tile = draw->tile;
    if (draw->told) {
        route_tile_remove(route, draw);
        route_draw_finish(route, draw, NULL);
    } else {
        route_tile_put_back(route, draw);
    }
    route_tile_hold(route, tile, now);
}

int route_not_owner(struct route *route, uint16_t slot, uint64_t view, const uint8_t *records, uint32_t count,
                    struct monotime now)
{
    route->links[slot].refusals++;
    route_hint_view(route, view);
    for (uint32_t i = 0; i < count; i++) {
        struct route_draw *draw = in_flight_at(route, slot, link_id_at(records, i));
        if (draw == NULL)
            return ERR_MALFORMED;
        came_back(route, draw, now);
    }
    route->stats.refused += count;
    return 0;
}

// ---- Time ----------------------------------------------------------------------------------------------------------

static struct monotime give_up_at(const struct route_draw *draw)
{
    return monotime_add_ms(draw->submitted, ROUTE_GIVE_UP_MS);
}

static void give_up(struct route *route, struct route_draw *draw)
{
    const struct link_verdict verdict = unknown_outcome(draw);
    route->stats.unavailable++;
    if (draw->state == ROUTE_DRAW_FLIGHT) {
        route_draw_tell(route, draw, &verdict);
        return;
    }
    route_tile_remove(route, draw);
    route_draw_finish(route, draw, &verdict);
}

void route_tick(struct route *route, struct monotime now)
{
    while (route->pending != NULL && monotime_reached(give_up_at(route->pending), now))
        give_up(route, route->pending);
    for (uint32_t i = 0; i < ROUTE_HOLD_CLASSES; i++) {
        while (route->held[i] != NULL && monotime_reached(route->held[i]->retry_at, now)) {
            struct route_tile *tile = route->held[i];
            route_tile_place(route, tile, ROUTE_PLACE_NONE);
            route_tile_update(route, tile);
        }
    }
}

struct monotime route_deadline(const struct route *route)
{
    struct monotime at = route->pending != NULL ? give_up_at(route->pending) : MONOTIME_NEVER;
    for (uint32_t i = 0; i < ROUTE_HOLD_CLASSES; i++) {
        if (route->held[i] != NULL)
            at = monotime_min(at, route->held[i]->retry_at);
    }
    for (uint32_t i = 0; route->leaving > 0 && i < ROUTE_LINKS_MAX; i++) {
        if (route->links[i].opened && !route->links[i].in_view)
            at = monotime_min(at, route->links[i].leave_at);
    }
    return at;
}

// ---- Sending -------------------------------------------------------------------------------------------------------

bool route_has_forward(const struct route *route)
{
    return route->sendable != NULL;
}

// Moves what the tile may send into the batch; returns how many draws are in it then.
static uint32_t fill(struct route *route, struct route_link *link, struct route_tile *tile, uint32_t count)
{
    while (tile->next_send != NULL && count < LIMIT_BATCH_DRAWS && link->in_flight < LIMIT_LINK_IN_FLIGHT) {
        struct route_draw *draw = tile->next_send;
        link_put_draw(route->batch + (size_t)count++ * LINK_DRAW_LEN, &draw->draw);
        draw->state = ROUTE_DRAW_FLIGHT;
        tile->next_send = draw->queue_next;
        tile->waiting--;
        tile->in_flight++;
        route->stats.waiting--;
        route->stats.in_flight++;
        link->in_flight++;
    }
    return count;
}

bool route_next_forward(struct route *route, struct route_forward *out)
{
    struct route_link *link = route->sendable;
    if (link == NULL)
        return false;
    uint16_t slot = (uint16_t)(link - route->links);
    uint32_t count = 0;
    while (link->ready != NULL && count < LIMIT_BATCH_DRAWS && link->in_flight < LIMIT_LINK_IN_FLIGHT) {
        struct route_tile *tile = link->ready;
        tile->refused = false;
        tile->flight_slot = slot;
        count = fill(route, link, tile, count);
        // One with more to send goes behind the others.
        route_tile_place(route, tile, ROUTE_PLACE_NONE);
        route_tile_update(route, tile);
    }
    route_link_update(route, link);
    route->stats.forwarded += count;
    *out = (struct route_forward){
        .slot = slot,
        .view = route->view.number,
        .refusals = link->refusals,
        .count = count,
        .draws = route->batch,
    };
    return true;
}
