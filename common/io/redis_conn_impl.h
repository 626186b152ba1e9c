// Inside of redis_conn: shared by redis_conn.c (life, states), redis_conn_send.c (commands) and redis_conn_read.c
// (replies). Nobody else includes it.
#pragma once

#include "common/io/dial.h"
#include "common/io/redis_conn.h"
#include "common/io/stream.h"

#include <stdint.h>

struct redis_conn {
    struct loop *loop;
    struct redis_conn_config config; // defaults filled in
    struct redis_conn_handlers handlers;
    void *arg;

    enum redis_conn_state state; // changes only in redis_conn.c
    bool closed;                 // redis_conn_close was called
    bool subscribing;            // the connection is in publish-and-subscribe mode
    uint64_t generation;         // counts breaks: a callback may have broken what its caller still works on
    const char *last_error;      // static text, or error_text
    char error_text[128];
    char told[128]; // why it does not come up, as the log has it
    uint32_t backoff_ms;
    struct monotime ready_since;

    struct dial dial;
    struct stream stream;
    struct loop_timer retry;    // BACKOFF → CONNECTING
    struct loop_timer watchdog; // command timeout; PING of a subscribing connection
    struct loop_deferred release;

    redisReader *reader;
    uint64_t reply_len; // bytes received of the reply that is not complete yet
    struct redis_queue pending;
    struct monotime heard; // when the last bytes came

    size_t scripts_loaded;
    char shas[REDIS_CONN_SCRIPTS_MAX][REDIS_CONN_SHA_LEN + 1];
    struct redis_conn_stats stats;
};

// Ends the connection: pending commands are answered with NULL, on_down follows, the next attempt is scheduled.
void redis_conn_break(struct redis_conn *conn, const char *why);

// The same for an answer with which the connection is of no use: the server's words are why.
void redis_conn_break_by(struct redis_conn *conn, const redisReply *reply);

// Queues one request in any state that has a connection.
MUST_CHECK int redis_conn_send(struct redis_conn *conn, const struct redis_args *runs, size_t run_count,
                               redis_conn_reply_cb *on_reply, void *arg);

// Reads what there is and hands on the replies.
void redis_conn_on_readable(void *arg);
