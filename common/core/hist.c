#include "common/core/hist.h"

#define SUB (1u << HIST_SUB_BITS)

// Below SUB every value has a bucket of its own; from there on each power of two is cut into SUB of equal width.
static unsigned bucket_of(uint64_t value)
{
    if (value >= (uint64_t)1 << HIST_VALUE_BITS)
        return HIST_BUCKETS - 1;
    if (value < SUB)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
    return (shift << HIST_SUB_BITS) + (unsigned)(value >> shift);
}

// The greatest value of a bucket.
static uint64_t bucket_max(unsigned bucket)
{
    if (bucket < SUB)
        return bucket;
    unsigned shift = (bucket >> HIST_SUB_BITS) - 1;
    uint64_t top = (bucket & (SUB - 1)) + SUB;
    return ((top + 1) << shift) - 1;
}

void hist_add(struct hist *hist, uint64_t value)
{
    hist->count++;
    hist->sum += value;
    if (value > hist->max)
        hist->max = value;
    hist->buckets[bucket_of(value)]++;
}

void hist_merge(struct hist *hist, const struct hist *from)
{
    hist->count += from->count;
    hist->sum += from->sum;
    if (from->max > hist->max)
        hist->max = from->max;
    for (unsigned i = 0; i < HIST_BUCKETS; i++)
        hist->buckets[i] += from->buckets[i];
}

uint64_t hist_percentile(const struct hist *hist, double percent)
{
    double wanted = (double)hist->count * percent / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS - 1; i++) {
        seen += hist->buckets[i];
        if (seen > 0 && (double)seen >= wanted)
            return bucket_max(i) < hist->max ? bucket_max(i) : hist->max;
    }
    return hist->max;
}

uint64_t hist_count_below_pow2(const struct hist *hist, unsigned power)
{
    unsigned end = bucket_of((uint64_t)1 << (power < HIST_VALUE_BITS ? power : HIST_VALUE_BITS));
    uint64_t count = 0;
    for (unsigned i = 0; i < end; i++)
        count += hist->buckets[i];
    return count;
}
