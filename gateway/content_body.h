// Bodies of the canvas over HTTP, and the names of their states. Pure; may run on the worker.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/content.h"

#define CONTENT_ETAG_SIZE 48u
#define CONTENT_POSITION_SIZE 36u

// The ETag, with its quotes: of one tile its position, of a whole canvas a digest of all positions and the
// configuration; and the encoding.
void content_etag(char to[CONTENT_ETAG_SIZE], const struct content_part *part, const struct canvas_config *config,
                  struct tile_image *const *images, size_t count);

// "<epoch>-<seq>".
void content_position(char to[CONTENT_POSITION_SIZE], struct position pos);

// The body. `images` are all tiles of the canvas, row by row; of CONTENT_TILE the one, of CONTENT_REGION those that it
// touches. NULL without memory.
struct shared_buf *content_make(const struct content_part *part, const struct canvas_config *config,
                                struct tile_image *const *images, size_t count);
