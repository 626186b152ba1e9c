// An indexed PNG in memory, made row by row. Pure; may run on the worker.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/palette.h"
#include "gateway/shared_buf.h"

#define PNG_ROWS_OUTSIDE 255u // the color of what is outside the canvas, transparent, if the palette leaves it free

struct png_rows {
    uint32_t width, height;
    const struct palette *palette; // a color that it does not have is shown as the background
    bool has_outside;
    const uint8_t *(*row)(void *arg, uint32_t y); // `width` colors; y goes from 0 up
    void *arg;
};

// NULL without memory.
struct shared_buf *png_rows_write(const struct png_rows *rows);
