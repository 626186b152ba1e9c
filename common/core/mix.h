// The hash behind tile checksums and rendezvous hashing. The values are part of the stored format: shards keep a tile's
// checksum in Redis, gateways and tools compare it.
#pragma once

#include <stddef.h>
#include <stdint.h>

// The finaliser of SplitMix64: every bit of the input reaches every bit of the output. Maps 0 to 0.
uint64_t mix_final(uint64_t x);

// The share of one pixel in its tile's checksum: mix_final(offset * 256 + color), but 0 for color 0. So a background
// pixel costs nothing, and a tile stored short has the checksum of the same tile stored in full.
uint64_t mix64(uint32_t offset, uint8_t color);

// Sum of mix64 over all pixels, modulo 2^64. A placement changes it by mix64(offset, new) - mix64(offset, old).
uint64_t mix_tile_checksum(const uint8_t *px, size_t len);

// FNV-1a, 64 bits.
uint64_t mix_fnv1a(const void *data, size_t len);
