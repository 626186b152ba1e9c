#include <stdlib.h>

#include "shard/place_impl.h"

struct place_tile *tile_find(struct place *place, struct tile tile)
{
    uint32_t key = tile_key(tile);
    struct place_tile *found;
    HASH_FIND(hh, place->tiles, &key, sizeof key, found);
    return found;
}

static void enlist(struct place *place, struct place_tile *tile, enum tile_state state)
{
    tile->state = state;
    TAILQ_INSERT_TAIL(&place->lists[state], tile, in_list);
    place->list_counts[state]++;
    if (state == TILE_READY)
        place->ready_draws += tile->queue.count;
}

static void delist(struct place *place, struct place_tile *tile)
{
    TAILQ_REMOVE(&place->lists[tile->state], tile, in_list);
    place->list_counts[tile->state]--;
    if (tile->state == TILE_READY)
        place->ready_draws -= tile->queue.count;
}

struct place_tile *tile_get(struct place *place, struct tile tile, struct monotime now)
{
    struct place_tile *found = tile_find(place, tile);
    if (found != NULL)
        return found;
    found = calloc(1, sizeof *found);
    if (found == NULL)
        return NULL;
    found->tile = tile;
    found->key = tile_key(tile);
    found->held_since = now;
    HASH_ADD(hh, place->tiles, key, sizeof found->key, found);
    if (found->hh.tbl == NULL) {
        free(found);
        return NULL;
    }
    enlist(place, found, TILE_HELD);
    return found;
}

void tile_set_state(struct place *place, struct place_tile *tile, enum tile_state state)
{
    delist(place, tile);
    enlist(place, tile, state);
}

void tile_settle(struct place *place, struct place_tile *tile)
{
    tile_set_state(place, tile, tile->queue.count > 0 ? TILE_READY : TILE_OWNED);
}

void tile_touch(struct place *place, struct place_tile *tile, struct monotime now)
{
    if (tile->recent)
        TAILQ_REMOVE(&place->recent, tile, in_recent);
    tile->recent = true;
    tile->placed_at = now;
    TAILQ_INSERT_TAIL(&place->recent, tile, in_recent);
}

void tile_set_due(struct place *place, struct place_tile *tile, bool due)
{
    if (due == tile->beat_due)
        return;
    tile->beat_due = due;
    if (due)
        TAILQ_INSERT_TAIL(&place->due, tile, in_due);
    else
        TAILQ_REMOVE(&place->due, tile, in_due);
}

static void forget_what_was_taken(struct place *place, struct place_tile *tile)
{
    tile_set_due(place, tile, false);
    if (tile->recent)
        TAILQ_REMOVE(&place->recent, tile, in_recent);
    tile->recent = false;
    windows_clear(&place->windows, &tile->windows);
}

void tile_disown(struct place *place, struct place_tile *tile, struct monotime now)
{
    if (tile->queue.count == 0) {
        tile_forget(place, tile);
        return;
    }
    forget_what_was_taken(place, tile);
    tile->voided = false;
    tile->held_since = now;
    tile_set_state(place, tile, TILE_HELD);
}

void tile_forget(struct place *place, struct place_tile *tile)
{
    forget_what_was_taken(place, tile);
    delist(place, tile);
    HASH_DEL(place->tiles, tile);
    free(tile);
}

void tile_push(struct place *place, struct place_tile *tile, struct draw *draw)
{
    draw_push(&tile->queue, draw);
    if (tile->state == TILE_READY)
        place->ready_draws++;
    else if (tile->state == TILE_OWNED)
        tile_set_state(place, tile, TILE_READY);
}
