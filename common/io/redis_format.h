// Requests in RESP, formatted straight into an output buffer: each argument is copied once. (hiredis' own formatter
// builds the request in memory of its own first, which for a batch with its blobs is the second copy of everything.)
#pragma once

#include "common/core/err.h"

#include <stddef.h>

struct evbuffer;

struct redis_arg {
    const void *data;
    size_t len;
};

// An argument from a NUL-terminated text.
#define REDIS_ARG_TEXT(text_) ((struct redis_arg){(text_), strlen(text_)})

// Several runs of arguments that make up one request.
struct redis_args {
    const struct redis_arg *items;
    size_t count;
};

// Exact length of the request in bytes.
size_t redis_format_len(const struct redis_args *runs, size_t run_count);

// Appends the request: whole, or nothing on ERR_NOMEM.
MUST_CHECK int redis_format(struct evbuffer *out, const struct redis_args *runs, size_t run_count);
