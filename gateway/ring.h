// The recent updates of one tile, without a hole, so that whoever is a little behind gets what it missed and not the
// tile anew. Pure.
//
//        base                                        end
//    ──────┤ base+1  …  │ epoch changes │  …   end   ├──────►      at most `max` records, at most RING_EPOCHS epochs
//
// A position is in the ring when it is base, end, or one between them with the epoch that the placement with its
// number had. All of a tile's history after such a position is here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/position.h"

#define RING_EPOCHS 16u

// From record `first` on, up to the next span, the placements carry `epoch`.
struct ring_span {
    uint64_t epoch;
    uint32_t first;
};

struct ring {
    uint8_t *records;  // that of number s lies at s modulo capacity
    uint32_t capacity; // 0 or a power of two; grows by need
    uint32_t max;
    uint32_t count;
    struct position base;
    uint32_t span_count;
    struct ring_span spans[RING_EPOCHS];
};

// Empty, at position (0, 0). `max` is rounded up to a power of two. Allocates nothing.
void ring_init(struct ring *ring, uint32_t max);
void ring_fini(struct ring *ring);

// Forgets everything and starts at `pos`.
void ring_restart(struct ring *ring, struct position pos);

// Appends `count` records that follow the end; `epoch` is not before the end's. What does not fit falls out at the old
// side, if need be the first of these records too.
void ring_push(struct ring *ring, uint64_t epoch, uint32_t count, const uint8_t *records);

struct position ring_end(const struct ring *ring);
bool ring_has(const struct ring *ring, struct position pos);

// Records first … first + count - 1, all of one epoch.
struct ring_run {
    uint32_t first, count;
    uint64_t epoch;
    uint64_t previous_epoch; // of placement first - 1
};

// The longest run of at most `limit` records that directly follows `from` and does not go past `to`. Both are in the
// ring. False when there is nothing between them.
bool ring_next(const struct ring *ring, struct position from, struct position to, uint32_t limit, struct ring_run *run);

// Where a run ends.
struct position ring_run_end(const struct ring_run *run);

// Copies the records of a run: 3 bytes each.
void ring_copy(const struct ring *ring, const struct ring_run *run, uint8_t *to);

// Bytes allocated.
size_t ring_bytes(const struct ring *ring);
