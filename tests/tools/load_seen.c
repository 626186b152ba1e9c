#include "tests/tools/load_seen.h"

#include <stdatomic.h>

#include "common/core/mix.h"
#include "tests/tools/load_shared.h"

#define SLOTS (1u << 20)
#define TIME_BITS 40 // microseconds from the start: twelve days
#define AGE_MAX_US 60000000

// Each slot: the upper bits of the key's hash, and the time. One word, so that no reader sees half of each.
struct load_seen {
    struct monotime start;
    _Atomic uint64_t slots[SLOTS];
};

struct load_seen *load_seen_new(struct monotime start)
{
    struct load_seen *seen = load_shared_alloc(sizeof *seen);
    if (seen != NULL)
        seen->start = start;
    return seen;
}

static uint64_t key_hash(uint32_t x, uint32_t y, uint8_t color)
{
    return mix_final(((uint64_t)x << 24 | (uint64_t)y << 8 | color) + 1);
}

static uint64_t micros(const struct load_seen *seen, struct monotime t)
{
    return (uint64_t)monotime_diff_us(t, seen->start) & (((uint64_t)1 << TIME_BITS) - 1);
}

void load_seen_sent(struct load_seen *seen, uint32_t x, uint32_t y, uint8_t color, struct monotime sent)
{
    uint64_t hash = key_hash(x, y, color);
    uint64_t slot = hash >> TIME_BITS << TIME_BITS | micros(seen, sent);
    atomic_store_explicit(&seen->slots[hash % SLOTS], slot, memory_order_relaxed);
}

int64_t load_seen_age_us(const struct load_seen *seen, uint32_t x, uint32_t y, uint8_t color, struct monotime now)
{
    uint64_t hash = key_hash(x, y, color);
    uint64_t slot = atomic_load_explicit(&seen->slots[hash % SLOTS], memory_order_relaxed);
    if (slot == 0 || slot >> TIME_BITS != hash >> TIME_BITS)
        return -1;
    int64_t age = (int64_t)micros(seen, now) - (int64_t)(slot & (((uint64_t)1 << TIME_BITS) - 1));
    return age >= 0 && age <= AGE_MAX_US ? age : -1;
}
