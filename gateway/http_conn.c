#include "gateway/http_conn.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "gateway/api_wait.h"
#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"

#define BUFFER_MIN 1024u
#define REQUESTS_PER_CONN 100
#define REQUESTS_PER_PUMP 8
#define WRITE_PER_PUMP (256u << 10) // bytes of one answer, so that others have their turn

// ---- Reading --------------------------------------------------------------------------------------------------------

static bool make_room(struct http_conn *http, size_t more)
{
    size_t need = http->len + more;
    size_t capacity = http->capacity > 0 ? http->capacity : BUFFER_MIN;
    while (capacity < need)
        capacity *= 2;
    if (capacity == http->capacity)
        return true;
    char *buffer = realloc(http->buffer, capacity);
    if (buffer == NULL)
        return false;
    http->buffer = buffer;
    http->capacity = capacity;
    return true;
}

static struct http_conn *http_of(struct conn *conn)
{
    if (conn->http == NULL) {
        conn->http = calloc(1, sizeof *conn->http);
        if (conn->http != NULL)
            http_request_init(&conn->http->request);
    }
    return conn->http;
}

static void refuse(struct conn *conn)
{
    struct http_conn *http = conn->http;
    http->close_after = true;
    http->waiting = true;
    conn_arm(conn, CONN_LIST_STALL); // the time for reading is over, it must not refuse a second time
    http_reply_error(conn, http->request.status, http->request.why, NULL);
}

// New bytes are at the end of the buffer.
static void parse(struct conn *conn, size_t old_len)
{
    struct http_conn *http = conn->http;
    ssize_t whole = http_request_feed(&http->request, http->buffer, old_len, http->len);
    if (whole < 0) {
        conn->reason = CONN_REASON_HTTP_REFUSED;
        refuse(conn);
        return;
    }
    if (whole == 0)
        return;
    conn->edge->stats.requests++;
    conn->requests++;
    http->whole = (size_t)whole;
    http->began = loop_now_exact();
    http->close_after = !http->request.keep_alive || conn->requests >= REQUESTS_PER_CONN || conn->edge->draining;
    http->head_only = http->request.parser.method == HTTP_HEAD;
    http->waiting = true;
    // The head is here; from now on the client waits for us.
    conn_arm(conn, CONN_LIST_STALL);
    routes_handle(conn, http);
}

// One read; false when there is nothing more to do now.
static bool read_some(struct conn *conn)
{
    struct edge *edge = conn->edge;
    size_t have = conn->http != NULL ? conn->http->len : 0;
    size_t room = HTTP_REQUEST_MAX > have ? HTTP_REQUEST_MAX - have : 0;
    ssize_t n = sock_read(&conn->sock, edge->input, room < sizeof edge->input ? room : sizeof edge->input);
    if (n == ERR_AGAIN)
        return false;
    if (n < 0) {
        conn_failed(conn, n);
        return false;
    }
    struct http_conn *http = http_of(conn);
    if (http == NULL || !make_room(http, (size_t)n)) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return false;
    }
    memcpy(http->buffer + http->len, edge->input, (size_t)n);
    http->len += (size_t)n;
    parse(conn, have);
    return true;
}

// ---- Bodies ---------------------------------------------------------------------------------------------------------
//
// Bodies are shared, but a client that takes its answer slowly keeps an old one alive, and every second there may be a
// new one. So all that are on their way have a bound together, and who took something the longest ago goes first.

static void drop_body(struct edge *edge, struct http_conn *http)
{
    struct shared_buf *body = http->body;
    http->body = NULL;
    if (body != NULL && --body->answers == 0)
        edge->stats.body_bytes -= (int64_t)body->len;
    shared_buf_unref(body);
}

static void drop_slowest(struct edge *edge, const struct conn *but)
{
    struct deadlines *list = &edge->lists[CONN_LIST_STALL];
    for (struct deadline *at = list->head.next, *next; at != &list->head; at = next) {
        struct conn *conn = (struct conn *)((char *)at - offsetof(struct conn, deadline));
        if (edge->stats.body_bytes <= edge->body_bytes_max)
            return;
        next = at->next;
        if (conn == but || conn->state != CONN_HTTP || conn->http == NULL || conn->http->body == NULL)
            continue;
        conn_doom(conn, CONN_REASON_BODIES_FULL);
        drop_body(edge, conn->http);
    }
}

static void take_body(struct conn *conn, struct shared_buf *body)
{
    conn->http->body = shared_buf_ref(body);
    if (body->answers++ == 0)
        conn->edge->stats.body_bytes += (int64_t)body->len;
    drop_slowest(conn->edge, conn);
}

// ---- Answering ------------------------------------------------------------------------------------------------------

static enum http_persistence persistence_of(const struct http_conn *http)
{
    if (http->close_after)
        return HTTP_CLOSE;
    return http->request.parser.http_minor == 0 ? HTTP_KEEP_1_0 : HTTP_KEEP;
}

// Counts an answer and says it: the only place where requests are in the log.
static void account(struct conn *conn, uint16_t status, size_t length)
{
    struct edge_stats *stats = &conn->edge->stats;
    const struct http_conn *http = conn->http;
    const struct http_span *target = &http->request.target;
    int64_t us = http->whole > 0 ? monotime_diff_us(loop_now_exact(), http->began) : 0;
    if (status >= 200 && status < 600)
        stats->responses[status / 100 - 2]++;
    hist_add(&stats->request_us, us > 0 ? (uint64_t)us : 0);
    LOG_AT(status >= 500 && status != 503 ? LOG_WARN : LOG_DEBUG, "request", LOG_HEX("conn", conn->id),
           LOG_U64("request", conn->requests),
           LOG_STR("method", http->whole > 0 ? http_method_str(http->request.parser.method) : ""),
           LOG_BYTES("target", http->buffer + target->at, target->len), LOG_U64("status", status),
           LOG_U64("bytes", length), LOG_I64("us", us), LOG_ADDR("client", &conn->addr));
}

void http_reply(struct conn *conn, const struct http_reply *reply)
{
    struct http_conn *http = conn->http;
    if (conn->state != CONN_HTTP || http == NULL || !http->waiting)
        return;
    http->waiting = false;
    http->content = NULL;
    size_t length = reply->body != NULL ? reply->body->len : reply->text_len;
    account(conn, reply->status, length);
    size_t text_len = http->head_only || reply->body != NULL ? 0 : reply->text_len;
    http->out = malloc(HTTP_REPLY_HEAD_MAX + text_len);
    if (http->out == NULL) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    struct http_reply full = *reply;
    full.hsts = conn->secure ? conn->edge->hsts : NULL;
    http->out_len = http_reply_head((char *)http->out, HTTP_REPLY_HEAD_MAX, &full, length, persistence_of(http),
                                    loop_wall_ms(conn->edge->loop) / 1000);
    if (http->out_len == 0) {
        conn_doom(conn, CONN_REASON_IO); // headers of ours that do not fit: never sent by halves
        return;
    }
    if (text_len > 0)
        memcpy(http->out + http->out_len, reply->text, text_len);
    http->out_len += text_len;
    if (reply->body != NULL && !http->head_only && reply->status != 304)
        take_body(conn, reply->body);
    http->answering = true;
    if (!http->pumping)
        conn_wake(conn);
}

// What follows the request that was answered moves to the front; without it, nothing is kept.
static void next_request(struct conn *conn)
{
    struct http_conn *http = conn->http;
    conn_enter(conn, CONN_HTTP);
    conn_arm(conn, CONN_LIST_KEEPALIVE);
    size_t rest = http->len - http->whole;
    if (rest == 0) {
        http_conn_free(conn);
        return;
    }
    memmove(http->buffer, http->buffer + http->whole, rest);
    drop_body(conn->edge, http);
    free(http->out);
    *http =
        (struct http_conn){.buffer = http->buffer, .len = rest, .capacity = http->capacity, .pumping = http->pumping};
    http_request_init(&http->request);
}

// True when the answer is out.
static bool write_answer(struct conn *conn)
{
    struct http_conn *http = conn->http;
    size_t total = http->out_len + (http->body != NULL ? http->body->len : 0);
    size_t stop = total - http->sent > WRITE_PER_PUMP ? http->sent + WRITE_PER_PUMP : total;
    while (http->sent < stop) {
        struct iovec parts[2];
        int count = 0;
        size_t into_body = http->sent > http->out_len ? http->sent - http->out_len : 0;
        if (http->sent < http->out_len)
            parts[count++] = (struct iovec){http->out + http->sent, http->out_len - http->sent};
        if (http->body != NULL && http->body->len > into_body)
            parts[count++] = (struct iovec){http->body->bytes + into_body, stop - (http->out_len + into_body)};
        ssize_t n = sock_writev(&conn->sock, parts, count);
        if (n == ERR_AGAIN) {
            conn_blocked(conn);
            return false;
        }
        if (n < 0) {
            conn_failed(conn, n);
            return false;
        }
        http->sent += (size_t)n;
        conn->edge->stats.http_bytes += (uint64_t)n;
        conn_arm(conn, CONN_LIST_STALL);
    }
    if (stop < total) {
        conn_blocked(conn); // not really: it goes on in the next turn
        return false;
    }
    conn_unblocked(conn);
    return true;
}

static void answered(struct conn *conn)
{
    if (conn->http->close_after) {
        conn_linger(conn, CONN_REASON_HTTP_DONE);
        return;
    }
    next_request(conn);
    if (conn->http != NULL)
        parse(conn, 0);
}

// ---- The phase ------------------------------------------------------------------------------------------------------

static void pump(struct conn *conn)
{
    for (unsigned done = 0; conn->state == CONN_HTTP;) {
        struct http_conn *http = conn->http;
        if (http != NULL && http->waiting)
            return;
        if (http != NULL && http->answering) {
            if (!write_answer(conn))
                return;
            answered(conn);
            if (++done == REQUESTS_PER_PUMP) {
                conn_wake(conn);
                return;
            }
        } else if (!read_some(conn)) {
            return;
        }
        if (conn->http != NULL)
            conn->http->pumping = true;
    }
}

void http_conn_pump(struct conn *conn)
{
    if (http_of(conn) == NULL) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    conn->http->pumping = true;
    pump(conn);
    struct http_conn *http = conn->http;
    if (http == NULL)
        return;
    http->pumping = false;
    if (conn->state != CONN_HTTP || (http->len == 0 && !http->waiting && !http->answering))
        http_conn_free(conn);
}

bool http_conn_reads(const struct conn *conn)
{
    return conn->http == NULL || (!conn->http->waiting && !conn->http->answering);
}

void http_conn_deadline(struct conn *conn)
{
    struct http_conn *http = conn->http;
    if (http == NULL || http->len == 0) {
        conn_doom(conn, conn->requests > 0 ? CONN_REASON_IDLE : CONN_REASON_HEAD_LATE);
        return;
    }
    conn->reason = CONN_REASON_HEAD_LATE;
    http->request.status = 408;
    http->request.why = "the request did not come in time";
    refuse(conn);
}

void http_conn_free(struct conn *conn)
{
    struct http_conn *http = conn->http;
    if (http == NULL)
        return;
    if (http->content != NULL)
        content_cancel(http->content);
    api_wait_end(http);
    drop_body(conn->edge, http);
    free(http->out);
    free(http->buffer);
    free(http);
    conn->http = NULL;
}

void http_conn_upgrade(struct conn *conn, const char *head, size_t head_len, uint64_t user, uint8_t kind)
{
    struct http_conn *http = conn->http;
    http->waiting = false;
    if (outbox_put(&conn->ws.outbox, &conn->edge->outbox_pool, head, head_len, NULL, 0) != 0 ||
        edge_add_client(conn->edge, conn, user) != 0) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    limits_close(conn->edge->limits, LIMITS_HTTP, &conn->addr);
    conn->counted_http = false;
    conn_enter(conn, CONN_WS);
    ws_conn_start(conn, user, kind, (const uint8_t *)http->buffer + http->whole, http->len - http->whole);
}
