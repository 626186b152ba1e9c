// The options that describe a canvas, of gateway and shard alike: whoever starts first seeds Redis with them, the
// others compare.
//
//   #include "common/io/conf.h" first, then
//   struct options { ... struct canvas_options canvas; ... };
//   static const struct conf_option rows[] = { ..., CANVAS_OPTION_ROWS(struct options, canvas), ... };
//   conf_load(...); canvas_options_config(&options.canvas, &config, error, sizeof error);
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "proto/canvas_config.h"

struct canvas_options {
    int64_t width, height;      // pixels
    int tile_edge;              // number of the choice in CANVAS_TILE_EDGE_CHOICES
    const char *palette;        // text of common/core/palette.h; empty = the default
    int64_t cooldown_ms;        // 0 = none
    int64_t guests_per_address; // placements per cooldown and address; 0 = off
};

#define CANVAS_TILE_EDGE_CHOICES "64|128|256"
#define CANVAS_PALETTE_TEXT_MAX 10496

// The configuration to seed with; its version is 0. 0; or ERR_MALFORMED or ERR_RANGE for the palette, with one line in
// `error`.
MUST_CHECK int canvas_options_config(const struct canvas_options *options, struct canvas_config *config, char *error,
                                     size_t error_size);

// Which of them were given: bits of enum canvas_given. `is_given` is conf_is_given, which proto does not know.
struct conf;
unsigned canvas_options_given(bool (*is_given)(const struct conf *conf, const char *name), const struct conf *conf);

#define CANVAS_OPTION_AT(type_, field_, member_) offsetof(type_, field_) + offsetof(struct canvas_options, member_)

// clang-format off
#define CANVAS_OPTION_ROWS(type_, field_)                                                                              \
    {.name = "width", .type = CONF_INT, .fallback = "1000", .min = 1, .max = 65536,                                    \
     .offset = CANVAS_OPTION_AT(type_, field_, width),                                                                 \
     .help = "columns of the canvas, when it is made"},                                                                \
    {.name = "height", .type = CONF_INT, .fallback = "1000", .min = 1, .max = 65536,                                   \
     .offset = CANVAS_OPTION_AT(type_, field_, height),                                                                \
     .help = "rows of the canvas, when it is made"},                                                                   \
    {.name = "tile-edge", .type = CONF_ENUM, .fallback = "256", .choices = CANVAS_TILE_EDGE_CHOICES,                   \
     .offset = CANVAS_OPTION_AT(type_, field_, tile_edge),                                                             \
     .help = "pixels on a side of a tile, when the canvas is made; never changed after"},                              \
    {.name = "palette", .type = CONF_STRING, .fallback = "", .max = CANVAS_PALETTE_TEXT_MAX,                           \
     .offset = CANVAS_OPTION_AT(type_, field_, palette),                                                               \
     .help = "colors as name=#rrggbb,..., the background first, when the canvas is made; empty for the 32 of 2022"},   \
    {.name = "cooldown", .type = CONF_DURATION, .fallback = "5m", .max = 86400000,                                     \
     .offset = CANVAS_OPTION_AT(type_, field_, cooldown_ms),                                                           \
     .help = "time between two placements of a user, when the canvas is made; 0 for none"},                            \
    {.name = "guests-per-address", .type = CONF_INT, .fallback = "16", .max = 1024,                                    \
     .offset = CANVAS_OPTION_AT(type_, field_, guests_per_address),                                                    \
     .help = "placements per cooldown that the guests of one address share, when the canvas is made; 0 for no limit"}
// clang-format on
