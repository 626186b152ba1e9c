// The view, and which links it asks for.
#include <string.h>

#include "gateway/route_internal.h"

const struct member_view *route_view(const struct route *route)
{
    return &route->view;
}

void route_hint_view(struct route *route, uint64_t number)
{
    if (number > route->view.number)
        route->view_stale = true;
}

bool route_wants_view(const struct route *route)
{
    return route->view_stale;
}

static uint16_t slot_for(struct route *route, const char *address)
{
    uint16_t unused = ROUTE_NO_SLOT;
    for (uint16_t i = 0; i < ROUTE_LINKS_MAX; i++) {
        if (route->links[i].used && strcmp(route->links[i].address, address) == 0)
            return i;
        if (!route->links[i].used && unused == ROUTE_NO_SLOT)
            unused = i;
    }
    if (unused != ROUTE_NO_SLOT) {
        struct route_link *link = &route->links[unused];
        *link = (struct route_link){.used = true};
        memcpy(link->address, address, strlen(address) + 1);
    }
    return unused;
}

// Gives every member its slot, and marks what is not in the view as leaving.
static void assign_slots(struct route *route, struct monotime now)
{
    bool was_in_view[ROUTE_LINKS_MAX];
    for (uint32_t i = 0; i < ROUTE_LINKS_MAX; i++) {
        was_in_view[i] = route->links[i].in_view;
        route->links[i].in_view = false;
    }
    for (uint16_t i = 0; i < route->view.count; i++) {
        route->slot_of[i] = slot_for(route, route->view.members[i].address);
        if (route->slot_of[i] == ROUTE_NO_SLOT)
            route->view_stale = true; // those that leave hold all slots: again when they are gone
        else
            route->links[route->slot_of[i]].in_view = true;
    }
    route->leaving = 0;
    for (uint32_t i = 0; i < ROUTE_LINKS_MAX; i++) {
        struct route_link *link = &route->links[i];
        if (!link->used || link->in_view)
            continue;
        if (was_in_view[i])
            link->leave_at = monotime_add_ms(now, ROUTE_LEAVE_MS);
        link->used = link->opened;
        route->leaving += link->opened;
    }
}

void route_set_view(struct route *route, const struct member_view *view, struct monotime now)
{
    route->view = *view;
    route->view_stale = false;
    route->generation++;
    route->links_changed = true;
    assign_slots(route, now);

    for (struct route_tile *tile = route->tiles; tile != NULL; tile = tile->hh.next) {
        if (tile->queue == NULL)
            continue;
        const struct member *owner = member_owner(&route->view, tile->tile);
        uint16_t slot = owner != NULL ? route->slot_of[owner - route->view.members] : ROUTE_NO_SLOT;
        bool moved = slot != tile->owner_slot;
        tile->owner_slot = slot;
        tile->owner_generation = route->generation;
        if (moved && tile->place == ROUTE_PLACE_HELD) {
            tile->failures = 0;
            route_tile_place(route, tile, ROUTE_PLACE_NONE);
        }
        route_tile_update(route, tile);
    }
}

bool route_next_link(struct route *route, struct monotime now, struct route_link_change *out)
{
    if (!route->links_changed && route->leaving == 0)
        return false;
    for (uint16_t i = 0; i < ROUTE_LINKS_MAX; i++) {
        struct route_link *link = &route->links[i];
        if (!link->used || link->opened == link->in_view)
            continue;
        if (link->opened && link->in_flight > 0 && !monotime_reached(link->leave_at, now))
            continue;
        *out = (struct route_link_change){.slot = i, .open = !link->opened, .address = link->address};
        if (link->opened) {
            route_link_down(route, i, now);
            link->used = false;
            route->leaving--;
        }
        link->opened = !link->opened;
        return true;
    }
    route->links_changed = false;
    return false;
}

void route_link_up(struct route *route, uint16_t slot, struct monotime now)
{
    (void)now;
    route->links[slot].up = true;
    route->links[slot].refusals = 0;
    for (struct route_tile *tile = route->tiles; tile != NULL; tile = tile->hh.next) {
        route_tile_update(route, tile);
    }
}

// All that the tile has in flight waits again, in its first order; what was answered meanwhile is dropped.
static void lose_flight(struct route *route, struct route_tile *tile, struct monotime now)
{
    for (struct route_draw *draw = tile->queue, *next; draw != NULL; draw = next) {
        next = draw->queue_next;
        if (draw->state != ROUTE_DRAW_FLIGHT)
            continue;
        if (draw->told) {
            route_tile_remove(route, draw);
            route_draw_finish(route, draw, NULL);
        } else {
            route_tile_put_back(route, draw);
            route->stats.lost++;
        }
    }
    route_tile_hold(route, tile, now);
}

void route_link_down(struct route *route, uint16_t slot, struct monotime now)
{
    struct route_link *link = &route->links[slot];
    if (!link->up)
        return;
    link->up = false;
    route_link_update(route, link);
    for (struct route_tile *tile = route->tiles; tile != NULL; tile = tile->hh.next) {
        if (tile->in_flight > 0 && tile->flight_slot == slot)
            lose_flight(route, tile, now);
        else
            route_tile_update(route, tile);
    }
}
