// common/io/redis_conn.h to the Redis of the simulation, by the rules of that header.

#include <stdlib.h>
#include <string.h>

#include "common/io/redis_conn.h"
#include "tests/sim/server.h"

#define BACKOFF_MIN_MS 10
#define BACKOFF_MAX_MS 500
#define CONNECT_TIMEOUT_MS 2000
#define COMMAND_TIMEOUT_MS 2000
#define IN_FLIGHT_MAX 4096u

struct pending {
    redis_conn_reply_cb *on_reply;
    void *arg;
    struct monotime sent;
};

struct redis_conn {
    struct loop *loop;
    struct redis_conn_handlers handlers;
    void *arg;
    enum redis_conn_state state;
    struct net_end *end;
    bool closed, subscribing, told_ready;
    struct pending *pending; // a ring
    size_t first, count;
    int64_t backoff_ms;
    struct monotime heard;
    struct loop_timer retry, watchdog;
    struct loop_deferred release;
    struct redis_conn_stats stats;
    const char *last_error;
};

static void fail_pending(struct redis_conn *conn)
{
    while (conn->count > 0) {
        struct pending pending = conn->pending[conn->first % IN_FLIGHT_MAX];
        conn->first++;
        conn->count--;
        conn->stats.unknown++;
        if (pending.on_reply != NULL)
            pending.on_reply(pending.arg, NULL);
    }
}

static void drop_connection(struct redis_conn *conn)
{
    net_close(conn->end);
    conn->end = NULL;
    conn->subscribing = false;
    loop_timer_disarm(&conn->watchdog);
}

static void break_connection(struct redis_conn *conn, const char *why)
{
    if (conn->state == REDIS_CONN_IDLE || conn->state == REDIS_CONN_BACKOFF)
        return;
    conn->state = REDIS_CONN_BACKOFF;
    conn->stats.failures++;
    conn->last_error = why;
    drop_connection(conn);
    loop_timer_arm_ms(&conn->retry, conn->backoff_ms - (int64_t)sim_below((uint64_t)conn->backoff_ms / 2));
    conn->backoff_ms = conn->backoff_ms * 2 < BACKOFF_MAX_MS ? conn->backoff_ms * 2 : BACKOFF_MAX_MS;
    fail_pending(conn);
    bool told = conn->told_ready;
    conn->told_ready = false;
    if (told && !conn->closed && conn->handlers.on_down != NULL)
        conn->handlers.on_down(conn->arg);
}

static void on_closed(void *arg)
{
    struct redis_conn *conn = arg;
    conn->end = NULL;
    break_connection(conn, "closed");
}

// ---- Answers -------------------------------------------------------------------------------------------------------

static void on_ready(struct redis_conn *conn)
{
    conn->state = REDIS_CONN_READY;
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->told_ready = true;
    conn->stats.connects++;
    if (conn->handlers.on_ready != NULL)
        conn->handlers.on_ready(conn->arg);
}

static void on_reply(struct redis_conn *conn, const struct server_answer *answer)
{
    if (conn->count == 0)
        return;
    struct pending pending = conn->pending[conn->first % IN_FLIGHT_MAX];
    conn->first++;
    conn->count--;
    conn->stats.replies++;
    if (pending.on_reply != NULL)
        pending.on_reply(pending.arg, answer->reply);
}

static void on_message(void *arg, struct net_message *message)
{
    struct redis_conn *conn = arg;
    struct server_answer *answer = (struct server_answer *)message;
    conn->heard = loop_now(conn->loop);
    if (answer->kind == SERVER_HELLO)
        on_ready(conn);
    else if (answer->kind == SERVER_REPLY)
        on_reply(conn, answer);
    else if (answer->kind == SERVER_SUBSCRIBE && conn->handlers.on_subscribed != NULL)
        conn->handlers.on_subscribed(conn->arg, answer->channel, answer->channel_len);
    else if (answer->kind == SERVER_PUSH && conn->handlers.on_message != NULL)
        conn->handlers.on_message(conn->arg, answer->channel, answer->channel_len, (const char *)answer->payload,
                                  answer->len);
    message->drop(message);
}

// ---- Connecting ----------------------------------------------------------------------------------------------------

// Refused at once, or never answered, or made.
static void start(void *arg)
{
    struct redis_conn *conn = arg;
    struct sim_proc *proc = sim_proc_of(conn->loop);
    conn->state = REDIS_CONN_CONNECTING;
    loop_timer_arm_ms(&conn->watchdog, CONNECT_TIMEOUT_MS);
    if (net_isolated(proc) || net_isolated(server_proc()) || sim_proc_paused(server_proc()))
        return;
    conn->end = server_connect(proc);
    if (conn->end == NULL) {
        break_connection(conn, "refused");
        return;
    }
    net_attach(conn->end, on_message, on_closed, conn);
    net_send(conn->end, &server_request_new(SERVER_HELLO, -1, NULL, 0, NULL, 0)->head);
}

// PING and its answer, without a message of its own: silence is a server that does not turn, or a network that does
// not carry.
static bool is_silent(const struct redis_conn *conn)
{
    return sim_proc_paused(server_proc()) || net_isolated(server_proc()) || net_isolated(sim_proc_of(conn->loop));
}

static void on_watchdog(void *arg)
{
    struct redis_conn *conn = arg;
    struct monotime now = loop_now(conn->loop);
    if (conn->state != REDIS_CONN_READY) {
        break_connection(conn, "connect timeout");
        return;
    }
    if (conn->count > 0) {
        struct monotime due = monotime_add_ms(conn->pending[conn->first % IN_FLIGHT_MAX].sent, COMMAND_TIMEOUT_MS);
        if (monotime_reached(due, now)) {
            conn->stats.timeouts++;
            break_connection(conn, "no answer in time");
        } else {
            loop_timer_arm_ms(&conn->watchdog, monotime_diff_ms(due, now));
        }
        return;
    }
    if (!conn->subscribing)
        return;
    if (!is_silent(conn))
        conn->heard = now;
    if (monotime_reached(monotime_add_ms(conn->heard, COMMAND_TIMEOUT_MS), now))
        break_connection(conn, "silence");
    else
        loop_timer_arm_ms(&conn->watchdog, COMMAND_TIMEOUT_MS / 4);
}

// ---- The header's functions ----------------------------------------------------------------------------------------

static void on_release(void *arg)
{
    struct redis_conn *conn = arg;
    free(conn->pending);
    free(conn);
}

int redis_conn_open(struct redis_conn **out, struct loop *loop, const struct redis_conn_config *config,
                    const struct redis_conn_handlers *handlers, void *arg)
{
    (void)config;
    struct redis_conn *conn = calloc(1, sizeof *conn);
    struct pending *pending = malloc(IN_FLIGHT_MAX * sizeof *pending);
    if (conn == NULL || pending == NULL)
        abort();
    conn->loop = loop;
    conn->pending = pending;
    conn->handlers = *handlers;
    conn->arg = arg;
    conn->last_error = "";
    conn->backoff_ms = BACKOFF_MIN_MS;
    conn->state = REDIS_CONN_CONNECTING;
    loop_timer_init(&conn->retry, loop, start, conn);
    loop_timer_init(&conn->watchdog, loop, on_watchdog, conn);
    loop_deferred_init(&conn->release, on_release, conn);
    loop_timer_arm_us(&conn->retry, sim_skewed(50, 3000));
    *out = conn;
    return 0;
}

void redis_conn_close(struct redis_conn *conn)
{
    if (conn == NULL || conn->closed)
        return;
    conn->closed = true;
    conn->state = REDIS_CONN_IDLE;
    drop_connection(conn);
    loop_timer_disarm(&conn->retry);
    fail_pending(conn);
    loop_defer(conn->loop, &conn->release);
}

bool redis_conn_is_ready(const struct redis_conn *conn)
{
    return conn->state == REDIS_CONN_READY;
}

size_t redis_conn_in_flight(const struct redis_conn *conn)
{
    return conn->count;
}

const struct redis_conn_stats *redis_conn_stats(const struct redis_conn *conn)
{
    return &conn->stats;
}

const char *redis_conn_last_error(const struct redis_conn *conn)
{
    return conn->last_error;
}

void redis_conn_reset(struct redis_conn *conn, const char *why)
{
    break_connection(conn, why);
}

static int call(struct redis_conn *conn, int script, const struct redis_arg *keys, size_t key_count,
                const struct redis_arg *args, size_t arg_count, redis_conn_reply_cb *on_reply_cb, void *arg)
{
    if (conn->state != REDIS_CONN_READY || conn->subscribing)
        return ERR_CLOSED;
    if (conn->count == IN_FLIGHT_MAX)
        return ERR_FULL;
    conn->pending[(conn->first + conn->count++) % IN_FLIGHT_MAX] =
        (struct pending){on_reply_cb, arg, loop_now(conn->loop)};
    conn->stats.commands++;
    if (!loop_timer_armed(&conn->watchdog) || conn->count == 1)
        loop_timer_arm_ms(&conn->watchdog, COMMAND_TIMEOUT_MS);
    net_send(conn->end, &server_request_new(SERVER_CALL, script, keys, key_count, args, arg_count)->head);
    return 0;
}

int redis_conn_command(struct redis_conn *conn, const struct redis_arg *args, size_t count,
                       redis_conn_reply_cb *on_reply_cb, void *arg)
{
    return call(conn, -1, NULL, 0, args, count, on_reply_cb, arg);
}

int redis_conn_evalsha(struct redis_conn *conn, size_t script, const struct redis_arg *keys, size_t key_count,
                       const struct redis_arg *args, size_t arg_count, redis_conn_reply_cb *on_reply_cb, void *arg)
{
    return call(conn, (int)script, keys, key_count, args, arg_count, on_reply_cb, arg);
}

int redis_conn_evalsha_ro(struct redis_conn *conn, size_t script, const struct redis_arg *keys, size_t key_count,
                          const struct redis_arg *args, size_t arg_count, redis_conn_reply_cb *on_reply_cb, void *arg)
{
    return call(conn, (int)script, keys, key_count, args, arg_count, on_reply_cb, arg);
}

static int subscription(struct redis_conn *conn, enum server_kind kind, const char *channel, size_t len)
{
    const struct redis_arg arg = {channel, len};
    if (conn->state != REDIS_CONN_READY)
        return ERR_CLOSED;
    if (!conn->subscribing) {
        conn->subscribing = true;
        conn->heard = loop_now(conn->loop);
        loop_timer_arm_ms(&conn->watchdog, COMMAND_TIMEOUT_MS / 4);
    }
    net_send(conn->end, &server_request_new(kind, -1, NULL, 0, &arg, 1)->head);
    return 0;
}

int redis_conn_subscribe(struct redis_conn *conn, const char *channel, size_t len)
{
    return subscription(conn, SERVER_SUBSCRIBE, channel, len);
}

int redis_conn_unsubscribe(struct redis_conn *conn, const char *channel, size_t len)
{
    return subscription(conn, SERVER_UNSUBSCRIBE, channel, len);
}
