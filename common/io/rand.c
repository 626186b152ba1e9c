#include "common/io/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void rand_bytes(void *data, size_t len)
{
    uint8_t *at = data;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        // Going on with guessable identities and nonces would be worse than ending.
        if (got <= 0)
            abort();
        at += got;
        len -= (size_t)got;
    }
}

uint64_t rand_u64(void)
{
    uint64_t value;
    rand_bytes(&value, sizeof value);
    return value;
}

uint64_t rand_below(uint64_t below)
{
    if (below == 0)
        return 0;
    // Values in the incomplete last round would favour the small ones.
    uint64_t unfair = (UINT64_MAX - below + 1) % below;
    uint64_t value;
    do {
        value = rand_u64();
    } while (value > UINT64_MAX - unfair);
    return value % below;
}
