// A moment of the monotonic clock. A struct, so that it cannot be mixed up with a duration, a wall-clock time or
// another unit. Durations are plain integers whose names end in their unit.
//
// Pure code gets the moment as an argument; only the loop makes it from a clock. All arithmetic saturates.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct monotime {
    int64_t us; // microseconds from an arbitrary start
};

// Later than every moment: "no deadline".
#define MONOTIME_NEVER ((struct monotime){INT64_MAX})

struct monotime monotime_add_us(struct monotime t, int64_t us);
struct monotime monotime_add_ms(struct monotime t, int64_t ms);

// From `from` to `to`; negative when `to` is earlier.
int64_t monotime_diff_us(struct monotime to, struct monotime from);

// The same in milliseconds, rounded away from zero, so that a timer armed with it never fires early.
int64_t monotime_diff_ms(struct monotime to, struct monotime from);

static inline bool monotime_before(struct monotime a, struct monotime b)
{
    return a.us < b.us;
}

// `t` is now or in the past.
static inline bool monotime_reached(struct monotime t, struct monotime now)
{
    return t.us <= now.us;
}

static inline struct monotime monotime_min(struct monotime a, struct monotime b)
{
    return a.us < b.us ? a : b;
}
