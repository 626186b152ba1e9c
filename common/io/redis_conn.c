#include "common/io/redis_conn.h"

#include "common/io/log.h"
#include "common/io/rand.h"
#include "common/io/redis_conn_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_MS 2000
#define COMMAND_TIMEOUT_MS 2000
#define IN_FLIGHT_MAX 65536
#define BYTES_MAX (64u * 1024 * 1024)
#define BACKOFF_MIN_MS 10
#define BACKOFF_MAX_MS 500
#define STABLE_MS 1000 // a connection that was ready for so long counts as good: the next back-off starts small

// ---- States --------------------------------------------------------------------------------------------------------

static void become_ready(struct redis_conn *conn)
{
    conn->state = REDIS_CONN_READY;
    conn->ready_since = loop_now(conn->loop);
    conn->stats.connects++;
    if (conn->handlers.on_ready != NULL)
        conn->handlers.on_ready(conn->arg);
}

static bool was_stable(const struct redis_conn *conn)
{
    return conn->state == REDIS_CONN_READY && monotime_diff_ms(loop_now(conn->loop), conn->ready_since) >= STABLE_MS;
}

static void schedule_retry(struct redis_conn *conn, bool stable)
{
    if (stable) {
        conn->backoff_ms = BACKOFF_MIN_MS;
        conn->told[0] = '\0';
    }
    // The jitter keeps many processes from coming back in step.
    loop_timer_arm_ms(&conn->retry, conn->backoff_ms + (int64_t)rand_below(conn->backoff_ms / 2 + 1));
    conn->backoff_ms = conn->backoff_ms * 2 < BACKOFF_MAX_MS ? conn->backoff_ms * 2 : BACKOFF_MAX_MS;
}

// Answers what is pending with "unknown". Callbacks may send (refused), or close the connection, which comes back here.
static void fail_pending(struct redis_conn *conn)
{
    struct redis_pending pending;
    while (redis_queue_pop(&conn->pending, &pending)) {
        conn->stats.unknown++;
        if (pending.on_reply != NULL)
            pending.on_reply(pending.arg, NULL);
    }
}

static void drop_connection(struct redis_conn *conn, bool flush)
{
    conn->generation++;
    conn->subscribing = false;
    conn->reply_len = 0;
    dial_cancel(&conn->dial);
    stream_close(&conn->stream, flush);
    loop_timer_disarm(&conn->watchdog);
    if (conn->reader != NULL)
        redisReaderFree(conn->reader);
    conn->reader = NULL;
}

// A connection that does not come up, or goes down as soon as it is used, has no owner who would say so. Once per
// reason, not per attempt.
static void complain(struct redis_conn *conn)
{
    if (strcmp(conn->told, conn->last_error) == 0)
        return;
    snprintf(conn->told, sizeof conn->told, "%s", conn->last_error);
    log_warn("redis cannot be used yet", LOG_STR("redis", conn->config.address),
             LOG_STR("link", conn->config.name != NULL ? conn->config.name : ""), LOG_STR("why", conn->last_error));
}

void redis_conn_break(struct redis_conn *conn, const char *why)
{
    if (conn->state == REDIS_CONN_IDLE || conn->state == REDIS_CONN_BACKOFF)
        return;
    bool was_ready = conn->state == REDIS_CONN_READY, stable = was_stable(conn);
    conn->state = REDIS_CONN_BACKOFF;
    conn->last_error = why;
    conn->stats.failures++;
    drop_connection(conn, false);
    schedule_retry(conn, stable);
    fail_pending(conn);
    if (conn->closed)
        return;
    if (!stable)
        complain(conn);
    if (was_ready && conn->handlers.on_down != NULL)
        conn->handlers.on_down(conn->arg);
}

void redis_conn_reset(struct redis_conn *conn, const char *why)
{
    redis_conn_break(conn, why);
}

// ---- Handshake -----------------------------------------------------------------------------------------------------

void redis_conn_break_by(struct redis_conn *conn, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(conn->error_text, sizeof conn->error_text, "%s", reply->str);
        redis_conn_break(conn, conn->error_text);
    } else {
        redis_conn_break(conn, "the server does not speak as Redis does");
    }
}

static void on_script_loaded(void *arg, const redisReply *reply)
{
    struct redis_conn *conn = arg;
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STRING || reply->len != REDIS_CONN_SHA_LEN) {
        redis_conn_break_by(conn, reply);
        return;
    }
    memcpy(conn->shas[conn->scripts_loaded++], reply->str, REDIS_CONN_SHA_LEN + 1);
    if (conn->scripts_loaded == conn->config.script_count)
        become_ready(conn);
}

static void on_pong(void *arg, const redisReply *reply)
{
    struct redis_conn *conn = arg;
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STATUS)
        redis_conn_break_by(conn, reply);
    else if (conn->config.script_count == 0)
        become_ready(conn);
}

// PING first: it is what a server that still loads its data, or lost its master, refuses.
static void load_scripts(struct redis_conn *conn)
{
    const struct redis_arg ping[] = {REDIS_ARG_TEXT("PING")};
    const struct redis_args ping_run = {ping, 1};
    conn->state = REDIS_CONN_LOADING_SCRIPTS;
    conn->scripts_loaded = 0;
    int err = redis_conn_send(conn, &ping_run, 1, on_pong, conn);
    for (size_t i = 0; i < conn->config.script_count && err == 0; i++) {
        const struct redis_arg load[] = {
            REDIS_ARG_TEXT("SCRIPT"),
            REDIS_ARG_TEXT("LOAD"),
            REDIS_ARG_TEXT(conn->config.scripts[i]),
        };
        const struct redis_args load_run = {load, 3};
        err = redis_conn_send(conn, &load_run, 1, on_script_loaded, conn);
    }
    if (err != 0)
        redis_conn_break(conn, err_text(err));
}

static void on_authenticated(void *arg, const redisReply *reply)
{
    struct redis_conn *conn = arg;
    if (reply == NULL)
        return;
    if (reply->type != REDIS_REPLY_STATUS)
        redis_conn_break_by(conn, reply);
    else
        load_scripts(conn);
}

static void authenticate(struct redis_conn *conn)
{
    const char *user = conn->config.user;
    const char *password = conn->config.password;
    if (password == NULL || password[0] == '\0') {
        load_scripts(conn);
        return;
    }
    struct redis_arg auth[3] = {REDIS_ARG_TEXT("AUTH")};
    struct redis_args run = {auth, 1};
    if (user != NULL && user[0] != '\0')
        auth[run.count++] = REDIS_ARG_TEXT(user);
    auth[run.count++] = REDIS_ARG_TEXT(password);
    conn->state = REDIS_CONN_AUTH;
    int err = redis_conn_send(conn, &run, 1, on_authenticated, conn);
    if (err != 0)
        redis_conn_break(conn, err_text(err));
}

// ---- Connecting ----------------------------------------------------------------------------------------------------

static void on_dialled(void *arg, int fd, const char *why)
{
    struct redis_conn *conn = arg;
    if (fd < 0) {
        redis_conn_break(conn, why);
        return;
    }
    conn->reader = redisReaderCreate();
    if (conn->reader == NULL || stream_open(&conn->stream, fd) != 0) {
        close(fd);
        redis_conn_break(conn, err_text(ERR_NOMEM));
        return;
    }
    sock_tune(fd, conn->config.command_timeout_ms);
    conn->heard = loop_now(conn->loop);
    authenticate(conn);
}

static void start(void *arg)
{
    struct redis_conn *conn = arg;
    conn->state = REDIS_CONN_CONNECTING;
    // The address was checked by redis_conn_open.
    if (dial_start(&conn->dial, conn->config.address, conn->config.connect_timeout_ms) != 0)
        redis_conn_break(conn, err_text(ERR_MALFORMED));
}

static void on_broken(void *arg)
{
    redis_conn_break(arg, "the connection broke while writing");
}

// ---- Watchdog ------------------------------------------------------------------------------------------------------

static void on_watchdog(void *arg)
{
    struct redis_conn *conn = arg;
    const struct redis_arg ping[] = {REDIS_ARG_TEXT("PING")};
    const struct redis_args run = {ping, 1};
    struct monotime now = loop_now(conn->loop);
    const struct redis_pending *oldest = redis_queue_oldest(&conn->pending);
    int64_t timeout_ms = conn->config.command_timeout_ms;

    if (oldest != NULL || conn->subscribing) {
        struct monotime since = oldest != NULL ? oldest->sent : conn->heard;
        int64_t quiet_ms = monotime_diff_ms(now, since);
        if (quiet_ms >= timeout_ms) {
            conn->stats.timeouts++;
            redis_conn_break(conn, "no answer in time");
            return;
        }
        // Half of the time for silence, half for the answer to the question.
        if (oldest == NULL && quiet_ms >= timeout_ms / 2) {
            if (redis_format(conn->stream.out, &run, 1) == 0)
                stream_send(&conn->stream);
        }
        int64_t step_ms = oldest != NULL ? timeout_ms - quiet_ms : timeout_ms / 4 + 1;
        loop_timer_arm_ms(&conn->watchdog, step_ms);
    }
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static void on_release(void *arg)
{
    struct redis_conn *conn = arg;
    redis_queue_fini(&conn->pending);
    free(conn);
}

static void set_default(uint32_t *field, uint32_t fallback)
{
    if (*field == 0)
        *field = fallback;
}

int redis_conn_open(struct redis_conn **out, struct loop *loop, const struct redis_conn_config *config,
                    const struct redis_conn_handlers *handlers, void *arg)
{
    static const struct stream_handlers stream_handlers = {redis_conn_on_readable, on_broken, NULL};
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    if (config->script_count > REDIS_CONN_SCRIPTS_MAX)
        return ERR_RANGE;
    if (sock_split(config->address, host, &port) != 0 || host[0] == '\0' || port == 0)
        return ERR_MALFORMED;
    struct redis_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        return ERR_NOMEM;
    conn->loop = loop;
    conn->config = *config;
    conn->handlers = *handlers;
    conn->arg = arg;
    conn->last_error = "";
    conn->backoff_ms = BACKOFF_MIN_MS;
    set_default(&conn->config.connect_timeout_ms, CONNECT_TIMEOUT_MS);
    set_default(&conn->config.command_timeout_ms, COMMAND_TIMEOUT_MS);
    set_default(&conn->config.in_flight_max, IN_FLIGHT_MAX);
    set_default(&conn->config.output_max, BYTES_MAX);
    set_default(&conn->config.reply_max, BYTES_MAX);
    dial_init(&conn->dial, loop, on_dialled, conn);
    stream_init(&conn->stream, loop, &stream_handlers, conn);
    loop_timer_init(&conn->retry, loop, start, conn);
    loop_timer_init(&conn->watchdog, loop, on_watchdog, conn);
    loop_deferred_init(&conn->release, on_release, conn);
    start(conn);
    *out = conn;
    return 0;
}

void redis_conn_close(struct redis_conn *conn)
{
    if (conn == NULL || conn->closed)
        return;
    bool was_ready = conn->state == REDIS_CONN_READY;
    conn->closed = true;
    conn->state = REDIS_CONN_IDLE;
    drop_connection(conn, was_ready);
    loop_timer_disarm(&conn->retry);
    fail_pending(conn);
    loop_defer(conn->loop, &conn->release);
}

enum redis_conn_state redis_conn_state(const struct redis_conn *conn)
{
    return conn->state;
}

bool redis_conn_is_ready(const struct redis_conn *conn)
{
    return conn->state == REDIS_CONN_READY;
}

size_t redis_conn_in_flight(const struct redis_conn *conn)
{
    return conn->pending.count;
}

const struct redis_conn_stats *redis_conn_stats(const struct redis_conn *conn)
{
    return &conn->stats;
}

const char *redis_conn_last_error(const struct redis_conn *conn)
{
    return conn->last_error;
}
