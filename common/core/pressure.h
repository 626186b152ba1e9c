// How full Redis is, from its INFO memory. Pure.
#pragma once

#include "common/core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRESSURE_PERCENT 80 // of maxmemory; above it draws are refused READ_ONLY

struct pressure {
    uint64_t used_bytes;
    uint64_t max_bytes; // 0 = no limit is set
};

// Reads used_memory and maxmemory from the text of INFO memory (or of all of INFO); no NUL needed. ERR_MALFORMED when
// one of them is missing or not a number.
MUST_CHECK int pressure_parse(struct pressure *pressure, const char *info, size_t len);

// Used memory is above PRESSURE_PERCENT of the limit. Never without a limit.
bool pressure_high(const struct pressure *pressure);
