#include "common/core/mix.h"

uint64_t mix_final(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t mix64(uint32_t offset, uint8_t color)
{
    return color == 0 ? 0 : mix_final((uint64_t)offset << 8 | color);
}

uint64_t mix_tile_checksum(const uint8_t *px, size_t len)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += mix64((uint32_t)i, px[i]);
    return sum;
}

uint64_t mix_fnv1a(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return hash;
}
