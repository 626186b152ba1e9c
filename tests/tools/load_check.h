// Comparing what gateways serve with an image, and with each other.
#pragma once

#include "tests/tools/load_api.h"
#include "tests/tools/load_image.h"
#include "tests/tools/load_stats.h"

// Every gateway's whole-canvas form and canvas.png against the image where it is opaque, the PNG also against the form,
// and the gateways against each other; again and again until all is equal or settle_ms is over. Differences are counted
// in `stats` and said on standard error. `image` may be NULL: gateways among themselves.
void load_check_gateways(const struct load_options *options, const struct load_canvas *canvas,
                         const struct load_image *image, struct load_stats *stats);
