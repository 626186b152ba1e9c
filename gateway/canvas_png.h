// A canvas as an indexed PNG in memory. Pure; may run on the worker.
#pragma once

#include <stdint.h>

#include "common/core/geom.h"
#include "common/core/palette.h"
#include "gateway/shared_buf.h"

// `tiles` holds the pixels (edge * edge) of each tile of the canvas, row by row. A color that the palette does not have
// is shown as the background. NULL without memory.
struct shared_buf *canvas_png(const struct geom *geom, const struct palette *palette, const uint8_t *const *tiles);
