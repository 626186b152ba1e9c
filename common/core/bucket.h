// Token bucket: a limit of so many per second, with a burst. Starts full.
//
// Time that jumps back adds nothing and loses nothing; time that jumps ahead fills the bucket at most once.
#pragma once

#include "common/core/monotime.h"

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    uint32_t rate_per_s; // 0 = no limit; may be changed, as may the burst
    uint32_t burst;      // most tokens at once; 0 counts as 1
    uint64_t level;      // millionths of a token
    struct monotime filled;
};

void bucket_init(struct bucket *bucket, uint32_t rate_per_s, uint32_t burst, struct monotime now);

// Takes `n` tokens, or none and returns false. More than `burst` at once are never granted.
bool bucket_take(struct bucket *bucket, struct monotime now, uint32_t n);

// Milliseconds until `n` tokens can be taken, rounded up; 0 = now. INT64_MAX when n is more than the bucket can ever
// hold.
int64_t bucket_wait_ms(struct bucket *bucket, struct monotime now, uint32_t n);
