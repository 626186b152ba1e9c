// The HTTP API as the load client uses it. Errors are said on standard error where they happen.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/position.h"
#include "common/core/token.h"
#include "tests/tools/load_options.h"

struct load_canvas {
    struct geom geom;
    uint32_t cooldown_ms;
    uint16_t colors;
    uint8_t rgb[256][3];
};

// A whole canvas, tile by tile in the order of geom_index.
struct load_tiles {
    struct geom geom;
    struct position *positions;
    uint8_t *px; // geom_tile_len each
};

MUST_CHECK int load_api_canvas(const struct load_target *target, struct load_canvas *canvas);

// A guest's token for each of `count` places of TOKEN_TEXT_SIZE bytes, asked from the gateways in turn.
MUST_CHECK int load_api_sessions(const struct load_options *options, char (*tokens)[TOKEN_TEXT_SIZE], uint32_t count);

// The same, signed here with the keys of a file. The users depend on the seed only.
MUST_CHECK int load_api_sign(const struct load_options *options, char (*tokens)[TOKEN_TEXT_SIZE], uint32_t count);

// The colors that a gateway serves now; tile by tile where the canvas is too big for the whole form.
MUST_CHECK int load_api_tiles(const struct load_target *target, const struct geom *geom, struct load_tiles *tiles);
void load_tiles_fini(struct load_tiles *tiles);

static inline const uint8_t *load_tiles_px(const struct load_tiles *tiles, uint32_t index)
{
    return tiles->px + (size_t)index * geom_tile_len(&tiles->geom);
}

static inline uint8_t load_tiles_color(const struct load_tiles *tiles, uint32_t x, uint32_t y)
{
    uint32_t index = geom_index(&tiles->geom, geom_tile_of(&tiles->geom, x, y));
    return load_tiles_px(tiles, index)[geom_offset_of(&tiles->geom, x, y)];
}

// canvas.png as width * height * 3 bytes, to be freed; NULL when it is not to be had.
uint8_t *load_api_png(const struct load_target *target, const struct geom *geom);
