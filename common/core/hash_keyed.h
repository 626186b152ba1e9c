// A hash for tables whose keys strangers choose. It is keyed with the random bytes that the kernel gives every process,
// so nobody outside knows which keys collide, and cannot make a chain of them. Not for what is stored or sent: that is
// mix.h.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

static inline uint64_t hash_keyed_fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t hash_keyed(const void *key, size_t len)
{
    uint64_t seed[2], word;
    memcpy(seed, (const void *)getauxval(AT_RANDOM), sizeof seed); // NOLINT(performance-no-int-to-ptr)
    const uint8_t *at = key;
    uint64_t hash = seed[0] ^ len;
    for (; len >= sizeof word; at += sizeof word, len -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = hash_keyed_fold(hash ^ word, seed[1] | 1u);
    }
    word = 0;
    memcpy(&word, at, len);
    hash = hash_keyed_fold(hash_keyed_fold(hash ^ word, seed[1] | 1u) ^ seed[1], seed[0] | 1u);
    return (uint32_t)(hash ^ hash >> 32);
}
