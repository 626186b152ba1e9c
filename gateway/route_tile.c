// Tiles of route: their queues, and when they may send.
#include "gateway/route_internal.h"

#include <stdlib.h>

static void leave_place(struct route *route, struct route_tile *tile)
{
    switch (tile->place) {
    case ROUTE_PLACE_READY:
        DL_DELETE(route->links[tile->ready_slot].ready, tile);
        route_link_update(route, &route->links[tile->ready_slot]);
        break;
    case ROUTE_PLACE_HELD:
        DL_DELETE(route->held[tile->hold_class], tile);
        break;
    case ROUTE_PLACE_IDLE:
        DL_DELETE(route->idle, tile);
        route->idle_count--;
        break;
    case ROUTE_PLACE_NONE:
        break;
    }
}

void route_tile_place(struct route *route, struct route_tile *tile, enum route_place place)
{
    leave_place(route, tile);
    tile->place = place;
    switch (place) {
    case ROUTE_PLACE_READY:
        tile->ready_slot = tile->owner_slot;
        DL_APPEND(route->links[tile->ready_slot].ready, tile);
        route_link_update(route, &route->links[tile->ready_slot]);
        break;
    case ROUTE_PLACE_HELD:
        DL_APPEND(route->held[tile->hold_class], tile);
        break;
    case ROUTE_PLACE_IDLE:
        DL_APPEND(route->idle, tile);
        route->idle_count++;
        break;
    case ROUTE_PLACE_NONE:
        break;
    }
}

void route_link_update(struct route *route, struct route_link *link)
{
    bool sendable = link->up && link->ready != NULL && link->in_flight < LIMIT_LINK_IN_FLIGHT;
    if (sendable && !link->sendable)
        DL_APPEND(route->sendable, link);
    if (!sendable && link->sendable)
        DL_DELETE(route->sendable, link);
    link->sendable = sendable;
}

struct route_tile *route_tile_get(struct route *route, struct tile tile)
{
    uint32_t key = tile_key(tile);
    struct route_tile *found;
    HASH_FIND(hh, route->tiles, &key, sizeof key, found);
    if (found != NULL)
        return found;
    if (route->idle_count >= ROUTE_IDLE_TILES_MAX) {
        found = route->idle;
        route_tile_place(route, found, ROUTE_PLACE_NONE);
        HASH_DEL(route->tiles, found);
    } else {
        found = malloc(sizeof *found);
        if (found == NULL)
            return NULL;
    }
    *found = (struct route_tile){.key = key, .tile = tile, .flight_slot = ROUTE_NO_SLOT, .owner_slot = ROUTE_NO_SLOT};
    HASH_ADD(hh, route->tiles, key, sizeof found->key, found);
    if (found->hh.tbl == NULL) {
        free(found);
        return NULL;
    }
    route_tile_place(route, found, ROUTE_PLACE_IDLE);
    return found;
}

void route_tile_append(struct route *route, struct route_tile *tile, struct route_draw *draw)
{
    route->stats.tiles += tile->queue == NULL;
    draw->tile = tile;
    draw->state = ROUTE_DRAW_WAITING;
    DL_APPEND2(tile->queue, draw, queue_prev, queue_next);
    tile->waiting++;
    route->stats.waiting++;
    if (tile->next_send == NULL)
        tile->next_send = draw;
}

static void end_flight(struct route *route, struct route_tile *tile)
{
    tile->in_flight--;
    route->stats.in_flight--;
    struct route_link *link = &route->links[tile->flight_slot];
    link->in_flight--;
    route_link_update(route, link);
}

// The tile's queue or its count in flight got smaller.
static void settle(struct route *route, struct route_tile *tile)
{
    if (tile->queue == NULL) {
        tile->refused = false;
        tile->failures = 0;
        route->stats.tiles--;
        route_tile_place(route, tile, ROUTE_PLACE_IDLE);
        return;
    }
    if (tile->in_flight > 0)
        return;
    // Nothing is under way: whatever there is waits, from the front on.
    tile->next_send = tile->queue;
    route_tile_update(route, tile);
}

void route_tile_remove(struct route *route, struct route_draw *draw)
{
    struct route_tile *tile = draw->tile;
    if (tile->next_send == draw)
        tile->next_send = draw->queue_next;
    DL_DELETE2(tile->queue, draw, queue_prev, queue_next);
    if (draw->state == ROUTE_DRAW_FLIGHT) {
        end_flight(route, tile);
    } else {
        tile->waiting--;
        route->stats.waiting--;
    }
    settle(route, tile);
    if (tile->place == ROUTE_PLACE_READY && tile->next_send == NULL)
        route_tile_update(route, tile);
}

void route_tile_put_back(struct route *route, struct route_draw *draw)
{
    struct route_tile *tile = draw->tile;
    draw->state = ROUTE_DRAW_WAITING;
    draw->uncertain = true;
    end_flight(route, tile);
    tile->waiting++;
    route->stats.waiting++;
    settle(route, tile);
}

void route_tile_hold(struct route *route, struct route_tile *tile, struct monotime now)
{
    if (tile->queue == NULL || tile->refused)
        return;
    tile->refused = true;
    tile->hold_class = tile->failures < ROUTE_HOLD_CLASSES ? tile->failures : ROUTE_HOLD_CLASSES - 1;
    tile->failures++;
    int64_t delay_ms = (int64_t)ROUTE_RETRY_MIN_MS << tile->hold_class;
    if (delay_ms > ROUTE_RETRY_MAX_MS)
        delay_ms = ROUTE_RETRY_MAX_MS;
    tile->retry_at = monotime_add_ms(now, delay_ms);
    route_tile_place(route, tile, ROUTE_PLACE_HELD);
}

static uint16_t owner_of(struct route *route, struct route_tile *tile)
{
    if (tile->owner_generation != route->generation) {
        const struct member *owner = member_owner(&route->view, tile->tile);
        tile->owner_slot = owner != NULL ? route->slot_of[owner - route->view.members] : ROUTE_NO_SLOT;
        tile->owner_generation = route->generation;
    }
    return tile->owner_slot;
}

static bool may_send(struct route *route, struct route_tile *tile)
{
    if (tile->next_send == NULL || (tile->refused && (tile->in_flight > 0 || route->view_stale)))
        return false;
    uint16_t owner = owner_of(route, tile);
    if (owner == ROUTE_NO_SLOT || (tile->in_flight > 0 && tile->flight_slot != owner))
        return false;
    return route->links[owner].up;
}

void route_tile_update(struct route *route, struct route_tile *tile)
{
    if (tile->place == ROUTE_PLACE_HELD || tile->queue == NULL)
        return;
    bool ready = may_send(route, tile);
    if (ready && tile->place == ROUTE_PLACE_READY && tile->ready_slot == tile->owner_slot)
        return;
    if (ready || tile->place != ROUTE_PLACE_NONE)
        route_tile_place(route, tile, ready ? ROUTE_PLACE_READY : ROUTE_PLACE_NONE);
}
