// What the files of place.h share. Not for others.
#pragma once

#include <sys/queue.h>

#include "common/core/hash_table.h"
#include "proto/keys.h"
#include "shard/place.h"
#include "shard/windows.h"

// States of a tile, and the list of struct place that it is on in each.
enum tile_state {
    TILE_HELD,   // held: not owned, and draws wait for the view, for Redis, or for their turn to be taken
    TILE_TAKING, // taking: take.lua is in flight; draws may wait
    TILE_OWNED,  // owned: nothing waits
    TILE_READY,  // ready: owned, draws wait
    TILE_FLYING, // flying: owned, in a batch; more draws may wait
};
#define TILE_STATES 5

TAILQ_HEAD(tile_list, place_tile);

// A tile that is owned, or has draws: all others are not remembered.
struct place_tile {
    struct tile tile;
    uint32_t key; // tile_key
    enum tile_state state;
    bool beat_due;  // in `due`
    uint64_t epoch; // of our taking; this and the following while owned
    struct position pos;
    uint32_t told_seq; // of the last position beat, or as it was taken
    uint64_t checksum;
    struct monotime placed_at;
    struct monotime held_since;
    struct draw_list queue;
    struct windows_tile windows;
    bool recent; // in `recent` of struct place
    bool voided; // FLYING: to be taken anew once the batch is answered
    TAILQ_ENTRY(place_tile) in_list, in_recent, in_due;
    UT_hash_handle hh;
};

struct batch_tile {
    struct place_tile *tile;
    struct draw_list draws; // all, in order; those `decided` are not sent
    uint16_t sent;          // draws that are
    uint16_t recorded;      // of these, cooldown 0
    uint16_t windows_from;  // into batch->windows, cooldown 0
    uint16_t windows_count;
};

// A connection's window as it will be when the batch was placed.
struct batch_window {
    struct windows_key key;
    struct window window;
};

struct batch {
    bool in_flight;
    uint16_t tile_count;
    uint16_t sent;
    uint16_t window_count;
    uint16_t recorded; // cooldown 0: draws that are looked up in their users' records
    uint32_t cooldown_ms;
    struct monotime sent_at;
    struct batch_tile tiles[LIMIT_BATCH_DRAWS];
    struct batch_window windows[LIMIT_BATCH_DRAWS];
};

struct batch_builder;

struct place {
    const char *address;
    uint64_t incarnation;
    struct canvas_config config;
    bool pressure, connected, leaving;

    struct member_view view;
    uint64_t view_known; // greatest number that somebody named
    bool view_wanted, view_reading;

    struct peer peers[LIMIT_SHARD_LINKS];
    struct draw_pool pool;
    struct draw_list answers;
    struct windows windows;
    struct place_tile *tiles;
    struct tile_list lists[TILE_STATES];
    uint32_t list_counts[TILE_STATES];
    uint32_t ready_draws; // waiting in tiles that are READY

    struct batch batches[PLACE_BATCHES_MAX];
    uint32_t batches_in_flight;
    uint64_t mark; // rounds of windows_entry.mark
    struct batch_builder *builder;

    struct monotime second_began, beats_at;
    uint32_t second_answers, rate;
    struct tile_list recent; // placed on within PLACE_BEAT_AFTER_MS, or a little longer ago; the latest last
    struct tile_list due;    // to have a position beat
    struct place_stats stats;
};

// place_tile.c: the only place where a tile changes its state.
struct place_tile *tile_find(struct place *place, struct tile tile);
// Finds, or makes one that is HELD since `now`. NULL without memory.
struct place_tile *tile_get(struct place *place, struct tile tile, struct monotime now);
void tile_set_state(struct place *place, struct place_tile *tile, enum tile_state state);
// Its draws changed: OWNED or READY, whichever is right. For tiles that are owned and not FLYING.
void tile_settle(struct place *place, struct place_tile *tile);
// It is owned no longer: HELD with its draws, or forgotten. Not for FLYING ones.
void tile_disown(struct place *place, struct place_tile *tile, struct monotime now);
void tile_forget(struct place *place, struct place_tile *tile);
void tile_push(struct place *place, struct place_tile *tile, struct draw *draw);
// It was placed on.
void tile_touch(struct place *place, struct place_tile *tile, struct monotime now);
void tile_set_due(struct place *place, struct place_tile *tile, bool due);

// ownership.c
bool place_wins(const struct place *place, struct tile tile);
// Somebody else owns the tile, or may: all that waits there is answered NOT_OWNER.
void place_refuse_queue(struct place *place, struct place_tile *tile);
// The tile cannot be had: all that waits there is answered with this, and it is forgotten.
void place_deny_tile(struct place *place, struct place_tile *tile, uint8_t code, uint32_t wait_ms);
// Decides what can be decided of the HELD tiles.
void place_decide(struct place *place);
void place_want_view(struct place *place);

// place.c
void place_answer(struct place *place, struct draw *draw, const struct link_verdict *verdict);
// The link that the draw came from is still there.
bool place_peer_lives(const struct place *place, const struct draw *draw);

// batch_args.c
struct batch_builder *batch_builder_new(void);
void batch_builder_free(struct batch_builder *builder);
void batch_build(struct place *place, const struct batch *batch, struct batch_args *out);
