// The verdicts of PROTOCOL.md.
#pragma once

#include <stdbool.h>

enum verdict_code {
    VERDICT_PLACED = 0,
    VERDICT_COOLDOWN = 1,
    VERDICT_STALE = 2,
    VERDICT_BAD_COLOR = 3,
    VERDICT_OUT_OF_BOUNDS = 4,
    VERDICT_READ_ONLY = 5,
    VERDICT_OVERLOADED = 6,
    VERDICT_UNAVAILABLE = 7,
    VERDICT_ALLOWANCE = 8,
    VERDICT_LOCKED = 9,
    VERDICT_BANNED = 10,
    VERDICT_COUNT = 11,
};

// "placed", "cooldown" …; "unknown" for any other. For metrics, logs and the load client's summary.
const char *verdict_name(unsigned code);

// Whether this answer also holds for earlier attempts at the same draw whose outcome is unknown. COOLDOWN and ALLOWANCE
// come after its nonce was looked up; STALE may mean that it was placed, and others since; READ_ONLY and the like look
// at nothing. Whoever repeats a draw passes on UNAVAILABLE (unknown) instead of one that does not.
static inline bool verdict_is_certain(unsigned code)
{
    return code == VERDICT_PLACED || code == VERDICT_COOLDOWN || code == VERDICT_ALLOWANCE ||
           code == VERDICT_BAD_COLOR || code == VERDICT_OUT_OF_BOUNDS || code == VERDICT_UNAVAILABLE;
}
