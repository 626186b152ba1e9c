// One HTTP request, strictly: http-parser reads it, our policy (PROTOCOL.md 1.1) decides what of it is let through.
// Pure.
//
//   http_request_init(&request);
//   append what was read to a buffer;
//   n = http_request_feed(&request, buffer, old_len, new_len);   again for every piece, same buffer (it may move)
//   n > 0: head and body are whole and n bytes long; what follows in the buffer belongs to the next request.
//
// Nothing is copied: spans are offsets into the caller's buffer, which starts with the request.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <http_parser.h>

#include "common/core/err.h"

#define HTTP_HEAD_MAX 8192u
#define HTTP_HEADERS_MAX 64u
#define HTTP_BODY_MAX 1024u
#define HTTP_REQUEST_MAX (HTTP_HEAD_MAX + HTTP_BODY_MAX)

struct http_span {
    uint16_t at;
    uint16_t len;
};

struct http_header {
    struct http_span name;
    struct http_span value;
};

struct http_request {
    struct http_parser parser;
    const char *base;  // of the buffer, while feeding
    uint16_t head_len; // 0 until the head is whole
    uint16_t body_len; // announced
    uint16_t count;
    uint16_t status; // of the refusal, once fed has returned an error
    bool in_value;   // the last piece was one of a value
    bool keep_alive;
    const char *why; // of the refusal, static storage
    struct http_span target;
    struct http_header headers[HTTP_HEADERS_MAX];
};

void http_request_init(struct http_request *request);

// `buffer` holds `old_len` bytes that were fed before and new ones up to `len`; at most HTTP_REQUEST_MAX are looked at.
// Returns the length of the whole request; 0 when more is needed; ERR_MALFORMED when it is refused: `status` and `why`
// say what to answer, and the connection is to be closed, as nobody knows where a next request would begin.
MUST_CHECK ssize_t http_request_feed(struct http_request *request, const char *buffer, size_t old_len, size_t len);

// Of a whole request. -------------------------------------------------------------------------------------------------

// The value of the next header of that name (lower case), trimmed; `*from` starts at 0 and is the caller's place for
// repeated ones. NULL when there is no further one.
const char *http_request_header(const struct http_request *request, const char *buffer, const char *name,
                                unsigned *from, size_t *len);

// The header's only value; NULL when there is none. Repeated: NULL and *repeated = true.
const char *http_request_single(const struct http_request *request, const char *buffer, const char *name, size_t *len,
                                bool *repeated);

// One of the comma-separated elements of all headers of that name is `token` (lower case), in any case of letters,
// parameters cut off.
bool http_request_lists(const struct http_request *request, const char *buffer, const char *name, const char *token);

// The client takes gzip: an element `gzip` (or `*`) of Accept-Encoding whose q is not 0.
bool http_request_takes_gzip(const struct http_request *request, const char *buffer);

// The value of the nth (from 0) cookie of that name, searched in all Cookie headers; NULL when there is none. There may
// be several: another site of the same domain may have set one as well.
const char *http_request_cookie(const struct http_request *request, const char *buffer, const char *name, unsigned nth,
                                size_t *len);

// If-None-Match (weak comparison, lists and `*`) names this entity tag, given with its quotes.
bool http_request_matches(const struct http_request *request, const char *buffer, const char *etag);
