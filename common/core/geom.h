// Where a pixel lies: canvas, tiles and offsets. Pure arithmetic.
//
// A tile at the right or bottom edge may reach past the canvas. It is stored with the full stride all the same, so that
// a growing canvas moves no pixel; what lies outside is simply not visible.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GEOM_SIDE_MAX 65536u // most columns or rows of a canvas
#define GEOM_EDGE_MAX 256u   // most columns (and rows) of a tile

struct tile {
    uint16_t tx; // column of tiles, 0 at the left
    uint16_t ty; // row of tiles, 0 at the top
};

struct geom {
    uint32_t width;  // pixels, 1 … GEOM_SIDE_MAX
    uint32_t height; // pixels, 1 … GEOM_SIDE_MAX
    uint16_t edge;   // pixels on a side of a tile: 64, 128 or 256
};

// All other functions ask for a valid geometry.
bool geom_valid(const struct geom *geom);

// Tiles in a row, in a column, and in all (at most 1024 * 1024).
uint32_t geom_across(const struct geom *geom);
uint32_t geom_down(const struct geom *geom);
uint32_t geom_count(const struct geom *geom);

// Bytes of a whole tile: edge * edge, at most 65536.
uint32_t geom_tile_len(const struct geom *geom);

bool geom_has_pixel(const struct geom *geom, uint32_t x, uint32_t y);
bool geom_has_tile(const struct geom *geom, struct tile tile);

// The tile of a pixel inside the canvas.
struct tile geom_tile_of(const struct geom *geom, uint32_t x, uint32_t y);

// Offset of a pixel inside its tile: (y % edge) * edge + x % edge.
uint16_t geom_offset_of(const struct geom *geom, uint32_t x, uint32_t y);

// Back from tile and offset to the pixel. `offset` is below geom_tile_len.
uint32_t geom_x(const struct geom *geom, struct tile tile, uint16_t offset);
uint32_t geom_y(const struct geom *geom, struct tile tile, uint16_t offset);

// The pixel (tile, offset) lies inside the canvas: offset below geom_tile_len and not past the edge.
bool geom_has_offset(const struct geom *geom, struct tile tile, uint32_t offset);

// Dense number of a tile, row by row, below geom_count; and back.
uint32_t geom_index(const struct geom *geom, struct tile tile);
struct tile geom_tile_at(const struct geom *geom, uint32_t index);

static inline bool tile_equal(struct tile a, struct tile b)
{
    return a.tx == b.tx && a.ty == b.ty;
}

// Both coordinates in one number, tx in the high half: a key for tables. It does not depend on the canvas.
static inline uint32_t tile_key(struct tile tile)
{
    return (uint32_t)tile.tx << 16 | tile.ty;
}
