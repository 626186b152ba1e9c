#include "common/core/monotime.h"

static int64_t add_saturated(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

struct monotime monotime_add_us(struct monotime t, int64_t us)
{
    return (struct monotime){add_saturated(t.us, us)};
}

struct monotime monotime_add_ms(struct monotime t, int64_t ms)
{
    int64_t us;
    if (__builtin_mul_overflow(ms, 1000, &us))
        us = ms > 0 ? INT64_MAX : INT64_MIN;
    return monotime_add_us(t, us);
}

int64_t monotime_diff_us(struct monotime to, struct monotime from)
{
    int64_t diff;
    if (!__builtin_sub_overflow(to.us, from.us, &diff))
        return diff;
    return to.us > from.us ? INT64_MAX : INT64_MIN;
}

int64_t monotime_diff_ms(struct monotime to, struct monotime from)
{
    int64_t us = monotime_diff_us(to, from);
    int64_t rest = us % 1000;
    return us / 1000 + (rest > 0 ? 1 : rest < 0 ? -1 : 0);
}
