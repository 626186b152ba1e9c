// Answers of HTTP: the bytes of their heads (pure), and giving one to a connection.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/shared_buf.h"

#define HTTP_REPLY_HEAD_MAX 2048u

struct conn;

// The body is text (copied), or `body` (referenced), or none.
struct http_reply {
    uint16_t status;
    const char *type;    // Content-Type; NULL without a body
    const char *headers; // further lines, each with its CR LF; NULL = none
    const char *hsts;    // likewise; http_reply sets it
    const void *text;
    size_t text_len;
    struct shared_buf *body;
};

// What becomes of the connection. HTTP/1.0 closes unless both say otherwise (RFC 7230, 6.3).
enum http_persistence { HTTP_CLOSE, HTTP_KEEP, HTTP_KEEP_1_0 };

// Writes the head, `length` for Content-Length; returns its bytes. More than `size` never are: the caller's `headers`
// are short.
size_t http_reply_head(char *to, size_t size, const struct http_reply *reply, size_t length,
                       enum http_persistence persistence, int64_t unix_s);

// The answer to the request that the connection holds; it may come later than the request's handler. Exactly one.
void http_reply(struct conn *conn, const struct http_reply *reply);

// {"error": "<code>", "message": "<message>"}. `message` needs no escapes.
void http_reply_error(struct conn *conn, uint16_t status, const char *message, const char *headers);

// The reason phrase, and the code of error bodies ("not_found").
const char *http_reply_phrase(uint16_t status);
const char *http_reply_code(uint16_t status);
