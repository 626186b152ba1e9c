// Replies of redis_conn.h.

#include "common/io/redis_conn_impl.h"

#include <string.h>

#define READ_LEN 65536
#define READS_PER_TURN 4 // so that one busy connection leaves the others their turn

// Errors that say: not this server, whatever is asked.
static bool is_unfit(const redisReply *reply)
{
    static const char *const codes[] = {"NOSCRIPT ", "READONLY ", "MASTERDOWN ", "LOADING ", "NOAUTH "};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strncmp(reply->str, codes[i], strlen(codes[i])) == 0)
            return true;
    }
    return false;
}

static void take_answer(struct redis_conn *conn, const redisReply *reply)
{
    // During the handshake the state machine wants to see the error itself.
    if (reply->type == REDIS_REPLY_ERROR && conn->state == REDIS_CONN_READY && is_unfit(reply)) {
        redis_conn_break_by(conn, reply);
        return;
    }
    struct redis_pending pending;
    if (!redis_queue_pop(&conn->pending, &pending)) {
        redis_conn_break(conn, "an answer to no question");
        return;
    }
    int64_t took_us = monotime_diff_us(loop_now(conn->loop), pending.sent);
    hist_add(&conn->stats.latency_us, took_us > 0 ? (uint64_t)took_us : 0);
    conn->stats.replies++;
    if (reply->type == REDIS_REPLY_ERROR)
        conn->stats.errors++;
    if (pending.on_reply != NULL)
        pending.on_reply(pending.arg, reply);
}

static bool is_text(const redisReply *reply, const char *text)
{
    return reply->type == REDIS_REPLY_STRING && reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}

// What comes in publish-and-subscribe mode once the commands before it are answered.
static void take_push(struct redis_conn *conn, const redisReply *reply)
{
    // PONG arrives as a plain status when the last channel has been left.
    if (reply->type == REDIS_REPLY_STATUS)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        redis_conn_break_by(conn, reply);
        return;
    }
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 || reply->elements > 3) {
        redis_conn_break(conn, "not a message");
        return;
    }
    redisReply *const *part = reply->element;
    if (is_text(part[0], "pong") || is_text(part[0], "unsubscribe"))
        return;
    if (reply->elements != 3 || part[1]->type != REDIS_REPLY_STRING) {
        redis_conn_break(conn, "not a message");
        return;
    }
    if (is_text(part[0], "message") && part[2]->type == REDIS_REPLY_STRING) {
        if (conn->handlers.on_message != NULL)
            conn->handlers.on_message(conn->arg, part[1]->str, part[1]->len, part[2]->str, part[2]->len);
    } else if (is_text(part[0], "subscribe")) {
        if (conn->handlers.on_subscribed != NULL)
            conn->handlers.on_subscribed(conn->arg, part[1]->str, part[1]->len);
    } else {
        redis_conn_break(conn, "an unknown kind of message");
    }
}

static void take_reply(struct redis_conn *conn, const redisReply *reply)
{
    if (conn->subscribing && conn->pending.count == 0)
        take_push(conn, reply);
    else
        take_answer(conn, reply);
}

// Hands on all replies that are complete. Returns false when the connection is no longer the one it was.
static bool take_replies(struct redis_conn *conn, size_t fed)
{
    uint64_t generation = conn->generation;
    conn->reply_len += fed;
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(conn->reader, &reply) != REDIS_OK) {
            redis_conn_break(conn, "the answer is not RESP");
            return false;
        }
        if (reply == NULL)
            break;
        take_reply(conn, reply);
        freeReplyObject(reply);
        if (conn->generation != generation)
            return false;
        conn->reply_len = conn->reader->len - conn->reader->pos;
    }
    if (conn->reply_len > conn->config.reply_max) {
        redis_conn_break(conn, "the answer is too long");
        return false;
    }
    return true;
}

void redis_conn_on_readable(void *arg)
{
    struct redis_conn *conn = arg;
    for (unsigned i = 0; i < READS_PER_TURN; i++) {
        char data[READ_LEN];
        ssize_t got = stream_read(&conn->stream, data, sizeof data);
        if (got == ERR_AGAIN)
            return;
        if (got < 0) {
            redis_conn_break(conn, got == ERR_CLOSED ? "the server closed the connection" : "the connection was reset");
            return;
        }
        conn->heard = loop_now(conn->loop);
        if (redisReaderFeed(conn->reader, data, (size_t)got) != REDIS_OK) {
            redis_conn_break(conn, err_text(ERR_NOMEM));
            return;
        }
        if (!take_replies(conn, (size_t)got) || (size_t)got < sizeof data)
            return;
    }
}
