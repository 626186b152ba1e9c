// Bytes as one gzip member. Pure; may run on the worker.
#pragma once

#include <stdbool.h>

#include "common/core/err.h"
#include "gateway/shared_buf.h"

// NULL without memory.
struct shared_buf *gzip_fast(const struct shared_buf *raw);

// A member in three parts, of which the first and the last were packed before, and the one between is sent as it is
// (RFC 1951, 3.2.4): for what is the same each time but for a few lines. Making one costs no more than copying it.
#define GZIP_BETWEEN_MAX 65535u

struct gzip_part {
    struct shared_buf *blocks; // of deflate, whole bytes of them; NULL: not made
    size_t raw_len;
    uint32_t crc;
};

// `last`: nothing comes behind it. ERR_NOMEM: it is as it was.
MUST_CHECK int gzip_part_make(struct gzip_part *part, const void *data, size_t len, bool last);
void gzip_part_fini(struct gzip_part *part);
// NULL without memory. `len` is at most GZIP_BETWEEN_MAX.
struct shared_buf *gzip_join(const struct gzip_part *first, const void *between, size_t len,
                             const struct gzip_part *last);
