// What comes from a WebSocket client: reading within limits, and what is done with each message.
#include <stdlib.h>
#include <string.h>

#include "gateway/cluster.h"
#include "gateway/edge_internal.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"

#define FRAMES_PER_TURN 256u // of one client, so that others have their turn
#define READS_PER_TURN 4u
#define LATE_MOST 5u // how often a message in pieces is given more time

// One turn's reading of one client.
struct reading {
    struct conn *conn;
    unsigned budget; // frames
};

// ---- Messages -------------------------------------------------------------------------------------------------------

static void on_draw(struct conn *conn, const uint8_t *message, size_t len)
{
    struct ws_conn *ws = &conn->ws;
    struct ws_draw draw;
    if (ws_decode_draw(message, len, &draw) != 0) {
        ws_conn_close(ws, WS_CLOSE_MALFORMED, "malformed DRAW");
        return;
    }
    if (++ws->draws >= edge_in_flight_max(conn->edge))
        ws->pauses |= WS_PAUSE_DRAWS;
    cluster_draw(conn->edge->parts.cluster, &ws->cluster, &draw, ws->user, ws->user_kind, ws->connection, &conn->addr);
}

void edge_on_verdict(struct cluster_client *client, const struct ws_verdict *verdict, void *arg)
{
    struct edge *edge = arg;
    struct ws_conn *ws = (struct ws_conn *)((char *)client - offsetof(struct ws_conn, cluster));
    struct conn *conn = conn_of_ws(ws);
    uint8_t message[WS_VERDICT_LEN];
    if (ws->draws > 0)
        ws->draws--;
    ws_conn_send(ws, message, ws_encode_verdict(message, verdict));
    if (ws->draws < edge_in_flight_max(edge))
        ws_input_resume(conn, WS_PAUSE_DRAWS);
}

static void on_watch(struct conn *conn, const uint8_t *message, size_t len, bool resume)
{
    struct ws_watch watch;
    if (ws_decode_watch(message, len, &watch) != 0)
        ws_conn_close(&conn->ws, WS_CLOSE_MALFORMED, resume ? "malformed RESUME" : "malformed WATCH");
    else if (resume)
        ws_tiles_resume(conn, watch.entries, watch.count);
    else
        ws_tiles_watch(conn, watch.entries, watch.count);
}

static void count_message(struct reading *reading)
{
    struct conn *conn = reading->conn;
    conn->edge->stats.messages++;
    (void)bucket_take(&conn->ws.bucket, loop_now(conn->edge->loop), 1);
    if (conn->ws.address != NULL)
        (void)bucket_take(&conn->ws.address->messages, loop_now(conn->edge->loop), 1);
}

static void on_message(void *arg, const uint8_t *message, size_t len)
{
    struct reading *reading = arg;
    struct conn *conn = reading->conn;
    uint8_t type = len > 0 ? message[0] : 0;
    count_message(reading);
    if (conn->state != CONN_WS)
        return;
    if (type == WS_HELLO && !conn->ws.greeted)
        ws_hello(conn, message, len);
    else if (type == WS_DRAW && conn->ws.welcomed)
        on_draw(conn, message, len);
    else if ((type == WS_WATCH || type == WS_RESUME) && conn->ws.welcomed)
        on_watch(conn, message, len, type == WS_RESUME);
    else
        ws_conn_close(&conn->ws, WS_CLOSE_MALFORMED, "unexpected message");
}

static void on_ping(void *arg, const uint8_t *payload, size_t len)
{
    struct reading *reading = arg;
    count_message(reading);
    edge_send_pong(reading->conn, payload, len);
}

// Nobody asked for it, and it costs as much as a ping.
static void on_pong(void *arg)
{
    count_message(arg);
}

// ---- Reading --------------------------------------------------------------------------------------------------------

// The rates depend on the cooldown, which may change.
static bool is_ready(struct bucket *bucket, uint32_t rate_per_s, struct monotime now)
{
    bucket->rate_per_s = rate_per_s;
    bucket->burst = 2 * rate_per_s;
    return rate_per_s == 0 || bucket_wait_ms(bucket, now, 1) == 0;
}

static bool has_token(struct conn *conn)
{
    struct monotime now = loop_now(conn->edge->loop);
    struct limits_shared *shared = conn->ws.address;
    // A whole watch is paid for before it is read; and what waits for its turn has not been paid yet.
    uint32_t tiles = conn->ws.turn == NULL ? LIMIT_WATCH_TILES : 2 * LIMIT_WATCH_TILES;
    if (bucket_wait_ms(&conn->ws.tiles, now, tiles) == 0 &&
        is_ready(&conn->ws.bucket, edge_message_rate(conn->edge), now) &&
        (shared == NULL || is_ready(&shared->messages, edge_messages_per_address(conn->edge), now)))
        return true;
    conn->ws.pauses |= WS_PAUSE_RATE;
    conn->edge->stats.pauses++;
    deadline_arm(&conn->edge->lists[CONN_LIST_PAUSE], &conn->ws.pause, loop_now(conn->edge->loop));
    return false;
}

static bool may_read(void *arg)
{
    struct reading *reading = arg;
    struct conn *conn = reading->conn;
    if (conn->state != CONN_WS || conn->ws.pauses != 0 || reading->budget == 0 || !has_token(conn))
        return false;
    reading->budget--;
    return true;
}

bool ws_input_keep(struct conn *conn, const uint8_t *bytes, size_t len)
{
    struct ws_stash *stash = &conn->ws.stash;
    stash->bytes = malloc(len);
    if (stash->bytes == NULL)
        return false;
    memcpy(stash->bytes, bytes, len);
    stash->at = 0;
    stash->len = (uint32_t)len;
    return true;
}

static void drop_stash(struct ws_stash *stash)
{
    free(stash->bytes);
    *stash = (struct ws_stash){0};
}

static void await_rest(struct conn *conn)
{
    struct ws_recv_late *late = ws_recv_late(conn->ws.recv);
    if (deadline_armed(&late->deadline))
        return;
    late->owner = conn;
    deadline_arm(&conn->edge->lists[CONN_LIST_MESSAGE], &late->deadline, loop_now(conn->edge->loop));
}

// What is missing may lie here unread, while it is not read for other reasons, or was not yet since the last of them
// ended, which may be in this very tick. Not for ever: some of them are its own.
void ws_input_late(struct conn *conn)
{
    if (conn->state != CONN_WS)
        return;
    bool unread = conn->ws.pauses != 0 || conn->ws.input_due;
    if (unread && ++ws_recv_late(conn->ws.recv)->again <= LATE_MOST)
        await_rest(conn);
    else
        ws_conn_close(&conn->ws, WS_CLOSE_SLOW, "a message in pieces for too long");
}

// Hands bytes to wslay. False when the connection is ending; else what is left stays in `input`.
static bool feed(struct reading *reading, struct ws_recv_input *input)
{
    static const struct ws_recv_handlers handlers = {may_read, on_message, on_ping, on_pong};
    struct conn *conn = reading->conn;
    struct ws_recv_result result;
    if (ws_recv_feed(&conn->ws.recv, &conn->edge->recv_pool, &handlers, reading, input, &result) != 0)
        conn_doom(conn, CONN_REASON_NO_MEMORY);
    else if (result.end == WS_RECV_PEER_CLOSED)
        edge_close_ws(conn, result.code, CONN_REASON_WS_NORMAL);
    else if (result.end == WS_RECV_BROKEN)
        ws_conn_close(&conn->ws, (enum ws_close)result.code, "broken WebSocket");
    else if (conn->ws.recv != NULL)
        await_rest(conn);
    return conn->state == CONN_WS;
}

// What was kept comes first. True when nothing is kept any more.
static bool feed_stash(struct reading *reading)
{
    struct ws_stash *stash = &reading->conn->ws.stash;
    if (stash->bytes == NULL)
        return true;
    struct ws_recv_input input = {stash->bytes + stash->at, stash->len - stash->at};
    bool goes_on = feed(reading, &input);
    stash->at = stash->len - (uint32_t)input.len;
    if (input.len > 0 && goes_on)
        return false;
    drop_stash(stash);
    return goes_on;
}

static bool feed_read(struct reading *reading)
{
    struct conn *conn = reading->conn;
    struct edge *edge = conn->edge;
    ssize_t n = sock_read(&conn->sock, edge->input, sizeof edge->input);
    if (n == ERR_AGAIN)
        return false;
    if (n < 0) {
        conn_failed(conn, n);
        return false;
    }
    struct ws_recv_input input = {edge->input, (size_t)n};
    if (!feed(reading, &input))
        return false;
    if (input.len == 0)
        return (size_t)n == sizeof edge->input || sock_has_buffered(&conn->sock);
    if (!ws_input_keep(conn, input.bytes, input.len))
        conn_doom(conn, CONN_REASON_NO_MEMORY);
    return false;
}

void ws_input_pump(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    struct reading reading = {.conn = conn, .budget = FRAMES_PER_TURN};
    ws->input_due = false;
    if (ws->pauses == 0 && feed_stash(&reading))
        for (unsigned reads = 0; reads < READS_PER_TURN && ws->pauses == 0 && feed_read(&reading); reads++)
            continue;
    // What is kept, or decrypted already, is not announced by the socket.
    if (conn->state == CONN_WS && ws->pauses == 0 && (ws->stash.bytes != NULL || sock_has_buffered(&conn->sock))) {
        ws->input_due = true;
        conn_wake(conn);
    }
}

void ws_input_resume(struct conn *conn, uint8_t pause)
{
    if ((conn->ws.pauses & pause) == 0)
        return;
    conn->ws.pauses &= (uint8_t)~pause;
    if (conn->state == CONN_WS && conn->ws.pauses == 0) {
        conn->ws.input_due = true;
        conn_wake(conn);
    }
}

void ws_input_fini(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    deadline_cancel(&ws->pause);
    drop_stash(&ws->stash);
    ws_recv_free(ws->recv);
    ws->recv = NULL;
    ws_hello_forget(conn);
}
