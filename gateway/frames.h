// TILE and SNAPSHOT messages as ready WebSocket frames (PROTOCOL.md 1.2), made once and shared by all who get them.
// Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/geom.h"
#include "common/core/position.h"
#include "gateway/ring.h"
#include "gateway/shared_buf.h"

// TILE frames with all that the ring has after `from` up to `to`, which are both in it, `from` before `to`. One frame
// for each epoch and 8192 placements. NULL without memory.
struct shared_buf *frames_tile(const struct ring *ring, struct tile tile, struct position from, struct position to);

// A SNAPSHOT frame of `len` pixels, compressed if that is shorter. NULL without memory. May run on the worker.
struct shared_buf *frames_snapshot(struct tile tile, struct position pos, uint64_t checksum, const uint8_t *px,
                                   uint32_t len);

// All buffers one after the other. NULL without memory; entries that are NULL count as empty.
struct shared_buf *frames_join(struct shared_buf *const *bufs, size_t count);
