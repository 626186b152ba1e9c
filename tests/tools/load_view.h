// What a connection watches: a run of tiles in the order of geom_index, as replicas, or as positions only, which is all
// that 100,000 connections of one machine have room for.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/tools/load_conn.h"

struct load_view;

// Tiles first … first + count - 1, at most LIMIT_WATCH_TILES. NULL without memory.
struct load_view *load_view_new(const struct geom *geom, uint32_t first, uint32_t count, bool replicas);
void load_view_free(struct load_view *view);

// Writes a HELLO with the view's tiles and positions (of no tile for NULL) to `to` (LIMIT_WS_MESSAGE bytes); returns
// its length.
size_t load_view_hello(const struct load_view *view, const struct load_proc *proc, uint64_t connection, uint8_t *to);

// 0, or ERR_MALFORMED also for a tile that is not watched. A gap is counted, and answered with RESUME.
MUST_CHECK int load_view_on_tile(struct load_conn *conn, const struct load_frame *frame, struct monotime now);
MUST_CHECK int load_view_on_snapshot(struct load_conn *conn, const struct load_frame *frame);

// How a view compares with what a gateway serves. Pixels are compared where positions are equal.
struct load_view_difference {
    uint64_t behind; // tiles at another position
    uint64_t pixels; // that differ at the same position
};

struct load_view_difference load_view_compare(const struct load_view *view, const struct load_tiles *tiles);

// Pixels of the view's replicas that are not what the image asks for; 0 for a view without replicas.
uint64_t load_view_mismatches(const struct load_view *view, const struct load_image *image);
