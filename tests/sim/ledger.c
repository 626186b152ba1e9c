#include "tests/sim/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/mix.h"
#include "proto/verdict.h"
#include "tests/sim/sim.h"

#define DRAWS_MAX 8192u
#define DRAW_SLOTS 32768u    // a power of two
#define HISTORY_SLOTS 32768u // likewise
#define HISTORY_MAX 24000u

struct entry {
    struct ledger_draw draw;
    uint32_t copies;  // sent by the client
    uint32_t applied; // in the present history
    uint32_t seq;     // where
    int64_t placed_us;
    bool acked, refused, answered;
    bool lost; // older data came back without it
    bool was_applied;
};

struct moment {
    unsigned tile;
    struct position pos; // seq 0: free
    uint64_t content;
    uint64_t checksum; // of the tile with it
};

struct tile_state {
    uint64_t epoch, owner; // of the last taking
    uint64_t epoch_max;    // ever given out; what a crash took back was told nobody
    uint64_t epoch_floor;  // of them: before the last return of older data
    struct position pos;
    uint64_t checksum;
};

static struct {
    uint32_t cooldown_ms;
    enum mutant mutant;
    uint32_t restores;
    uint32_t draw_count;
    uint32_t history_count;
    struct entry draws[DRAWS_MAX];
    uint16_t draw_slots[DRAW_SLOTS]; // number + 1
    struct moment history[HISTORY_SLOTS];
    struct tile_state tiles[DB_TILES];
    uint32_t last_nonces[LEDGER_CLIENTS_MAX][DB_TILES];
    int64_t placed_us[DB_USERS]; // each user's last placement in the present history
    struct ledger_counts counts;
} ledger;

// ---- Draws ---------------------------------------------------------------------------------------------------------

static uint32_t slot_of(uint64_t user, unsigned tile, uint16_t offset, uint8_t color)
{
    uint64_t key = user << 32 | (uint64_t)tile << 24 | (uint64_t)offset << 8 | color;
    uint32_t at = (uint32_t)mix_final(key + 1) & (DRAW_SLOTS - 1);
    for (; ledger.draw_slots[at] != 0; at = (at + 1) & (DRAW_SLOTS - 1)) {
        const struct ledger_draw *draw = &ledger.draws[ledger.draw_slots[at] - 1].draw;
        if (draw->user == user && draw->tile == tile && draw->offset == offset && draw->color == color)
            break;
    }
    return at;
}

static struct entry *find(uint64_t user, unsigned tile, uint16_t offset, uint8_t color)
{
    uint16_t number = ledger.draw_slots[slot_of(user, tile, offset, color)];
    return number != 0 ? &ledger.draws[number - 1] : NULL;
}

bool ledger_knows(uint64_t user, unsigned tile, uint16_t offset, uint8_t color)
{
    return ledger.draw_count == DRAWS_MAX || find(user, tile, offset, color) != NULL;
}

uint32_t ledger_draw(const struct ledger_draw *draw)
{
    uint32_t number = ledger.draw_count++;
    ledger.draws[number] = (struct entry){.draw = *draw};
    ledger.draw_slots[slot_of(draw->user, draw->tile, draw->offset, draw->color)] = (uint16_t)(number + 1);
    ledger.counts.draws++;
    return number;
}

void ledger_sent(uint32_t number)
{
    struct entry *entry = &ledger.draws[number];
    entry->copies++;
    ledger.counts.repeated += entry->copies > 1;
    sim_trace("client %u draws #%u: tile %u offset %u color %u nonce %u copy %u", entry->draw.client, number,
              entry->draw.tile, entry->draw.offset, entry->draw.color, entry->draw.nonce, entry->copies);
}

void ledger_renumber(uint32_t number, uint32_t nonce)
{
    ledger.draws[number].draw.nonce = nonce;
}

void ledger_gave_up(uint32_t number)
{
    ledger.draws[number].answered = true;
    ledger.counts.gave_up++;
}

static bool excused(const struct entry *entry)
{
    return entry->lost;
}

static void check_refused(const struct entry *entry, uint32_t number)
{
    if (entry->refused && !entry->acked && entry->applied > 0 && entry->copies == 1)
        sim_fail("refused", "draw %u was refused and is placed", number);
}

void ledger_verdict(uint32_t number, uint8_t code, uint32_t seq)
{
    struct entry *entry = &ledger.draws[number];
    sim_trace("client %u is told %s of #%u, seq %u", entry->draw.client, verdict_name(code), number, seq);
    if (code == VERDICT_UNAVAILABLE)
        return;
    entry->answered = true;
    if (code != VERDICT_PLACED) {
        entry->refused = true;
        ledger.counts.refused++;
        check_refused(entry, number);
        return;
    }
    ledger.counts.acked++;
    if (entry->applied == 0 && !excused(entry))
        sim_fail("acked", "draw %u is acknowledged and not in the log", number);
    entry->acked = !excused(entry);
    bool contained = entry->seq <= seq && seq <= ledger.tiles[entry->draw.tile].pos.seq && seq > 0;
    if (entry->applied > 0 && !contained && ledger.restores == 0)
        sim_fail("seq", "draw %u is told seq %u and is %u, tile at %u", number, seq, entry->seq,
                 ledger.tiles[entry->draw.tile].pos.seq);
}

// ---- Histories -----------------------------------------------------------------------------------------------------

static struct moment *moment_of(unsigned tile, struct position pos)
{
    uint64_t key = mix_final(pos.epoch + 1) ^ (uint64_t)pos.seq << 8 ^ tile;
    uint32_t at = (uint32_t)mix_final(key) & (HISTORY_SLOTS - 1);
    while (ledger.history[at].pos.seq != 0 &&
           (ledger.history[at].tile != tile || !position_equal(ledger.history[at].pos, pos)))
        at = (at + 1) & (HISTORY_SLOTS - 1);
    return &ledger.history[at];
}

static void note_moment(const struct db_batch *batch, const struct tile_state *tile, const struct db_record *record)
{
    struct moment *moment = moment_of(batch->tile, tile->pos);
    uint64_t content =
        mix_final(record->user << 32 | (uint64_t)record->offset << 8 | record->color) ^ (uint64_t)batch->tile;
    if (moment->pos.seq == 0) {
        if (ledger.history_count++ > HISTORY_MAX)
            abort();
        *moment = (struct moment){batch->tile, tile->pos, content, tile->checksum};
    } else if (moment->content != content || moment->checksum != tile->checksum) {
        sim_fail("history", "tile %u (%llu, %u) stands for two placements", batch->tile,
                 (unsigned long long)tile->pos.epoch, tile->pos.seq);
    }
}

void ledger_shows(const char *who, unsigned tile, struct position pos, uint64_t checksum)
{
    uint64_t right = 0;
    if (pos.seq > 0) {
        const struct moment *moment = moment_of(tile, pos);
        if (moment->pos.seq == 0) {
            sim_fail("content", "%s is at (%llu, %u) of tile %u, which never was", who, (unsigned long long)pos.epoch,
                     pos.seq, tile);
            return;
        }
        right = moment->checksum;
    }
    if (right != checksum)
        sim_fail("content", "%s shows other pixels of tile %u at (%llu, %u)", who, tile, (unsigned long long)pos.epoch,
                 pos.seq);
}

// ---- What happens --------------------------------------------------------------------------------------------------

static void on_cleared(void)
{
    for (uint32_t i = 0; i < ledger.draw_count; i++) {
        ledger.draws[i].was_applied = ledger.draws[i].applied > 0;
        ledger.draws[i].applied = 0;
    }
    for (unsigned i = 0; i < DB_TILES; i++)
        ledger.tiles[i] =
            (struct tile_state){.epoch_max = ledger.tiles[i].epoch_max, .epoch_floor = ledger.tiles[i].epoch_floor};
    memset(ledger.placed_us, 0, sizeof ledger.placed_us);
    memset(ledger.last_nonces, 0, sizeof ledger.last_nonces);
}

static void on_took(unsigned number, uint64_t epoch, uint64_t incarnation, bool again)
{
    struct tile_state *tile = &ledger.tiles[number];
    tile->epoch = epoch;
    tile->owner = incarnation;
    if (again)
        return;
    sim_trace("tile %u is taken: epoch %llu, owner %016llx, at (%llu, %u)", number, (unsigned long long)epoch,
              (unsigned long long)incarnation, (unsigned long long)tile->pos.epoch, tile->pos.seq);
    // What comes of it is what the mutants are for.
    if (epoch <= tile->epoch_max && ledger.mutant == MUTANT_NONE)
        sim_fail("epoch", "tile %u: epoch %llu comes again", number, (unsigned long long)epoch);
    if (epoch > tile->epoch_max)
        tile->epoch_max = epoch;
}

// Only draws that were sent once: a repetition comes when it comes.
static void check_order(const struct entry *entry, uint32_t number, bool again)
{
    uint32_t *last = &ledger.last_nonces[entry->draw.client][entry->draw.tile];
    if (ledger.cooldown_ms > 0 || entry->copies != 1)
        return;
    if (!again && entry->draw.nonce < *last)
        sim_fail("order", "draw %u (nonce %u) is placed after nonce %u of its connection", number, entry->draw.nonce,
                 *last);
    if (entry->draw.nonce > *last)
        *last = entry->draw.nonce;
}

// By the time that has really passed, whatever Redis' clock says.
static void check_cooldown(const struct entry *entry)
{
    int64_t *last_us = &ledger.placed_us[entry->draw.user % DB_USERS];
    int64_t passed_ms = (entry->placed_us - *last_us + 999) / 1000;
    if (ledger.cooldown_ms > 0 && *last_us != 0 && passed_ms < (int64_t)ledger.cooldown_ms)
        sim_fail("cooldown", "user %llu placed after %lld ms", (unsigned long long)entry->draw.user,
                 (long long)passed_ms);
    *last_us = entry->placed_us;
}

static void place_one(const struct db_batch *batch, uint32_t i, bool again)
{
    const struct db_record *record = &batch->records[i];
    struct tile_state *tile = &ledger.tiles[batch->tile];
    struct entry *entry = find(record->user, batch->tile, record->offset, record->color);
    tile->pos = (struct position){batch->epoch, batch->first + i};
    tile->checksum += mix64(record->offset, record->color) - mix64(record->offset, record->previous_color);
    note_moment(batch, tile, record);
    if (entry == NULL) {
        sim_fail("invented", "tile %u seq %u was drawn by nobody", batch->tile, tile->pos.seq);
        return;
    }
    uint32_t number = (uint32_t)(entry - ledger.draws);
    if (!again) {
        sim_trace("draw #%u is placed: tile %u (%llu, %u)", number, batch->tile, (unsigned long long)tile->pos.epoch,
                  tile->pos.seq);
        ledger.counts.placed++;
    }
    check_order(entry, number, again);
    entry->applied++;
    if (!again)
        entry->placed_us = sim_now_us();
    entry->lost = false;
    entry->seq = tile->pos.seq;
    if (entry->applied > 1)
        sim_fail("doubled", "draw %u is in the log twice", number);
    check_refused(entry, number);
    check_cooldown(entry);
}

static void on_placed(const struct db_batch *batch, bool again)
{
    struct tile_state *tile = &ledger.tiles[batch->tile];
    if (!again && (batch->epoch != tile->epoch || batch->incarnation != tile->owner))
        sim_fail("fence", "tile %u is written by %016llx with epoch %llu, and was taken by %016llx with %llu",
                 batch->tile, (unsigned long long)batch->incarnation, (unsigned long long)batch->epoch,
                 (unsigned long long)tile->owner, (unsigned long long)tile->epoch);
    if (batch->first != tile->pos.seq + 1 || batch->count == 0 || batch->epoch < tile->pos.epoch)
        sim_fail("dense", "tile %u goes on with (%llu, %u) after (%llu, %u)", batch->tile,
                 (unsigned long long)batch->epoch, batch->first, (unsigned long long)tile->pos.epoch, tile->pos.seq);
    for (uint32_t i = 0; i < batch->count; i++)
        place_one(batch, i, again);
}

static void on_summed(unsigned number, uint32_t seq, uint64_t checksum)
{
    const struct tile_state *tile = &ledger.tiles[number];
    if (seq != tile->pos.seq || checksum != tile->checksum)
        sim_fail("checksum", "tile %u has a wrong checksum at %u", number, seq);
}

void ledger_rewound(bool older)
{
    ledger.restores += older;
    for (unsigned i = 0; i < DB_TILES; i++) {
        struct tile_state *tile = &ledger.tiles[i];
        if (older)
            tile->epoch_floor = tile->epoch_max;
        else
            tile->epoch_max = tile->epoch > tile->epoch_floor ? tile->epoch : tile->epoch_floor;
    }
    for (uint32_t i = 0; i < ledger.draw_count; i++) {
        struct entry *entry = &ledger.draws[i];
        if (!entry->was_applied || entry->applied > 0)
            continue;
        if (!older && entry->acked)
            sim_fail("acked", "draw %u was acknowledged and is gone after a crash", i);
        ledger.counts.lost++;
        entry->lost = older;
        entry->acked = false;
    }
}

void ledger_settle(void)
{
    for (uint32_t i = 0; i < ledger.draw_count; i++) {
        const struct entry *entry = &ledger.draws[i];
        if (entry->acked && entry->applied != 1)
            sim_fail("acked", "draw %u was acknowledged and is not in the log", i);
        if (!entry->answered)
            sim_fail("answered", "draw %u never had an answer", i);
    }
}

// ---- Life ----------------------------------------------------------------------------------------------------------

void ledger_begin(uint32_t cooldown_ms, enum mutant mutant)
{
    memset(ledger.draw_slots, 0, sizeof ledger.draw_slots);
    memset(ledger.history, 0, sizeof ledger.history);
    memset(ledger.tiles, 0, sizeof ledger.tiles);
    memset(ledger.placed_us, 0, sizeof ledger.placed_us);
    memset(ledger.last_nonces, 0, sizeof ledger.last_nonces);
    ledger.counts = (struct ledger_counts){0};
    ledger.cooldown_ms = cooldown_ms;
    ledger.mutant = mutant;
    ledger.restores = ledger.draw_count = ledger.history_count = 0;
}

const struct db_observer *ledger_observer(void)
{
    static const struct db_observer observer = {
        .cleared = on_cleared, .took = on_took, .placed = on_placed, .summed = on_summed};
    return &observer;
}

struct ledger_counts ledger_counts(void)
{
    return ledger.counts;
}
