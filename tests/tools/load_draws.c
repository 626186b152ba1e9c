#include "tests/tools/load_draws.h"

#include <stdlib.h>

#include "proto/limits.h"
#include "proto/verdict.h"

#define REPEAT_MS 200      // after UNAVAILABLE
#define REFUSED_WAIT_MS 10 // at least, after a refusal that will pass
#define FRAME_LEN (WS_DRAW_LEN + 6u)
#define SLOTS_MAX 256u // PROTOCOL.md: unanswered nonces lie within 256 of each other

enum slot_state { SLOT_FREE, SLOT_SENT, SLOT_REPEAT };

struct slot {
    struct monotime first; // sent
    struct monotime due;   // REPEAT: to be sent again
    uint32_t nonce;
    struct load_pixel pixel;
    uint8_t state; // enum slot_state
};

struct load_draws {
    uint32_t window;
    uint32_t cooldown_ms;
    uint32_t next;   // nonce of the next new draw
    uint32_t oldest; // of those in use; `next` when there is none
    uint32_t in_flight;
    uint32_t slot_count;   // a power of two; a nonce's slot is its remainder
    struct monotime ready; // not before
    struct slot slots[];
};

struct load_draws *load_draws_new(uint32_t window, uint32_t cooldown_ms)
{
    uint32_t slot_count = 2;
    if (cooldown_ms > 0)
        window = 1;
    while (slot_count < 2 * window && slot_count < SLOTS_MAX)
        slot_count *= 2;
    struct load_draws *draws = calloc(1, sizeof *draws + slot_count * sizeof draws->slots[0]);
    if (draws == NULL)
        return NULL;
    draws->window = window;
    draws->cooldown_ms = cooldown_ms;
    draws->next = draws->oldest = draws->cooldown_ms > 0 ? 1 : NONCE_COUNTED_FIRST;
    draws->slot_count = slot_count;
    return draws;
}

void load_draws_free(struct load_draws *draws)
{
    free(draws);
}

uint32_t load_draws_in_flight(const struct load_draws *draws)
{
    return draws->in_flight;
}

static struct slot *slot_of(struct load_draws *draws, uint32_t nonce)
{
    return &draws->slots[nonce & (draws->slot_count - 1)];
}

static void note(const struct load_conn *conn, struct monotime now, const char *what, const struct slot *slot,
                 uint32_t seq, const char *verdict)
{
    if (conn->proc->journal == NULL)
        return;
    load_journal_write(conn->proc->journal, now,
                       &(struct load_event){.what = what,
                                            .user = conn->user,
                                            .connection = conn->connection,
                                            .nonce = slot->nonce,
                                            .x = slot->pixel.x,
                                            .y = slot->pixel.y,
                                            .color = slot->pixel.color,
                                            .seq = seq,
                                            .verdict = verdict});
}

// ---- Sending ------------------------------------------------------------------------------------------------------

static size_t frame_draw(struct load_proc *proc, uint8_t *to, const struct slot *slot)
{
    const struct ws_draw draw = {
        .color = slot->pixel.color, .x = slot->pixel.x, .y = slot->pixel.y, .nonce = slot->nonce};
    uint8_t payload[WS_DRAW_LEN];
    size_t len = ws_encode_draw(payload, &draw);
    return load_framer_put(&proc->framer, to, WSLAY_BINARY_FRAME, payload, len);
}

static void take_slot(struct load_conn *conn, const struct load_pixel *pixel, struct monotime now)
{
    struct load_draws *draws = conn->draws;
    struct load_stats *stats = conn->proc->stats;
    struct slot *slot = slot_of(draws, draws->next);
    *slot = (struct slot){.first = now, .nonce = draws->next, .pixel = *pixel, .state = SLOT_SENT};
    draws->next++;
    draws->in_flight++;
    stats->in_flight++;
    stats->draws++;
    if (stats->first_draw_us == 0)
        stats->first_draw_us = now.us;
    load_seen_sent(conn->proc->seen, pixel->x, pixel->y, pixel->color, now);
    note(conn, now, "invoke", slot, 0, "-");
}

uint32_t load_draws_pump(struct load_conn *conn, struct monotime now)
{
    struct load_proc *proc = conn->proc;
    struct load_draws *draws = conn->draws;
    struct load_pixel pixel;
    uint32_t count = 0;
    size_t len = 0;
    if (!proc->drawing || !load_conn_takes(conn) || monotime_reached(conn->move, now))
        return 0;
    if (!monotime_reached(draws->ready, now)) {
        load_conn_wake(conn, draws->ready);
        return 0;
    }
    while (draws->in_flight < draws->window && draws->next - draws->oldest < draws->slot_count &&
           load_work_take(&proc->work, now, &pixel)) {
        take_slot(conn, &pixel, now);
        len += frame_draw(proc, proc->out + len, slot_of(draws, draws->next - 1));
        count++;
    }
    load_conn_write(conn, proc->out, len);
    return count;
}

// Sends again what is not answered, in its order: all of it after a new WELCOME, else only what waits for its
// repetition.
static void send_again(struct load_conn *conn, bool all, struct monotime now)
{
    struct load_proc *proc = conn->proc;
    struct load_draws *draws = conn->draws;
    size_t len = 0;
    for (uint32_t nonce = draws->oldest; nonce != draws->next; nonce++) {
        struct slot *slot = slot_of(draws, nonce);
        if (slot->state == SLOT_FREE)
            continue;
        if (!all && slot->state == SLOT_SENT)
            continue;
        if (!all && !monotime_reached(slot->due, now)) {
            load_conn_wake(conn, slot->due);
            continue;
        }
        slot->state = SLOT_SENT;
        proc->stats->resent++;
        note(conn, now, "again", slot, 0, "-");
        len += frame_draw(proc, proc->out + len, slot); // fits: SLOTS_MAX frames are far below LOAD_OUT_LEN
    }
    load_conn_write(conn, proc->out, len);
}

_Static_assert(SLOTS_MAX *FRAME_LEN <= LOAD_OUT_LEN, "a turn's draws fit the buffer");

void load_draws_open(struct load_conn *conn, const struct ws_welcome *welcome, struct monotime now)
{
    struct load_draws *draws = conn->draws;
    draws->ready = monotime_add_ms(now, welcome->wait_ms);
    send_again(conn, true, now);
    if (draws->cooldown_ms > 0 && draws->in_flight == 0)
        draws->next = draws->oldest = welcome->next_nonce;
    if (conn->proc->work.rate == 0)
        (void)load_draws_pump(conn, now);
}

void load_draws_on_timer(struct load_conn *conn, struct monotime now)
{
    if (!load_conn_takes(conn))
        return;
    send_again(conn, false, now);
    (void)load_draws_pump(conn, now);
}

// ---- Answers ------------------------------------------------------------------------------------------------------

static void free_slot(struct load_conn *conn, struct slot *slot)
{
    struct load_draws *draws = conn->draws;
    slot->state = SLOT_FREE;
    draws->in_flight--;
    conn->proc->stats->in_flight--;
    while (draws->oldest != draws->next && slot_of(draws, draws->oldest)->state == SLOT_FREE)
        draws->oldest++;
}

static void on_placed(struct load_conn *conn, struct slot *slot, const struct ws_verdict *verdict, struct monotime now)
{
    struct load_stats *stats = conn->proc->stats;
    hist_add(&stats->ack_us, (uint64_t)monotime_diff_us(now, slot->first));
    stats->last_verdict_us = now.us;
    if (verdict->seq == 0)
        stats->unexpected++;
    note(conn, now, "acknowledged", slot, verdict->seq, verdict_name(verdict->code));
    free_slot(conn, slot);
    if (conn->draws->cooldown_ms > 0)
        conn->draws->ready = monotime_add_ms(now, verdict->wait_ms);
}

// Refusals that pass: the pixel is drawn again later, by whoever is free then.
static void on_refused(struct load_conn *conn, struct slot *slot, const struct ws_verdict *verdict, struct monotime now)
{
    struct load_proc *proc = conn->proc;
    bool final =
        verdict->code == VERDICT_BAD_COLOR || verdict->code == VERDICT_OUT_OF_BOUNDS || verdict->code >= VERDICT_LOCKED;
    uint32_t wait_ms = verdict->wait_ms > REFUSED_WAIT_MS ? verdict->wait_ms : REFUSED_WAIT_MS;
    struct monotime due = monotime_add_ms(now, wait_ms);
    struct load_pixel pixel = slot->pixel;
    note(conn, now, "refused", slot, 0, verdict_name(verdict->code));
    free_slot(conn, slot);
    if (final)
        proc->stats->refused += proc->work.image != NULL;
    else if (load_work_return(&proc->work, &pixel, due) != 0)
        proc->stats->refused++;
    if (!final && verdict->code != VERDICT_STALE)
        conn->draws->ready = due;
}

int load_draws_on_verdict(struct load_conn *conn, const struct load_frame *frame, struct monotime now)
{
    struct load_draws *draws = conn->draws;
    struct load_stats *stats = conn->proc->stats;
    struct ws_verdict verdict;
    if (ws_decode_verdict(frame->payload, frame->len, &verdict) != 0)
        return ERR_MALFORMED;
    struct slot *slot = slot_of(draws, verdict.nonce);
    if (slot->state != SLOT_SENT || slot->nonce != verdict.nonce || slot->pixel.x != verdict.x ||
        slot->pixel.y != verdict.y) {
        stats->unexpected++;
        return 0;
    }
    stats->verdicts[verdict.code < VERDICT_COUNT ? verdict.code : VERDICT_COUNT]++;
    if (verdict.code == VERDICT_UNAVAILABLE) {
        note(conn, now, "refused", slot, 0, verdict_name(verdict.code));
        slot->state = SLOT_REPEAT;
        slot->due = monotime_add_ms(now, REPEAT_MS);
        load_conn_wake(conn, slot->due);
        return 0;
    }
    if (verdict.code == VERDICT_PLACED)
        on_placed(conn, slot, &verdict, now);
    else
        on_refused(conn, slot, &verdict, now);
    if (draws->cooldown_ms > 0)
        draws->next = draws->oldest = verdict.next_nonce;
    return 0;
}

void load_draws_expire(struct load_conn *conn, struct monotime before)
{
    struct load_draws *draws = conn->draws;
    for (uint32_t nonce = draws->oldest; nonce != draws->next; nonce++) {
        struct slot *slot = slot_of(draws, nonce);
        if (slot->state == SLOT_FREE || !monotime_before(slot->first, before))
            continue;
        note(conn, loop_now_exact(), "unknown", slot, 0, "-");
        conn->proc->stats->unknown++;
        free_slot(conn, slot);
    }
}

void load_draws_give_up(struct load_conn *conn)
{
    load_draws_expire(conn, MONOTIME_NEVER);
}
