#include "shard/window.h"

#include <string.h>

#include "common/core/bytes.h"

#define WORDS (WINDOW_NONCES / 64u)

enum window_answer window_ask(const struct window *window, uint32_t nonce)
{
    if (nonce > window->newest)
        return WINDOW_NEW;
    uint32_t behind = window->newest - nonce;
    if (behind >= WINDOW_NONCES)
        return WINDOW_STALE;
    return window->bits[behind / 64u] >> behind % 64u & 1u ? WINDOW_PLACED : WINDOW_NEW;
}

// The newest moves ahead by `by`: every nonce is that much further behind.
static void shift(struct window *window, uint32_t by)
{
    if (by >= WINDOW_NONCES) {
        memset(window->bits, 0, sizeof window->bits);
        return;
    }
    uint32_t words = by / 64u, rest = by % 64u;
    for (uint32_t i = WORDS; i-- > 0;) {
        uint64_t word = i >= words ? window->bits[i - words] << rest : 0;
        if (rest > 0 && i > words)
            word |= window->bits[i - words - 1u] >> (64u - rest);
        window->bits[i] = word;
    }
}

void window_add(struct window *window, uint32_t nonce, uint32_t seq)
{
    if (nonce > window->newest) {
        shift(window, nonce - window->newest);
        window->newest = nonce;
    }
    uint32_t behind = window->newest - nonce;
    window->bits[behind / 64u] |= (uint64_t)1 << behind % 64u;
    window->seq = seq;
}

void window_encode(uint8_t to[WINDOW_LEN], const struct window *window)
{
    bytes_set_u32(to, window->newest);
    bytes_set_u32(to + 4, window->seq);
    for (uint32_t i = 0; i < WORDS; i++)
        bytes_set_u64(to + 8 + 8 * (size_t)i, window->bits[i]);
}

int window_decode(struct window *window, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    if (len != WINDOW_LEN)
        return ERR_MALFORMED;
    window->newest = bytes_get_u32(at);
    window->seq = bytes_get_u32(at + 4);
    for (uint32_t i = 0; i < WORDS; i++)
        window->bits[i] = bytes_get_u64(at + 8 + 8 * (size_t)i);
    return 0;
}
