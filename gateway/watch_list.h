// What clients say about their watch, as sorted lists. Pure.
#pragma once

#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/position.h"
#include "proto/limits.h"

struct watch_list {
    uint32_t count;
    struct tile tiles[LIMIT_WATCH_TILES]; // ascending by tile_key, none twice
    struct position pos[LIMIT_WATCH_TILES];
};

// The entries of a HELLO, WATCH or RESUME. 0; ERR_MALFORMED for too many, or a tile named twice; ERR_RANGE for a tile
// outside the canvas, which may have grown without this process having heard of it.
MUST_CHECK int watch_list_read(struct watch_list *watch, const struct geom *geom, const uint8_t *entries,
                               uint16_t count);
