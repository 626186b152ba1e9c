// Messages over TCP: each is its length as u32 big-endian, then so many bytes. One struct msg_sock is one connection.
//
//   accepted fd ──► msg_sock_accept ┐
//                                   ├─► on_open ─► on_message* ─► on_closed (once, last)
//   "host:port" ──► msg_sock_connect┘
//
// Both ends bound what they take: a longer message than allowed closes the connection before anything is allocated for
// it; a send beyond the high-water mark is refused. All messages sent in one turn of the loop leave in one write. A
// peer that sends without end gets a budget per turn, so that others have theirs.
#pragma once

#include "common/core/err.h"
#include "common/io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MSG_SOCK_HEAD_LEN 4

struct msg_sock;

enum msg_sock_reason {
    MSG_SOCK_CONNECT_FAILED, // never open: not resolved, refused, or not in time
    MSG_SOCK_PEER_CLOSED,    // end of stream
    MSG_SOCK_RESET,          // an error of the connection, or no answer for user_timeout_ms
    MSG_SOCK_TOO_LONG,       // the peer announced a message above max_in
    MSG_SOCK_TRUNCATED,      // end of stream inside a message
    MSG_SOCK_NO_MEMORY,
};

struct msg_sock_limits {
    uint32_t max_len;            // most bytes of a message, either way
    uint32_t max_in;             // of one that comes in, when that is another; 0 = max_len
    uint32_t high_water;         // most bytes waiting to be sent, heads included; more is ERR_FULL
    uint32_t messages_per_turn;  // budget of on_message calls per turn; 0 = 256
    uint32_t connect_timeout_ms; // 0 = 3000
    uint32_t user_timeout_ms;    // TCP_USER_TIMEOUT; 0 = the kernel's own
};

// In all of them the msg_sock may be closed with msg_sock_close; no further callback comes then.
struct msg_sock_handlers {
    void (*on_open)(void *arg); // may be NULL. For accepted sockets it comes at the end of the turn
    // `data` is valid during the call only; it is aligned for nothing. `len` may be 0.
    void (*on_message)(void *arg, const uint8_t *data, size_t len);
    // Comes once; the msg_sock still has to be closed with msg_sock_close, here or later.
    void (*on_closed)(void *arg, enum msg_sock_reason reason);
    void (*on_drained)(void *arg); // may be NULL. Everything was handed to the kernel after a send met ERR_FULL
};

const char *msg_sock_reason_text(enum msg_sock_reason reason);

// Takes over a connected, non-blocking descriptor. ERR_NOMEM: it is still the caller's.
MUST_CHECK int msg_sock_accept(struct msg_sock **sock, struct loop *loop, int fd, const struct msg_sock_limits *limits,
                               const struct msg_sock_handlers *handlers, void *arg);

// Resolves and connects to "host:port" without blocking; the outcome is on_open or on_closed, never within this call.
// ERR_MALFORMED for the address, ERR_NOMEM.
MUST_CHECK int msg_sock_connect(struct msg_sock **sock, struct loop *loop, const char *address,
                                const struct msg_sock_limits *limits, const struct msg_sock_handlers *handlers,
                                void *arg);

// Queues one message, copied. ERR_RANGE above max_len, ERR_FULL above the high-water mark (nothing queued),
// ERR_CLOSED when it is not open, ERR_NOMEM.
MUST_CHECK int msg_sock_send(struct msg_sock *sock, const void *data, size_t len);

// Bytes queued and not yet handed to the kernel.
size_t msg_sock_pending(const struct msg_sock *sock);
bool msg_sock_is_open(const struct msg_sock *sock);

// Stops and resumes on_message: back-pressure onto the peer. Takes effect after the running callback.
void msg_sock_pause(struct msg_sock *sock, bool paused);

// Closes now; what is queued gets one attempt to leave. Frees at the end of the turn. Harmless for NULL.
void msg_sock_close(struct msg_sock *sock);
