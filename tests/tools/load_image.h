// Images as what they ask of a canvas: a palette index for each pixel, or nothing where they are transparent.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "tests/tools/load_api.h"

#define LOAD_TRANSPARENT 0xffffu

// As large as the canvas; parts of a PNG that reach past it are cut off, parts that it does not cover are transparent.
struct load_image {
    uint32_t width;
    uint32_t height;
    uint16_t *px;
};

// Reads PNGs and lays each over those before it; colors become the nearest ones of the palette. Says what is wrong on
// standard error.
MUST_CHECK int load_image_read(struct load_image *image, const char *const *paths, unsigned count,
                               const struct load_canvas *canvas);
void load_image_fini(struct load_image *image);

// The palette's color at the least distance; the first of equals.
uint8_t load_image_nearest(const struct load_canvas *canvas, const uint8_t rgb[3]);

// The places (y * width + x) where the image asks for another color than `present` has, in rows, in memory to be freed.
// NULL without memory. Never more than 2^32 - 1: a canvas of 65,536 square is not painted from one image.
uint32_t *load_image_changes(const struct load_image *image, const struct load_tiles *present, uint32_t *count);
