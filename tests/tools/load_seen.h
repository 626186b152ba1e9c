// When the latest draws were sent, for whoever sees them arrive: in memory that the processes share, looked up by pixel
// and color. A table of fixed size in which the later draw overwrites: now and then a sample is lost, never is one
// wrong by more than a second draw of the same pixel and color within its own latency.
#pragma once

#include <stdint.h>

#include "common/core/err.h"
#include "common/core/monotime.h"

struct load_seen;

// Shared with children of fork. NULL without memory.
struct load_seen *load_seen_new(struct monotime start);

void load_seen_sent(struct load_seen *seen, uint32_t x, uint32_t y, uint8_t color, struct monotime sent);

// Microseconds since that draw was sent, or -1 when nothing is known of one in the last minute.
int64_t load_seen_age_us(const struct load_seen *seen, uint32_t x, uint32_t y, uint8_t color, struct monotime now);
