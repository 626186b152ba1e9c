// A draw inside the shard, from FORWARD to its answer, and the pool that bounds how many there are. Pure.
//
//   pool ──place_draw──► its tile's queue ──► a batch ──► answered ──► pool
//                              ▲────────────────┘ outcome unknown, fenced, rewound
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/monotime.h"
#include "proto/link_proto.h"

struct draw {
    struct draw *next;
    struct link_draw asked;      // as the gateway sent it
    struct link_verdict verdict; // once `decided`, or answered
    struct monotime arrived;
    uint32_t peer_generation;
    uint16_t peer;
    bool decided;   // its verdict is known without Redis, but waits for those before it
    bool uncertain; // an earlier attempt may have placed it
    bool not_owner; // the answer is NOT_OWNER
    bool recorded;  // with cooldown 0: made with a cooldown, so only the user's record knows it. Never placed now
};

// First in, first out. Zeroed memory is an empty list.
struct draw_list {
    struct draw *first;
    struct draw *last;
    uint32_t count;
};

void draw_push(struct draw_list *list, struct draw *draw);
struct draw *draw_pop(struct draw_list *list); // NULL when empty
// All of `from` behind, or before, those of `list`; `from` is empty then.
void draw_append(struct draw_list *list, struct draw_list *from);
void draw_prepend(struct draw_list *list, struct draw_list *from);

struct draw_chunk;

// Zeroed memory, with `max` set, is an empty pool. It allocates in chunks and gives nothing back before draw_pool_fini.
struct draw_pool {
    struct draw_chunk *chunks;
    struct draw *spare;
    uint32_t made;
    uint32_t used;
    uint32_t max;
};

// NULL when `max` are in use, or without memory.
struct draw *draw_new(struct draw_pool *pool);
void draw_release(struct draw_pool *pool, struct draw *draw);
void draw_pool_fini(struct draw_pool *pool);
