// One TCP connection of a client, and its whole life:
//
//   accept ─► PROXY ─► TLS ─► HTTP ─► WS ─► WS_CLOSING ─► LINGER ─► DOOMED ─► freed
//             (each only where it applies; every state may lead to DOOMED, HTTP to LINGER)
//
// conn_enter is the only place where the state changes, conn_pump the only one that reads and writes: events and timers
// call it at once, everybody else through conn_wake at the end of the turn, which also is where a connection is freed.
// Whatever ends one gives a reason; each reason has a counter.
//
// Memory: what is needed while nothing happens is in struct conn; buffers and parsers exist only while something is in
// pieces.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <event2/event_struct.h>

#include "common/core/addr.h"
#include "common/core/bucket.h"
#include "common/core/err.h"
#include "common/io/loop.h"
#include "common/io/sock.h"
#include "gateway/cluster_client.h"
#include "gateway/deadline.h"
#include "gateway/hub.h"
#include "gateway/outbox.h"
#include "gateway/ws_conn.h"
#include "gateway/ws_recv.h"

struct edge;
struct http_conn;
struct proxy_in;
struct hello_wait;
struct limits_shared;
struct ws_turn;

enum conn_state {
    CONN_PROXY,      // in list PROXY; reads the PROXY header
    CONN_TLS,        // in list TLS; the handshake
    CONN_HTTP,       // in list HEAD or KEEPALIVE while it reads, STALL while an answer is on its way
    CONN_WS,         // in list HELLO at first; then in STALL while the socket is full, else in none
    CONN_WS_CLOSING, // in list CLOSING; the close frame is on its way, or the client's is awaited
    CONN_LINGER,     // in list LINGER; all is said, the client's end of stream is awaited so that it can read the last
                     // words
    CONN_DOOMED,     // in no list; freed at the end of the turn
};

// Lists of deadlines, all of a list equally long.
enum conn_list {
    CONN_LIST_PROXY,
    CONN_LIST_TLS,
    CONN_LIST_HEAD,
    CONN_LIST_KEEPALIVE,
    CONN_LIST_STALL,
    CONN_LIST_HELLO,
    CONN_LIST_CLOSING,
    CONN_LIST_LINGER,
    CONN_LIST_PAUSE,   // WebSockets over their message rate
    CONN_LIST_MESSAGE, // with a message in pieces
    CONN_LISTS,
};

// Why a connection ended. The names are labels of tessera_gateway_disconnects_total.
#define CONN_REASONS(X)                                                                                                \
    X(PEER, "peer") /* the client left, in good order or not */                                                        \
    X(IO, "io")     /* TLS or system error */                                                                          \
    X(NO_MEMORY, "no_memory")                                                                                          \
    X(SOCKETS_FULL, "sockets_full") /* over max_sockets: the oldest that had asked for nothing yet */                  \
    X(ADDRESS_FULL, "address_full") /* too many connections of the address at accept */                                \
    X(ADDRESS_RATE, "address_rate") /* too many new ones of the address in a minute */                                 \
    X(PROXY_UNTRUSTED, "proxy_untrusted")                                                                              \
    X(PROXY_MALFORMED, "proxy_malformed")                                                                              \
    X(PROXY_LATE, "proxy_late")                                                                                        \
    X(TLS_LATE, "tls_late")                                                                                            \
    X(TLS_FAILED, "tls_failed")           /* its handshake was wrong, or it spoke no TLS at all */                     \
    X(HANDSHAKES_FULL, "handshakes_full") /* the oldest pending handshake, when there were too many */                 \
    X(HEAD_LATE, "head_late")                                                                                          \
    X(IDLE, "idle")                 /* kept alive, and no further request came */                                      \
    X(HTTP_REFUSED, "http_refused") /* a request that breaks the rules */                                              \
    X(HTTP_DONE, "http_done")       /* the last answer was given */                                                    \
    X(STALLED, "stalled")           /* took nothing for 30 s */                                                        \
    X(BODIES_FULL, "bodies_full")   /* took its answer slowly while answers filled the memory for them */              \
    X(WS_NORMAL, "ws_normal")                                                                                          \
    X(WS_DRAINED, "ws_drained")                                                                                        \
    X(WS_PROTOCOL, "ws_protocol")                                                                                      \
    X(WS_TEXT, "ws_text")                                                                                              \
    X(WS_TOO_LONG, "ws_too_long")                                                                                      \
    X(WS_NO_HELLO, "ws_no_hello")                                                                                      \
    X(WS_MALFORMED, "ws_malformed")                                                                                    \
    X(WS_SLOW, "ws_slow")                                                                                              \
    X(WS_FULL, "ws_full")                                                                                              \
    X(WS_ERASED, "ws_erased")                                                                                          \
    X(STOPPED, "stopped") /* the gateway ended */

enum conn_reason {
#define CONN_REASON_NAME(name_, text_) CONN_REASON_##name_,
    CONN_REASONS(CONN_REASON_NAME)
#undef CONN_REASON_NAME
        CONN_REASON_COUNT
};

// Why a WebSocket is not read, bits.
#define WS_PAUSE_HELLO 0x01u  // its user is being read
#define WS_PAUSE_DRAWS 0x02u  // too many draws in flight
#define WS_PAUSE_RATE 0x04u   // over the message rate
#define WS_PAUSE_OUTPUT 0x08u // it does not take what we answer
#define WS_PAUSE_TURN 0x10u   // its RESUME waits for its turn

// What was read and not yet used; at most one read long.
struct ws_stash {
    uint8_t *bytes;
    uint32_t at, len;
};

struct ws_conn {
    struct hub_client hub;
    struct shared_buf *cut; // rest of a shared frame that goes out first
    size_t cut_at;
    struct outbox outbox;
    uint8_t *pong; // frame of the one pong that waits; NULL = none
    struct cluster_client cluster;
    struct ws_recv *recv; // while a message is in pieces
    struct ws_stash stash;
    struct hello_wait *hello; // while the user is being read
    struct deadline pause;
    struct bucket bucket;
    struct bucket tiles;           // that it may ask for
    struct limits_shared *address; // shared by all of its address
    struct ws_turn *turn;          // while what it asked for waits for tiles of the address
    uint64_t user;
    uint64_t connection;
    uint32_t index;  // in the edge's array
    uint32_t config; // number of the configuration that it was told last
    uint16_t draws;  // in flight
    uint8_t pauses;
    uint8_t user_kind;
    uint8_t status; // number of the last STATUS that it was told
    bool greeted;   // HELLO came
    bool welcomed;  // WELCOME was sent; joined the hub
    bool left;      // hub and cluster have forgotten it
    bool hub_waits; // the hub is to be told when the socket is free
    bool input_due; // there is something to read that the socket will not announce
};

struct conn {
    struct sock sock;
    struct edge *edge;
    struct ws_conn ws;
    uint8_t state;  // enum conn_state
    uint8_t reason; // enum conn_reason, from the moment that it begins to end
    uint8_t wanted; // EV_READ, EV_WRITE: what the event waits for
    uint8_t requests;
    bool blocked; // the socket did not take all
    bool counted_http, counted_ws;
    bool secure; // the client came over TLS, as far as we know
    struct deadline deadline;
    struct loop_deferred turn;
    struct conn *prev, *next; // all connections
    struct http_conn *http;   // while a request or an answer is in pieces
    struct proxy_in *proxy;   // while the PROXY header is
    struct addr addr;         // of the client, for every limit
    uint64_t id;              // in the log; with `requests`, the id of a request
    struct event event;
};

// Takes over an accepted descriptor; closes it when it cannot.
void conn_start(struct edge *edge, int fd, const struct addr *peer, bool proxied);

// The only place where the state changes.
void conn_enter(struct conn *conn, enum conn_state state);

// Marks it to be freed at the end of the turn. The first reason counts. Harmless when it is doomed already.
void conn_doom(struct conn *conn, enum conn_reason reason);

// Dooms it for what a read or write returned (not ERR_AGAIN).
void conn_failed(struct conn *conn, ssize_t err);

// The socket did not take everything: waits until it does. conn_unblocked when all is gone.
void conn_blocked(struct conn *conn);
void conn_unblocked(struct conn *conn);

// All is said: no more is written, and the client's end of stream is awaited.
void conn_linger(struct conn *conn, enum conn_reason reason);

// It is in the list again, from now on.
void conn_arm(struct conn *conn, enum conn_list list);

// Has the pump run at the end of this turn.
void conn_wake(struct conn *conn);

// A deadline came.
void conn_on_deadline(struct conn *conn, enum conn_list list);

// Frees at once; only from the end of a turn, or when the edge closes.
void conn_free(struct conn *conn);

const char *conn_reason_text(enum conn_reason reason);

// ---- The parts of the pump ------------------------------------------------------------------------------------------

// The oldest of a list is doomed; false when it is empty.
bool conn_drop_oldest(struct edge *edge, enum conn_list list, enum conn_reason reason);

// Before HTTP (conn_open.c). conn_begin: the address is known and counts; TLS or HTTP begins, or it is doomed.
void conn_begin(struct conn *conn);
void conn_pump_proxy(struct conn *conn);
void conn_pump_tls(struct conn *conn);

// HTTP (http_conn.c).
void http_conn_pump(struct conn *conn);
void http_conn_deadline(struct conn *conn);
bool http_conn_reads(const struct conn *conn);
void http_conn_free(struct conn *conn);

// WebSocket (ws_conn.c, ws_input.c, ws_tiles.c). ws_conn_start takes over bytes that came behind the upgrade.
void ws_conn_start(struct conn *conn, uint64_t user, uint8_t kind, const uint8_t *early, size_t early_len);
void ws_conn_pump(struct conn *conn, bool readable, bool flush);
void ws_conn_leave(struct conn *conn); // hub and cluster forget it
void ws_conn_fini(struct conn *conn);
bool ws_conn_flush(struct conn *conn);                                // true when nothing waits any more
void ws_hello(struct conn *conn, const uint8_t *message, size_t len); // ws_hello.c
void ws_hello_forget(struct conn *conn);                              // it is freed while its user is being read
void ws_send_error(struct conn *conn, enum ws_error code);
void ws_input_pump(struct conn *conn);
bool ws_input_keep(struct conn *conn, const uint8_t *bytes, size_t len); // false without memory
void ws_input_fini(struct conn *conn);
void ws_input_late(struct conn *conn); // the message that is in pieces took too long
// The rate allows reading again, perhaps.
void ws_input_resume(struct conn *conn, uint8_t pause);

// What HELLO, WATCH and RESUME ask for (ws_tiles.c), now or when it is its turn. `entries` may go after the call.
void ws_tiles_join(struct conn *conn, const uint8_t *entries, uint16_t count);
void ws_tiles_watch(struct conn *conn, const uint8_t *entries, uint16_t count);
void ws_tiles_resume(struct conn *conn, const uint8_t *entries, uint16_t count);
// Whatever waits is forgotten.
void ws_tiles_forget(struct conn *conn);

static inline struct conn *conn_of_ws(struct ws_conn *ws)
{
    return (struct conn *)((char *)ws - offsetof(struct conn, ws));
}
