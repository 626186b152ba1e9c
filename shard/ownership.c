// Views, takings, and what happens to draws of tiles that are not ours.

#include <string.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "shard/place_impl.h"
#include "shard/rules.h"

bool place_wins(const struct place *place, struct tile tile)
{
    const struct member *owner = member_owner(&place->view, tile);
    return owner != NULL && owner->incarnation == place->incarnation && strcmp(owner->address, place->address) == 0;
}

void place_want_view(struct place *place)
{
    place->view_wanted = true;
}

void place_view_hint(struct place *place, uint64_t view)
{
    // A number is asked for once. If the view that is read then is older all the same, Redis went back to older data,
    // and what was read is what counts.
    if (view <= place->view.number || view <= place->view_known)
        return;
    place->view_known = view;
    place_want_view(place);
}

bool place_next_view(struct place *place)
{
    if (!place->connected || place->view_reading || !place->view_wanted)
        return false;
    place->view_wanted = false;
    place->view_reading = true;
    return true;
}

uint64_t place_view(const struct place *place)
{
    return place->view_known > place->view.number ? place->view_known : place->view.number;
}

void place_refuse_queue(struct place *place, struct place_tile *tile)
{
    struct draw_list queue = tile->queue;
    if (tile->state == TILE_READY)
        place->ready_draws -= queue.count;
    tile->queue = (struct draw_list){0};
    for (struct draw *draw = queue.first; draw != NULL; draw = draw->next) {
        draw->not_owner = true;
        if (place_peer_lives(place, draw))
            peer_refuse(&place->peers[draw->peer], tile->tile);
    }
    place->stats.not_owner += queue.count;
    draw_append(&place->answers, &queue);
}

void place_deny_tile(struct place *place, struct place_tile *tile, uint8_t code, uint32_t wait_ms)
{
    struct draw *draw;
    struct link_verdict verdict;
    if (tile->state == TILE_READY)
        place->ready_draws -= tile->queue.count;
    while ((draw = draw_pop(&tile->queue)) != NULL) {
        rules_refuse(&draw->asked, code, wait_ms, &verdict);
        place_answer(place, draw, &verdict);
    }
    tile_forget(place, tile);
}

// Draws wait for a view that is being read, or is about to be.
static bool undecided(const struct place *place)
{
    return !place->connected || place->view_wanted || place->view_reading || place->view.number == 0;
}

void place_decide(struct place *place)
{
    struct place_tile *tile, *next;
    if (undecided(place) && !place->leaving)
        return;
    for (tile = TAILQ_FIRST(&place->lists[TILE_HELD]); tile != NULL; tile = next) {
        next = TAILQ_NEXT(tile, in_list);
        if (!place->leaving && place_wins(place, tile->tile))
            continue;
        place_refuse_queue(place, tile);
        tile_forget(place, tile);
    }
}

// Tiles that the new view gives to others. Those in a batch follow when it is answered.
static void give_up_lost(struct place *place, struct monotime now)
{
    static const enum tile_state states[] = {TILE_OWNED, TILE_READY};
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        struct place_tile *tile, *next;
        for (tile = TAILQ_FIRST(&place->lists[states[i]]); tile != NULL; tile = next) {
            next = TAILQ_NEXT(tile, in_list);
            if (!place_wins(place, tile->tile))
                tile_disown(place, tile, now);
        }
    }
}

void place_view_read(struct place *place, struct monotime now, const struct member_view *view)
{
    place->view_reading = false;
    if (view == NULL) {
        place->view_wanted = true;
        return;
    }
    place->view = *view;
    place->view_known = view->number;
    give_up_lost(place, now);
}

bool place_next_take(struct place *place, struct place_take *out)
{
    place_decide(place);
    struct place_tile *tile = TAILQ_FIRST(&place->lists[TILE_HELD]);
    if (tile == NULL || undecided(place) || place->leaving || place->list_counts[TILE_TAKING] >= PLACE_TAKES_MAX)
        return false;
    tile_set_state(place, tile, TILE_TAKING);
    place->stats.takes++;
    *out = (struct place_take){tile->tile, place->view.number};
    return true;
}

static struct place_tile *being_taken(struct place *place, struct tile tile)
{
    struct place_tile *found = tile_find(place, tile);
    return found != NULL && found->state == TILE_TAKING ? found : NULL;
}

void place_taken(struct place *place, struct monotime now, struct tile which, const struct place_taken *taken)
{
    struct place_tile *tile = being_taken(place, which);
    if (tile == NULL)
        return;
    if (!place->connected || place->leaving || tile->voided || !place_wins(place, which)) {
        tile_disown(place, tile, now);
        return;
    }
    tile->epoch = taken->epoch;
    tile->pos = taken->pos;
    tile->told_seq = taken->pos.seq;
    tile->checksum = mix_tile_checksum(taken->px, taken->px_len);
    tile_settle(place, tile);
}

void place_taken_window(struct place *place, struct monotime now, struct tile which, const void *field,
                        size_t field_len, const void *value, size_t value_len)
{
    struct place_tile *tile = tile_find(place, which);
    struct windows_key key;
    struct window window;
    if (tile == NULL || (tile->state != TILE_OWNED && tile->state != TILE_READY) || field_len != sizeof key ||
        window_decode(&window, value, value_len) != 0)
        return;
    key = (struct windows_key){bytes_get_u64(field), bytes_get_u64((const uint8_t *)field + 8)};
    struct windows_entry *entry = windows_get(&place->windows, &tile->windows, &key, now);
    if (entry != NULL && entry->window.seq <= window.seq) // of two hashes: the later one counts
        entry->window = window;
    else if (entry == NULL) // Without it a repetition would be placed again.
        place_deny_tile(place, tile, VERDICT_OVERLOADED, RULES_OVERLOAD_WAIT_MAX_MS);
}

void place_take_refused(struct place *place, struct tile which)
{
    struct place_tile *tile = being_taken(place, which);
    if (tile != NULL)
        place_deny_tile(place, tile, VERDICT_READ_ONLY, RULES_READ_ONLY_WAIT_MS);
}

void place_take_failed(struct place *place, struct monotime now, struct tile which, uint64_t stored_view)
{
    struct place_tile *tile = being_taken(place, which);
    if (tile == NULL)
        return;
    struct monotime held_since = tile->held_since;
    if (stored_view != 0) {
        place->stats.takes_refused++;
        place_want_view(place);
    }
    if (tile->queue.count == 0) {
        tile_forget(place, tile);
        return;
    }
    tile_disown(place, tile, now);
    tile->held_since = held_since;
}
