// Batches: forming them, and what becomes of them.

#include <string.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "shard/place_impl.h"
#include "shard/rules.h"

#define RESULT_FENCED 1
#define RESULT_REWOUND 2
#define RESULT_VERDICT_LEN 14u
#define FULLER_DRAWS 128u // the next batch has to have this many draws for each that is in flight

uint32_t batch_tiles(const struct batch *batch)
{
    return batch->tile_count;
}

struct monotime batch_sent(const struct batch *batch)
{
    return batch->sent_at;
}

// ---- Forming -------------------------------------------------------------------------------------------------------

static void decide(struct draw *draw, uint8_t code, uint32_t seq, uint32_t next_nonce, uint32_t wait_ms)
{
    draw->decided = true;
    draw->verdict = (struct link_verdict){
        .id = draw->asked.id, .code = code, .seq = seq, .next_nonce = next_nonce, .wait_ms = wait_ms};
}

// The window of the draw's connection as it is after the draws of this batch so far. NULL when there are too many.
static struct window *window_of(struct place *place, struct batch *batch, struct place_tile *tile,
                                const struct draw *draw, struct monotime now)
{
    const struct windows_key key = {draw->asked.user, draw->asked.connection};
    struct windows_entry *entry = windows_get(&place->windows, &tile->windows, &key, now);
    if (entry == NULL)
        return NULL;
    if (entry->mark != place->mark) {
        entry->mark = place->mark;
        entry->number = batch->window_count++;
        batch->windows[entry->number] = (struct batch_window){key, entry->window};
        windows_touch(&place->windows, entry, now);
    }
    return &batch->windows[entry->number].window;
}

// With a cooldown, a draw that was made with none: if it was placed, its window says so. If not, its user's record
// calls it STALE, as its nonce is none of those.
static void recognise_counted(const struct place_tile *tile, struct draw *draw)
{
    const struct windows_key key = {draw->asked.user, draw->asked.connection};
    const struct window *window = windows_find(&tile->windows, &key);
    if (window != NULL && window_ask(window, draw->asked.nonce) == WINDOW_PLACED)
        decide(draw, VERDICT_PLACED, window->seq, draw->asked.nonce + 1u, 0);
}

// With cooldown 0: new, or placed before?
static void recognise(struct place *place, struct batch *batch, const struct batch_tile *in, struct draw *draw,
                      struct monotime now)
{
    uint32_t nonce = draw->asked.nonce;
    struct window *window = window_of(place, batch, in->tile, draw, now);
    if (window == NULL) {
        decide(draw, VERDICT_OVERLOADED, 0, nonce, RULES_OVERLOAD_WAIT_MAX_MS);
        return;
    }
    switch (window_ask(window, nonce)) {
    case WINDOW_NEW:
        window_add(window, nonce, in->tile->pos.seq + in->sent - in->recorded + 1u);
        break;
    case WINDOW_PLACED:
        decide(draw, VERDICT_PLACED, window->seq, window->newest + 1u, 0);
        break;
    case WINDOW_STALE:
        decide(draw, VERDICT_STALE, 0, window->newest + 1u, 0);
        break;
    }
}

static void add_draw(struct place *place, struct batch *batch, struct batch_tile *in, struct draw *draw,
                     struct monotime now)
{
    if (!place_peer_lives(place, draw)) {
        draw_release(&place->pool, draw);
        return;
    }
    if (in->tile->pos.seq > UINT32_MAX - LIMIT_BATCH_DRAWS)
        decide(draw, VERDICT_READ_ONLY, 0, draw->asked.nonce, RULES_READ_ONLY_WAIT_MS);
    else if (batch->cooldown_ms == 0 && (draw->asked.nonce & NONCE_COUNTED) == 0)
        draw->recorded = true;
    else if (batch->cooldown_ms == 0)
        recognise(place, batch, in, draw, now);
    else if ((draw->asked.nonce & NONCE_COUNTED) != 0)
        recognise_counted(in->tile, draw);
    if (!draw->decided) {
        in->sent++;
        in->recorded = (uint16_t)(in->recorded + draw->recorded);
    }
    draw_push(&in->draws, draw);
}

static void answer_all(struct place *place, struct draw_list *draws)
{
    struct draw *draw;
    while ((draw = draw_pop(draws)) != NULL)
        place_answer(place, draw, &draw->verdict);
}

// Takes draws of a READY tile into the batch; returns how many.
static uint32_t add_tile(struct place *place, struct batch *batch, struct place_tile *tile, uint32_t room,
                         struct monotime now)
{
    struct batch_tile *in = &batch->tiles[batch->tile_count];
    *in = (struct batch_tile){.tile = tile, .windows_from = batch->window_count};
    tile_set_state(place, tile, TILE_FLYING);
    for (uint32_t taken = 0; taken < room && tile->queue.count > 0; taken++)
        add_draw(place, batch, in, draw_pop(&tile->queue), now);
    uint32_t count = in->draws.count;
    if (in->sent == 0) {
        // Nothing to ask Redis for. Their marks must not lead to the windows that are dropped here.
        batch->window_count = in->windows_from;
        place->mark++;
        answer_all(place, &in->draws);
        tile_settle(place, tile);
        return 0;
    }
    in->windows_count = (uint16_t)(batch->window_count - in->windows_from);
    batch->sent = (uint16_t)(batch->sent + in->sent);
    batch->recorded = (uint16_t)(batch->recorded + in->recorded);
    batch->tile_count++;
    return count;
}

static struct batch *spare_batch(struct place *place)
{
    bool idle = place->batches_in_flight == 0;
    if (place->batches_in_flight >= PLACE_BATCHES_MAX || place->ready_draws == 0 || !place->connected || place->leaving)
        return NULL;
    if (!idle && place->ready_draws < place->batches_in_flight * FULLER_DRAWS)
        return NULL;
    for (uint32_t i = 0; i < PLACE_BATCHES_MAX; i++) {
        if (!place->batches[i].in_flight)
            return &place->batches[i];
    }
    return NULL;
}

struct batch *place_next_batch(struct place *place, struct monotime now, struct batch_args *args)
{
    struct batch *batch = spare_batch(place);
    if (batch == NULL)
        return NULL;
    batch->tile_count = batch->sent = batch->window_count = batch->recorded = 0;
    batch->cooldown_ms = place->config.cooldown_ms;
    batch->sent_at = now;
    place->mark++;
    uint32_t room = LIMIT_BATCH_DRAWS;
    struct place_tile *tile;
    while (room > 0 && (tile = TAILQ_FIRST(&place->lists[TILE_READY])) != NULL)
        room -= add_tile(place, batch, tile, room, now);
    if (batch->tile_count == 0)
        return NULL;
    batch->in_flight = true;
    place->batches_in_flight++;
    place->stats.batches++;
    hist_add(&place->stats.batch_draws, batch->sent);
    batch_build(place, batch, args);
    return batch;
}

// ---- What became of it ---------------------------------------------------------------------------------------------

static void batch_over(struct place *place, struct batch *batch)
{
    batch->in_flight = false;
    place->batches_in_flight--;
}

// The tile goes on if it is still ours.
static void land(struct place *place, struct place_tile *tile, struct monotime now)
{
    if (place->connected && !place->leaving && !tile->voided && place_wins(place, tile->tile))
        tile_settle(place, tile);
    else
        tile_disown(place, tile, now);
}

// Its draws go back to where they came from; or, when that has been tried for long enough, to the gateway.
static void take_back(struct place *place, struct batch_tile *in, struct monotime now)
{
    struct place_tile *tile = in->tile;
    const struct draw *oldest = in->draws.first;
    bool late = oldest != NULL && monotime_reached(monotime_add_ms(oldest->arrived, PLACE_TRY_MS), now);
    for (struct draw *draw = in->draws.first; draw != NULL; draw = draw->next)
        draw->decided = draw->recorded = false;
    draw_prepend(&tile->queue, &in->draws);
    tile_disown(place, tile, now);
    if (!late)
        return;
    place_refuse_queue(place, tile);
    tile_forget(place, tile);
}

static int check_result(const struct batch_tile *in, const struct batch_result *result)
{
    if (result->status == RESULT_FENCED || result->status == RESULT_REWOUND)
        return 0;
    if (result->status != 0)
        return ERR_MALFORMED;
    if (result->verdicts_len == 0)
        return result->colors_len == in->sent ? 0 : ERR_MALFORMED;
    if (result->verdicts_len != (size_t)in->sent * RESULT_VERDICT_LEN)
        return ERR_MALFORMED;
    size_t placed = 0;
    for (size_t at = 0; at < result->verdicts_len; at += RESULT_VERDICT_LEN) {
        if (result->verdicts[at] > 1 || result->verdicts[at + 1] >= VERDICT_COUNT)
            return ERR_MALFORMED;
        placed += result->verdicts[at];
    }
    return result->colors_len == placed ? 0 : ERR_MALFORMED;
}

static void note_placed(const struct place *place, struct place_tile *tile, const struct link_draw *asked,
                        uint8_t old_color)
{
    uint16_t offset = geom_offset_of(&place->config.geom, asked->x, asked->y);
    tile->checksum += mix64(offset, asked->color) - mix64(offset, old_color);
    tile->pos = (struct position){tile->epoch, tile->pos.seq + 1u};
}

// The verdict of the next draw that was sent. Returns whether it was placed now.
static bool read_verdict(struct bytes_reader *verdicts, const struct batch *batch, const struct place_tile *tile,
                         struct draw *draw)
{
    if (bytes_left(verdicts) == 0) {
        decide(draw, VERDICT_PLACED, tile->pos.seq + 1u, draw->asked.nonce + 1u, batch->cooldown_ms);
        return true;
    }
    bool placed = bytes_u8(verdicts) == 1;
    uint8_t code = bytes_u8(verdicts);
    uint32_t seq = bytes_u32(verdicts), next_nonce = bytes_u32(verdicts);
    decide(draw, code, seq, next_nonce, bytes_u32(verdicts));
    return placed;
}

static void remember_windows(struct place *place, const struct batch *batch, const struct batch_tile *in,
                             struct monotime now)
{
    for (uint32_t i = 0; i < in->windows_count; i++) {
        const struct batch_window *from = &batch->windows[in->windows_from + i];
        struct windows_entry *entry = windows_get(&place->windows, &in->tile->windows, &from->key, now);
        if (entry == NULL)
            continue;
        entry->window = from->window;
        windows_touch(&place->windows, entry, now);
    }
}

static void tile_done(struct place *place, const struct batch *batch, struct batch_tile *in,
                      const struct batch_result *result, struct monotime now)
{
    struct place_tile *tile = in->tile;
    struct bytes_reader verdicts;
    bytes_reader_init(&verdicts, result->verdicts, result->verdicts_len);
    const uint8_t *old_color = result->colors;
    for (struct draw *draw = in->draws.first; draw != NULL; draw = draw->next) {
        if (!draw->decided && read_verdict(&verdicts, batch, tile, draw))
            note_placed(place, tile, &draw->asked, *old_color++);
    }
    if (old_color != result->colors)
        tile_touch(place, tile, now);
    remember_windows(place, batch, in, now);
    answer_all(place, &in->draws);
    land(place, tile, now);
}

int place_batch_done(struct place *place, struct monotime now, struct batch *batch, const struct batch_result *results,
                     size_t count)
{
    if (count != batch->tile_count)
        return ERR_MALFORMED;
    for (size_t i = 0; i < count; i++) {
        if (check_result(&batch->tiles[i], &results[i]) != 0)
            return ERR_MALFORMED;
    }
    for (size_t i = 0; i < count; i++) {
        if (results[i].status == 0) {
            tile_done(place, batch, &batch->tiles[i], &results[i], now);
            continue;
        }
        bool fenced = results[i].status == RESULT_FENCED;
        place->stats.fenced += fenced;
        place->stats.rewound += !fenced;
        place_want_view(place);
        take_back(place, &batch->tiles[i], now);
    }
    batch_over(place, batch);
    return 0;
}

void place_batch_unknown(struct place *place, struct monotime now, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->tile_count; i++) {
        for (struct draw *draw = batch->tiles[i].draws.first; draw != NULL; draw = draw->next)
            draw->uncertain = true;
        take_back(place, &batch->tiles[i], now);
    }
    place->stats.unknown++;
    batch_over(place, batch);
}

void place_batch_refused(struct place *place, struct monotime now, struct batch *batch)
{
    for (uint32_t i = 0; i < batch->tile_count; i++) {
        struct batch_tile *in = &batch->tiles[i];
        for (struct draw *draw = in->draws.first; draw != NULL; draw = draw->next)
            decide(draw, VERDICT_READ_ONLY, 0, draw->asked.nonce, RULES_READ_ONLY_WAIT_MS);
        answer_all(place, &in->draws);
        land(place, in->tile, now);
    }
    batch_over(place, batch);
}
