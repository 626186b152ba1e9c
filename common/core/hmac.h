// HMAC-SHA256. The algorithm is fetched from OpenSSL once per process, as a fetch costs more than the computation.
#pragma once

#include "common/core/err.h"

#include <stddef.h>
#include <stdint.h>

#define HMAC_LEN 32

// A run of bytes; several of them are authenticated as if joined.
struct hmac_part {
    const void *data;
    size_t len;
};

// ERR_NOMEM when OpenSSL cannot; `out` is unspecified then.
MUST_CHECK int hmac_sha256(const void *key, size_t key_len, const struct hmac_part *parts, size_t count,
                           uint8_t out[HMAC_LEN]);
