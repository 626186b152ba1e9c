// Numbers in decimal text. Pure; no sign, no space, no point.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"

static inline bool decimal_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

// All of the text, zeros in front included. ERR_MALFORMED: there is none, or something else than digits; ERR_RANGE: it
// is above `max`. *out is written only when it is read.
MUST_CHECK static inline int decimal_read(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    bool above = false;
    if (len == 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < len; i++) {
        if (!decimal_is_digit(text[i]))
            return ERR_MALFORMED;
        above = above || __builtin_mul_overflow(value, 10u, &value) ||
                __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value) || value > max;
    }
    if (above)
        return ERR_RANGE;
    *out = value;
    return 0;
}

// A number at *at, moved behind its digits. Without zeros in front, so that each has one form only. False: there is
// none, or it is above 65,535; where *at is says nothing then.
MUST_CHECK static inline bool decimal_take_u16(const char **at, const char *end, uint16_t *out)
{
    const char *start = *at;
    uint32_t value = 0;
    while (*at < end && decimal_is_digit(**at) && value <= UINT16_MAX)
        value = value * 10 + (uint32_t)(*(*at)++ - '0');
    *out = (uint16_t)value;
    return *at > start && value <= UINT16_MAX && (*start != '0' || *at == start + 1);
}
