// Commands of redis_conn.h.

#include "common/io/redis_conn_impl.h"

#include <stdio.h>
#include <string.h>

// Room in every bound for one more request.
static int check_bounds(struct redis_conn *conn, const struct redis_args *runs, size_t run_count)
{
    size_t len = redis_format_len(runs, run_count);
    size_t waiting = stream_pending(&conn->stream);
    bool full = conn->state == REDIS_CONN_READY && conn->pending.count >= conn->config.in_flight_max;
    if (full || waiting > conn->config.output_max || len > conn->config.output_max - waiting)
        return ERR_FULL;
    return redis_queue_reserve(&conn->pending);
}

int redis_conn_send(struct redis_conn *conn, const struct redis_args *runs, size_t run_count,
                    redis_conn_reply_cb *on_reply, void *arg)
{
    int err = check_bounds(conn, runs, run_count);
    if (err != 0)
        return err;
    err = redis_format(conn->stream.out, runs, run_count);
    if (err != 0)
        return err;
    redis_queue_push(&conn->pending, (struct redis_pending){on_reply, arg, loop_now(conn->loop)});
    conn->stats.commands++;
    stream_send(&conn->stream);
    if (!loop_timer_armed(&conn->watchdog))
        loop_timer_arm_ms(&conn->watchdog, conn->config.command_timeout_ms);
    return 0;
}

int redis_conn_command(struct redis_conn *conn, const struct redis_arg *args, size_t count,
                       redis_conn_reply_cb *on_reply, void *arg)
{
    const struct redis_args run = {args, count};
    if (conn->state != REDIS_CONN_READY || conn->subscribing)
        return ERR_CLOSED;
    return redis_conn_send(conn, &run, 1, on_reply, arg);
}

// Keys and arguments of a script.
struct script_call {
    const char *verb;
    size_t script;
    struct redis_args keys;
    struct redis_args args;
};

static int send_script(struct redis_conn *conn, const struct script_call *call, redis_conn_reply_cb *on_reply,
                       void *arg)
{
    char count[24];
    if (call->script >= conn->config.script_count)
        return ERR_RANGE;
    if (conn->state != REDIS_CONN_READY || conn->subscribing)
        return ERR_CLOSED;
    int len = snprintf(count, sizeof count, "%zu", call->keys.count);
    const struct redis_arg head[] = {
        REDIS_ARG_TEXT(call->verb),
        {conn->shas[call->script], REDIS_CONN_SHA_LEN},
        {count, (size_t)len},
    };
    const struct redis_args runs[] = {{head, 3}, call->keys, call->args};
    return redis_conn_send(conn, runs, 3, on_reply, arg);
}

int redis_conn_evalsha(struct redis_conn *conn, size_t script, const struct redis_arg *keys, size_t key_count,
                       const struct redis_arg *args, size_t arg_count, redis_conn_reply_cb *on_reply, void *arg)
{
    const struct script_call call = {"EVALSHA", script, {keys, key_count}, {args, arg_count}};
    return send_script(conn, &call, on_reply, arg);
}

int redis_conn_evalsha_ro(struct redis_conn *conn, size_t script, const struct redis_arg *keys, size_t key_count,
                          const struct redis_arg *args, size_t arg_count, redis_conn_reply_cb *on_reply, void *arg)
{
    const struct script_call call = {"EVALSHA_RO", script, {keys, key_count}, {args, arg_count}};
    return send_script(conn, &call, on_reply, arg);
}

// Answers to these come as messages of their own kind, so they are not pending commands.
static int send_channel(struct redis_conn *conn, const char *verb, const char *channel, size_t channel_len)
{
    const struct redis_arg args[] = {REDIS_ARG_TEXT(verb), {channel, channel_len}};
    const struct redis_args run = {args, 2};
    if (conn->state != REDIS_CONN_READY)
        return ERR_CLOSED;
    if (stream_pending(&conn->stream) + redis_format_len(&run, 1) > conn->config.output_max)
        return ERR_FULL;
    int err = redis_format(conn->stream.out, &run, 1);
    if (err != 0)
        return err;
    stream_send(&conn->stream);
    return 0;
}

int redis_conn_subscribe(struct redis_conn *conn, const char *channel, size_t len)
{
    int err = send_channel(conn, "SUBSCRIBE", channel, len);
    if (err == 0 && !conn->subscribing) {
        conn->subscribing = true;
        conn->heard = loop_now(conn->loop);
        loop_timer_arm_ms(&conn->watchdog, conn->config.command_timeout_ms / 4);
    }
    return err;
}

int redis_conn_unsubscribe(struct redis_conn *conn, const char *channel, size_t len)
{
    if (!conn->subscribing)
        return ERR_CLOSED;
    return send_channel(conn, "UNSUBSCRIBE", channel, len);
}
