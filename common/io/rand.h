// Random bytes from the kernel, good for keys, nonces and identities.
#pragma once

#include <stddef.h>
#include <stdint.h>

// Fills `data`. Never fails: a kernel that cannot give random bytes ends the process.
void rand_bytes(void *data, size_t len);

// Any value, 0 included.
uint64_t rand_u64(void);

// Even over 0 … below - 1; 0 when `below` is 0.
uint64_t rand_below(uint64_t below);
