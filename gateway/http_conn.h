// The HTTP phase of a connection: requests are read and answered one after the other.
//
//   reading ──whole request──► routes_handle ──http_reply (now or later)──► writing ──► reading, or lingering
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/monotime.h"
#include "gateway/http.h"
#include "gateway/shared_buf.h"

struct conn;
struct content_request;
struct api_wait;

// Exists while a request or an answer is in pieces.
struct http_conn {
    struct http_request request;
    char *buffer; // what was read; the request at its start
    size_t len, capacity;
    size_t whole;          // bytes of the request, once it is whole
    struct monotime began; // when it was

    bool pumping;   // an answer given now is written by the running pump
    bool waiting;   // the request was handed to its handler, the answer has not come
    bool answering; // an answer is being written
    bool close_after;
    bool head_only;
    uint8_t *out; // head of the answer, with a short body
    size_t out_len;
    struct shared_buf *body;
    size_t sent;                     // of both
    struct content_request *content; // that the answer waits for
    struct api_wait *wait;           // the same
};

// The request is whole: finds who answers it (routes.c).
void routes_handle(struct conn *conn, struct http_conn *http);

// The upgrade was accepted: the connection is a WebSocket from now on; `head` is sent to the client. Bytes behind the
// request are its first.
void http_conn_upgrade(struct conn *conn, const char *head, size_t head_len, uint64_t user, uint8_t kind);
