#include "proto/verdict.h"

const char *verdict_name(unsigned code)
{
    static const char *const names[VERDICT_COUNT] = {
        [VERDICT_PLACED] = "placed",
        [VERDICT_COOLDOWN] = "cooldown",
        [VERDICT_STALE] = "stale",
        [VERDICT_BAD_COLOR] = "bad_color",
        [VERDICT_OUT_OF_BOUNDS] = "out_of_bounds",
        [VERDICT_READ_ONLY] = "read_only",
        [VERDICT_OVERLOADED] = "overloaded",
        [VERDICT_UNAVAILABLE] = "unavailable",
        [VERDICT_ALLOWANCE] = "allowance",
        [VERDICT_LOCKED] = "locked",
        [VERDICT_BANNED] = "banned",
    };
    return code < VERDICT_COUNT ? names[code] : "unknown";
}
