// A connection to a gateway.
//
//   IDLE ─► CONNECTING ─► UPGRADING ─► GREETING ─► OPEN ─► (MOVE) ─┐
//               ▲             │            │         │             │
//               └── WAITING ◄─┴────────────┴─────────┴─────────────┘   0.5 s, doubling to 15 s, times 0.5 … 1
//
//   DEAD: the gateway said what forbids to come back.
//
// Its identity towards shards (`connection`), its draws in flight and its positions outlive the socket.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/tools/load_proc.h"
#include "tests/tools/load_sock.h"

struct load_draws;
struct load_view;

enum load_conn_state {
    LOAD_CONN_IDLE,
    LOAD_CONN_WAITING,
    LOAD_CONN_CONNECTING,
    LOAD_CONN_UPGRADING,
    LOAD_CONN_GREETING,
    LOAD_CONN_OPEN,
    LOAD_CONN_DEAD,
};

// There may be 100,000: what only some need is behind a pointer.
struct load_conn {
    struct load_timer timer; // first: the heap gives it back
    struct event event;
    struct sock sock;
    struct load_proc *proc;
    uint64_t connection;      // PROTOCOL.md, HELLO
    uint64_t user;            // as WELCOME says
    struct load_draws *draws; // NULL = does not draw
    struct load_view *view;   // NULL = does not watch
    uint8_t *in;              // of an unfinished frame
    uint8_t *out;             // what the kernel did not take
    uint32_t in_len;
    uint32_t out_len;
    struct monotime began; // connecting
    struct monotime heard; // last bytes
    struct monotime move;  // from then on it draws no more, and goes elsewhere; NEVER
    uint32_t index;
    uint8_t state; // enum load_conn_state
    uint8_t target;
    uint8_t attempts; // that failed in a row
    bool pinned;      // stays with its gateway
    bool was_open;
};

void load_conn_init(struct load_conn *conn, struct load_proc *proc, uint32_t index, uint8_t target);
void load_conn_fini(struct load_conn *conn);

// Begins to connect. The outcome is counted in the process' stats.
void load_conn_start(struct load_conn *conn);

// Its timer has fired.
void load_conn_on_timer(struct load_conn *conn, struct monotime now);

// Sets the timer to `due` if it would fire later.
void load_conn_wake(struct load_conn *conn, struct monotime due);

// Frames and sends one binary message, or keeps what the kernel does not take. Nothing when not connected.
void load_conn_send(struct load_conn *conn, const uint8_t *payload, size_t len);

// Sends bytes that are framed already.
void load_conn_write(struct load_conn *conn, const uint8_t *bytes, size_t len);

// Open, and the kernel took all so far: draws may be sent.
static inline bool load_conn_takes(const struct load_conn *conn)
{
    return conn->state == LOAD_CONN_OPEN && conn->out_len == 0;
}
