// One connection to Redis that heals itself. RESP by hiredis' redisReader, sockets by libevent.
//
//             connect           AUTH           SCRIPT LOAD
//   IDLE ──► CONNECTING ──► AUTH ──► LOADING_SCRIPTS ──► READY
//                 ▲   └──────────┴─────────┴───────────────┤ any failure: every pending command gets a NULL reply in
//                 │  10 ms, doubling to 500 ms, jitter      │ order; a line in the log unless it was up for a second,
//                 │                                         │ once for each reason; on_down if on_ready had come
//                 └───────────────────────── BACKOFF ◄──────┘
//
// Replies come in the order of the commands. All commands of one turn of the loop leave in one write. Commands in
// flight and replies are bounded in number, time and size. A command is sent at most once: when the connection breaks,
// its outcome is unknown and its owner decides. Three errors mean that this server will not do, whatever is asked:
// NOSCRIPT (somebody flushed the scripts), READONLY and MASTERDOWN (it was demoted), LOADING. They break the connection
// like a network failure, so that the order of effects stays the order of commands, and owners need one way of asking
// again instead of two.
//
// A connection with subscriptions is a mode of its own: see "Publish and subscribe".
#pragma once

#include "common/core/err.h"
#include "common/core/hist.h"
#include "common/io/loop.h"
#include "common/io/redis_format.h"
#include "common/io/redis_queue.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REDIS_CONN_SCRIPTS_MAX 32
#define REDIS_CONN_SHA_LEN 40

struct redis_conn;

enum redis_conn_state {
    REDIS_CONN_IDLE,            // not opened, or closed
    REDIS_CONN_CONNECTING,      // resolving and connecting, under connect_timeout_ms
    REDIS_CONN_AUTH,            // AUTH sent; skipped without a password
    REDIS_CONN_LOADING_SCRIPTS, // PING and SCRIPT LOAD sent; the server may still say LOADING, READONLY, MASTERDOWN
    REDIS_CONN_READY,           // commands are taken
    REDIS_CONN_BACKOFF,         // waiting to connect again
};

// The memory that these point to must outlive the connection.
struct redis_conn_config {
    const char *address;         // host:port
    const char *name;            // what it is for, in the log; NULL = nothing
    const char *user;            // empty or NULL = the default user
    const char *password;        // empty or NULL = no AUTH
    const char *const *scripts;  // texts of Lua scripts
    size_t script_count;         // at most REDIS_CONN_SCRIPTS_MAX
    uint32_t connect_timeout_ms; // 0 = 2000
    uint32_t command_timeout_ms; // for the oldest command in flight; 0 = 2000
    uint32_t in_flight_max;      // commands; 0 = 65536
    uint32_t output_max;         // bytes waiting to be sent; 0 = 64 MiB
    uint32_t reply_max;          // bytes of one reply (or pub/sub message); 0 = 64 MiB
};

struct redis_conn_handlers {
    void (*on_ready)(void *arg); // may be NULL
    void (*on_down)(void *arg);  // may be NULL; after on_ready only, and after all pending replies
    // Publish and subscribe; may be NULL.
    void (*on_subscribed)(void *arg, const char *channel, size_t channel_len);
    void (*on_message)(void *arg, const char *channel, size_t channel_len, const char *payload, size_t len);
};

// redis_conn_reply_cb (of redis_queue.h): `reply` is NULL when the outcome is unknown: the connection broke before an
// answer. It is freed after the call. An error of Redis arrives as a reply of type REDIS_REPLY_ERROR.

struct redis_conn_stats {
    uint64_t commands; // sent
    uint64_t replies;  // received, errors included
    uint64_t errors;   // replies of type error
    uint64_t unknown;  // commands whose outcome was lost
    uint64_t connects; // times it became ready
    uint64_t failures; // connections that broke or never came
    uint64_t timeouts; // of the failures: by command_timeout_ms
    struct hist latency_us;
};

// Starts connecting; nothing is called back within this call. ERR_MALFORMED for the address, ERR_RANGE, ERR_NOMEM.
MUST_CHECK int redis_conn_open(struct redis_conn **conn, struct loop *loop, const struct redis_conn_config *config,
                               const struct redis_conn_handlers *handlers, void *arg);

// Closes without on_down; what is queued gets one attempt to leave, and pending commands get their NULL reply within
// this call. Frees at the end of the turn, so it may be called from any callback of the connection. Harmless for NULL.
void redis_conn_close(struct redis_conn *conn);

enum redis_conn_state redis_conn_state(const struct redis_conn *conn);
bool redis_conn_is_ready(const struct redis_conn *conn);

// Commands sent and not answered.
size_t redis_conn_in_flight(const struct redis_conn *conn);

const struct redis_conn_stats *redis_conn_stats(const struct redis_conn *conn);

// Why it broke or did not come up last; "" when it never did. Valid until it breaks again.
const char *redis_conn_last_error(const struct redis_conn *conn);

// Breaks the connection as if the network had, and connects again: for an owner that no longer trusts it. Pending
// replies and on_down come within this call. `why` is static text. Does nothing when there is no connection.
void redis_conn_reset(struct redis_conn *conn, const char *why);

// Sends one command; the arguments are copied. `on_reply` may be NULL. ERR_CLOSED when not ready, or when subscriptions
// make the connection unfit for commands; ERR_FULL by in_flight_max or output_max; ERR_NOMEM. On an error nothing was
// sent and nothing will be called back.
MUST_CHECK int redis_conn_command(struct redis_conn *conn, const struct redis_arg *args, size_t count,
                                  redis_conn_reply_cb *on_reply, void *arg);

// EVALSHA of config.scripts[script]. Arguments are copied once, into the output.
MUST_CHECK int redis_conn_evalsha(struct redis_conn *conn, size_t script, const struct redis_arg *keys,
                                  size_t key_count, const struct redis_arg *args, size_t arg_count,
                                  redis_conn_reply_cb *on_reply, void *arg);

// The same as EVALSHA_RO: for scripts that only read. Redis refuses their writes, so that a user without the right to
// write may be given this one.
MUST_CHECK int redis_conn_evalsha_ro(struct redis_conn *conn, size_t script, const struct redis_arg *keys,
                                     size_t key_count, const struct redis_arg *args, size_t arg_count,
                                     redis_conn_reply_cb *on_reply, void *arg);

// ---- Publish and subscribe -----------------------------------------------------------------------------------------
//
// The first subscribe puts the connection into this mode for its whole life; other commands are ERR_CLOSED from then
// on. Nothing is subscribed again after a reconnect: the owner does so in on_ready, since it has to re-read what it
// missed. An unsubscribed channel may still deliver what was on its way. While quiet, the connection sends PING, so
// that a dead peer is noticed after command_timeout_ms.

// ERR_CLOSED when not ready, ERR_FULL, ERR_NOMEM. on_subscribed confirms each one: from then on nothing is missed.
MUST_CHECK int redis_conn_subscribe(struct redis_conn *conn, const char *channel, size_t len);
MUST_CHECK int redis_conn_unsubscribe(struct redis_conn *conn, const char *channel, size_t len);
