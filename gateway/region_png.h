// A region of the canvas as an indexed PNG. Pure; may run on the worker.
#pragma once

#include <stdint.h>

#include "common/core/palette.h"
#include "gateway/region.h"
#include "gateway/shared_buf.h"

// `px` holds the pixels (edge * edge) of each tile of region_tiles, which must have said yes, row by row. What is
// outside the canvas is transparent, or, when the palette has 256 colors, background. NULL without memory.
struct shared_buf *region_png(const struct geom *geom, const struct palette *palette, const struct region *region,
                              const uint8_t *const *px);
