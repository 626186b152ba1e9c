#include "common/core/bucket.h"

// Levels are in millionths of a token: so one microsecond brings exactly rate_per_s of them, without rounding.
#define UNIT 1000000u

static uint64_t capacity(const struct bucket *bucket)
{
    return (uint64_t)(bucket->burst > 0 ? bucket->burst : 1) * UNIT;
}

void bucket_init(struct bucket *bucket, uint32_t rate_per_s, uint32_t burst, struct monotime now)
{
    *bucket = (struct bucket){.rate_per_s = rate_per_s, .burst = burst, .filled = now};
    bucket->level = capacity(bucket);
}

static void fill(struct bucket *bucket, struct monotime now)
{
    int64_t us = monotime_diff_us(now, bucket->filled);
    bucket->filled = now;
    if (bucket->level > capacity(bucket))
        bucket->level = capacity(bucket); // the burst was lowered
    if (us <= 0)
        return;
    uint64_t room = capacity(bucket) - bucket->level;
    uint64_t gain;
    if (__builtin_mul_overflow((uint64_t)us, (uint64_t)bucket->rate_per_s, &gain) || gain > room)
        gain = room;
    bucket->level += gain;
}

bool bucket_take(struct bucket *bucket, struct monotime now, uint32_t n)
{
    if (bucket->rate_per_s == 0)
        return true;
    fill(bucket, now);
    uint64_t cost = (uint64_t)n * UNIT;
    if (cost > bucket->level)
        return false;
    bucket->level -= cost;
    return true;
}

int64_t bucket_wait_ms(struct bucket *bucket, struct monotime now, uint32_t n)
{
    if (bucket->rate_per_s == 0)
        return 0;
    fill(bucket, now);
    uint64_t cost = (uint64_t)n * UNIT;
    if (cost <= bucket->level)
        return 0;
    if (cost > capacity(bucket))
        return INT64_MAX;
    uint64_t per_ms = (uint64_t)bucket->rate_per_s * 1000;
    return (int64_t)((cost - bucket->level + per_ms - 1) / per_ms);
}
