// The opening handshake of RFC 6455 on a request that is whole: what is wrong with it, or the answer. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "gateway/http.h"

#define WS_ACCEPT_SIZE 29 // base64 of a SHA-1, with its NUL

struct ws_upgrade {
    uint16_t status; // of the refusal: 400 or 426
    const char *why; // static storage
    char accept[WS_ACCEPT_SIZE];
};

// 0: `accept` is set. ERR_MALFORMED: `status` and `why` are. ERR_NOMEM: OpenSSL failed.
MUST_CHECK int ws_upgrade_check(struct ws_upgrade *upgrade, const struct http_request *request, const char *buffer);

// Sec-WebSocket-Accept for a key. 0 or ERR_NOMEM.
MUST_CHECK int ws_upgrade_accept(const char *key, size_t len, char accept[WS_ACCEPT_SIZE]);
