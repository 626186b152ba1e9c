// What the owner of a tile remembers of one connection with cooldown 0: which of the 256 nonces up to the newest it
// placed. Exact, so that a draw that was refused is never taken for placed because a later one was. Pure.
//
// Stored in {t:...}:dup0/1 (proto/REDIS.md) as 40 bytes: newest nonce u32, seq u32, 256 bits (bit k = newest - k).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"

#define WINDOW_NONCES 256u
#define WINDOW_LEN 40u

// Zeroed memory is the window of a connection that never placed.
struct window {
    uint32_t newest;                    // greatest nonce placed; 0 = none
    uint32_t seq;                       // of its latest placement: every placement of the window is contained at it
    uint64_t bits[WINDOW_NONCES / 64u]; // bit k % 64 of word k / 64: newest - k was placed
};

enum window_answer {
    WINDOW_NEW,    // never placed
    WINDOW_PLACED, // placed before
    WINDOW_STALE,  // 256 or more behind the newest: nobody knows
};

enum window_answer window_ask(const struct window *window, uint32_t nonce);

// Notes a placement for which window_ask said WINDOW_NEW.
void window_add(struct window *window, uint32_t nonce, uint32_t seq);

void window_encode(uint8_t to[WINDOW_LEN], const struct window *window);
// 0; ERR_MALFORMED for another length.
MUST_CHECK int window_decode(struct window *window, const void *bytes, size_t len);
