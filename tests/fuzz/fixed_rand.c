// common/io/rand.h without chance: the same in each run, so that an input shows the same thing twice.
#include "tests/fuzz/fixed_rand.h"

#include <sys/auxv.h>

#include "common/core/mix.h"
#include "common/io/rand.h"

static uint64_t state;

void fixed_rand_reset(void)
{
    state = 1;
}

uint64_t rand_u64(void)
{
    state += 0x9e3779b97f4a7c15u;
    return mix_final(state);
}

void rand_bytes(void *data, size_t len)
{
    uint8_t *at = data;
    while (len-- > 0)
        *at++ = (uint8_t)(rand_u64() >> 32);
}

uint64_t rand_below(uint64_t below)
{
    return below > 0 ? rand_u64() % below : 0;
}

// The seed of hash tables (common/core/hash_keyed.h).
unsigned long __wrap_getauxval(unsigned long type);
unsigned long __real_getauxval(unsigned long type);

unsigned long __wrap_getauxval(unsigned long type)
{
    static const uint64_t seed[2] = {1, 2};
    return type == AT_RANDOM ? (unsigned long)(uintptr_t)seed : __real_getauxval(type);
}
