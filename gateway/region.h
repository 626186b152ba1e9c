// A part of the canvas that is asked for as a picture (PROTOCOL.md 1.1, Region). Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "gateway/query.h"

#define REGION_SIDE_MAX 512     // pixels of the canvas
#define REGION_SCALE_MAX 32     // pixels of the picture on a side of one
#define REGION_PICTURE_MAX 1200 // pixels of the picture on a side

struct region {
    int32_t x, y; // the left upper corner; above -REGION_SIDE_MAX
    uint16_t w, h;
    uint8_t scale;
};

// The tiles that a region touches: a rectangle, row by row.
struct region_tiles {
    struct tile first;
    uint16_t across, down;
};

// x, y, w, h and scale (absent: 1). 0 or ERR_RANGE.
MUST_CHECK int region_parse(struct region *region, const struct query *query);

// False when nothing of it is on the canvas.
bool region_tiles(const struct region *region, const struct geom *geom, struct region_tiles *tiles);

static inline uint32_t region_count(const struct region_tiles *tiles)
{
    return (uint32_t)tiles->across * tiles->down;
}

// 0 … region_count - 1.
struct tile region_tile_at(const struct region_tiles *tiles, uint32_t i);

// In 59 bits; different for all that region_parse lets through.
uint64_t region_key(const struct region *region);
