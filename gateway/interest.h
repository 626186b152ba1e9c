// Who watches what. Clients with the same set of tiles are one audience: a set is kept once, and what is made for it is
// made once. Pure.
//
//   interest ──► audience (sorted tiles, clients in the order of acceptance) ──► held
//                    ▲                                                            │
//                    └──────────────────── interest_tile.slots ◄──────────────────┘
//
// Clients stand in an array in the order in which they came, as a walk in the order of memory is half as dear as one
// across it. Who leaves leaves a hole; holes are closed when they are more than half.
//
// Clients are dealt out over lanes (fanout.h), which are served one after the other. An audience is of one lane: the
// same set in another lane is another audience.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/hash_table.h"

#define INTEREST_LANES 8u

struct audience;
struct held;
struct hub_client;

// A tile of an audience, and where the audience stands in the tile's list of watchers.
struct watch {
    struct held *held;
    uint32_t slot;
};

struct interest_slot {
    struct audience *audience;
    uint32_t watch; // of the audience's
};

struct interest_slots {
    struct interest_slot *slots;
    uint32_t count, capacity;
};

// The tile's side, embedded in struct held. Zeroed at first.
struct interest_tile {
    uint32_t count; // audiences, over all lanes
    struct interest_slots lanes[INTEREST_LANES];
};

void interest_tile_fini(struct interest_tile *tile);

struct audience {
    uint32_t lane;
    uint32_t count;              // tiles
    uint32_t members;            // clients
    uint32_t used, capacity;     // of the array, holes included
    struct hub_client **clients; // NULL: a hole
    bool pinned;                 // a round walks over it: no hole is closed, and it stays when the last client goes
    uint32_t *id;                // lane, then the keys: what the table finds it by
    uint32_t *keys;              // tile_key of each tile, ascending
    UT_hash_handle hh;           // by id
    struct watch watches[];      // in the order of keys
};

struct interest {
    struct audience *audiences;
    uint32_t count, members;
    uint32_t lane_members[INTEREST_LANES];
    size_t bytes; // of all audiences, with their places in the tiles' lists
    // A tile lost its last watcher.
    void (*on_unwatched)(struct held *held, void *arg);
    void *arg;
};

void interest_init(struct interest *interest, void (*on_unwatched)(struct held *held, void *arg), void *arg);
// All clients have been removed.
void interest_fini(struct interest *interest);

// The lane's audience of these tiles (ascending by key, none twice), made if there is none. One that got no client must
// be given to interest_settle. ERR_NOMEM.
MUST_CHECK int interest_intern(struct interest *interest, uint32_t lane, struct held *const *tiles, uint32_t count,
                               struct audience **audience);

// An audience of these tiles, of whatever lane, in which somebody is. NULL if there is none.
struct audience *interest_anywhere(const struct interest *interest, struct held *const *tiles, uint32_t count);

// Puts the client at the end, and takes it out of the audience that it was in, which must be another. ERR_NOMEM.
MUST_CHECK int interest_add(struct interest *interest, struct audience *audience, struct hub_client *client);
// Takes it out, and frees an audience without clients unless it is pinned.
void interest_remove(struct interest *interest, struct hub_client *client);

// Unpinned: closes holes, or frees the audience when nobody is in it.
void interest_settle(struct interest *interest, struct audience *audience);

// What the audience adds to `bytes`.
size_t interest_audience_bytes(const struct audience *audience);

// Index of a tile in the audience, or -1.
int interest_find(const struct audience *audience, uint32_t key);
