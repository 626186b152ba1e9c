// A small blocking HTTP client for what happens before and after a run: sessions, configuration, canvases.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/position.h"
#include "tests/tools/load_options.h"
#include "tests/tools/load_sock.h"

#define LOAD_HTTP_BODY_MAX (64u << 20)

// One connection, kept open between requests as long as the gateway does.
struct load_http {
    const struct load_target *target;
    struct sock sock; // blocking
};

struct load_reply {
    unsigned status;
    uint32_t retry_after_s;   // of Retry-After, 0 without
    struct position position; // of Tessera-Position
    char *body;               // with a closing NUL
    size_t len;
};

void load_http_init(struct load_http *http, const struct load_target *target);
void load_http_fini(struct load_http *http);

// One request without a body; `request` is "GET /path" or "POST /path". 0 with `reply` to be freed, whatever its
// status; or ERR_IO, ERR_TIMEOUT (10 s of silence), ERR_MALFORMED, ERR_FULL (a body above LOAD_HTTP_BODY_MAX),
// ERR_NOMEM.
MUST_CHECK int load_http_request(struct load_http *http, const char *request, struct load_reply *reply);
void load_reply_fini(struct load_reply *reply);
