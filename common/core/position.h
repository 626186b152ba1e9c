// How far a tile's history is known: its placement counter and the epoch of the placement with that number.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct position {
    uint64_t epoch; // of the placement with number `seq`; 0 when there is none
    uint32_t seq;   // dense, from 1, continuing over epochs; 0 = never placed
};

static inline bool position_equal(struct position a, struct position b)
{
    return a.epoch == b.epoch && a.seq == b.seq;
}
