// What a client sends after the upgrade, through wslay: frames to messages, within our limits. No sockets, no clock.
//
// A wslay context costs over 9 KB, so a connection has one only while a message or frame is in pieces; at a boundary it
// goes back to a small pool. To know where the boundaries are, and to be able to stop at one, wslay is never given
// bytes beyond the frame that it is reading.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "gateway/deadline.h"

#define WS_RECV_POOL_MAX 32u

struct ws_recv;

struct ws_recv_pool {
    struct ws_recv *idle; // list
    unsigned count;
};

struct ws_recv_handlers {
    // Before each frame: false stops here, with the rest of the input left.
    bool (*may_read)(void *arg);
    // A whole binary message of at most LIMIT_WS_MESSAGE bytes.
    void (*on_message)(void *arg, const uint8_t *message, size_t len);
    void (*on_ping)(void *arg, const uint8_t *payload, size_t len); // at most 125 bytes
    void (*on_pong)(void *arg);
};

// What is left to read; shrinks from the front.
struct ws_recv_input {
    const uint8_t *bytes;
    size_t len;
};

enum ws_recv_end {
    WS_RECV_GOES_ON = 0,
    WS_RECV_PEER_CLOSED, // a valid close frame came
    WS_RECV_BROKEN,      // the client broke the protocol or a limit
};

struct ws_recv_result {
    enum ws_recv_end end;
    uint16_t code; // to close with, when it does not go on (enum ws_close, or the code of the client)
};

// Reads from `input` until it is empty, a handler says stop, or the connection ends. *recv is the connection's context:
// NULL while nothing is in pieces, at first too. 0, with `result` set; or ERR_NOMEM. When it does not go on, or failed,
// *recv is NULL and the rest of the input is to be ignored.
MUST_CHECK int ws_recv_feed(struct ws_recv **recv, struct ws_recv_pool *pool, const struct ws_recv_handlers *handlers,
                            void *arg, struct ws_recv_input *input, struct ws_recv_result *result);

// The time that a message, or frame, in pieces may still take. It is the caller's, who arms it after a feed that has
// left *recv; whatever is begun next starts with another, not armed and zeroed.
struct ws_recv_late {
    struct deadline deadline;
    void *owner;
    unsigned again; // how often it was put off
};
struct ws_recv_late *ws_recv_late(struct ws_recv *recv);

// For a connection that ends in the middle of a message. NULL is ignored.
void ws_recv_free(struct ws_recv *recv);
void ws_recv_pool_fini(struct ws_recv_pool *pool);
