// What goes to a WebSocket client, and its end. The order on the wire:
//
//   [rest of a cut shared frame] ─► [outbox: small messages of this turn, or of a full socket] ─► [a new shared frame]
//
// Small messages of one turn leave in one write at its end, or together with the next shared frame. Under TLS, what
// OpenSSL has begun to write must come again unchanged: so a shared frame is never joined with the outbox there, and is
// kept once it was tried.
#include "gateway/ws_conn.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "gateway/cluster.h"
#include "gateway/edge_internal.h"
#include "proto/limits.h"

#define OUTPUT_PAUSE 4096u  // bytes of unsent answers above which no more requests are read
#define DEAD_PEER_MS 30000u // unacknowledged data for that long: the peer is gone
#define OPCODE_CLOSE 0x88
#define OPCODE_PONG 0x8a
#define PONG_SIZE (2 + 125)

static void stalled(struct conn *conn)
{
    if (!deadline_armed(&conn->deadline))
        conn_arm(conn, CONN_LIST_STALL);
    conn_blocked(conn);
}

// The socket took some: the 30 s begin anew. The deadlines of HELLO and of closing are not moved.
static void progressed(struct conn *conn)
{
    if (conn->state == CONN_WS && conn->ws.greeted && deadline_armed(&conn->deadline))
        conn_arm(conn, CONN_LIST_STALL);
}

// Everything is out.
static void drained(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    if (!conn->blocked)
        return;
    conn_unblocked(conn);
    if (conn->state == CONN_WS && ws->greeted)
        deadline_cancel(&conn->deadline);
    ws_input_resume(conn, WS_PAUSE_OUTPUT);
}

// How many of the bytes the socket took; 0: it is full, or the connection ends.
static size_t flush(struct conn *conn, const void *bytes, size_t len)
{
    ssize_t n = sock_write(&conn->sock, bytes, len);
    if (n > 0) {
        progressed(conn);
        return (size_t)n;
    }
    if (n == ERR_AGAIN)
        stalled(conn);
    else
        conn_failed(conn, n);
    return 0;
}

static bool flush_cut(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    while (ws->cut != NULL) {
        size_t n = flush(conn, ws->cut->bytes + ws->cut_at, ws->cut->len - ws->cut_at);
        if (n == 0)
            return false;
        ws->cut_at += n;
        if (ws->cut_at == ws->cut->len) {
            shared_buf_unref(ws->cut);
            ws->cut = NULL;
        }
    }
    return true;
}

static bool flush_outbox(struct conn *conn)
{
    struct outbox *outbox = &conn->ws.outbox;
    while (outbox->len > 0) {
        size_t n = flush(conn, outbox_data(outbox), outbox->len);
        if (n == 0)
            return false;
        outbox_eat(outbox, &conn->edge->outbox_pool, n);
    }
    return true;
}

// Goes out when nothing else waits, so that there is never more than one.
static bool flush_pong(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    if (ws->pong == NULL || conn->state != CONN_WS)
        return true;
    int err = outbox_put(&ws->outbox, &conn->edge->outbox_pool, ws->pong, 2u + ws->pong[1], NULL, 0);
    free(ws->pong);
    ws->pong = NULL;
    if (err != 0)
        conn_doom(conn, CONN_REASON_NO_MEMORY);
    return err == 0 && flush_outbox(conn);
}

bool ws_conn_flush(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    if (!flush_cut(conn) || !flush_outbox(conn) || !flush_pong(conn))
        return false;
    drained(conn);
    if (ws->hub_waits && conn->state == CONN_WS) {
        ws->hub_waits = false;
        hub_writable(conn->edge->parts.hub, &ws->hub);
    }
    return ws->cut == NULL && ws->outbox.len == 0;
}

// ---- Shared frames --------------------------------------------------------------------------------------------------

// Bytes that left of outbox and frame together, or an error. ERR_AGAIN when none did.
static ssize_t write_joined(struct conn *conn, struct shared_buf *buf, size_t from)
{
    struct outbox *outbox = &conn->ws.outbox;
    if (outbox->len == 0)
        return sock_write(&conn->sock, buf->bytes + from, buf->len - from);
    const struct iovec parts[2] = {{.iov_base = outbox->bytes + outbox->at, .iov_len = outbox->len},
                                   {.iov_base = buf->bytes + from, .iov_len = buf->len - from}};
    return sock_writev(&conn->sock, parts, 2);
}

static void keep_rest(struct conn *conn, struct shared_buf *buf, size_t from)
{
    conn->ws.cut = shared_buf_ref(buf);
    conn->ws.cut_at = from;
}

enum ws_write edge_write_shared(struct conn *conn, struct shared_buf *buf, size_t from)
{
    struct outbox *outbox = &conn->ws.outbox;
    bool tls = conn->sock.ssl != NULL;
    if (conn->blocked || conn->ws.cut != NULL)
        return WS_WRITE_FULL;
    if (tls && !flush_outbox(conn))
        return conn->state == CONN_DOOMED ? WS_WRITE_DEAD : WS_WRITE_FULL;
    ssize_t n = write_joined(conn, buf, from);
    if (n < 0 && n != ERR_AGAIN) {
        conn_failed(conn, n);
        return WS_WRITE_DEAD;
    }
    size_t sent = n > 0 ? (size_t)n : 0;
    size_t queued = sent < outbox->len ? sent : outbox->len;
    if (queued > 0) {
        outbox_eat(outbox, &conn->edge->outbox_pool, queued);
        sent -= queued;
    }
    if (from + sent == buf->len)
        return WS_WRITE_TAKEN;
    stalled(conn);
    if (sent == 0 && !(tls && outbox->len == 0))
        return WS_WRITE_FULL;
    keep_rest(conn, buf, from + sent);
    return WS_WRITE_TAKEN;
}

enum ws_write ws_conn_write_shared(struct ws_conn *ws, struct shared_buf *buf, size_t from)
{
    struct conn *conn = conn_of_ws(ws);
    if (conn->state != CONN_WS)
        return WS_WRITE_DEAD;
    if (ws->status != conn->edge->status_number && !conn->blocked && ws->cut == NULL)
        edge_status_along(conn);
    enum ws_write result = edge_write_shared(conn, buf, from);
    if (result == WS_WRITE_FULL || ws->cut != NULL)
        ws->hub_waits = true;
    return result;
}

// ---- Small messages -------------------------------------------------------------------------------------------------

static void queue(struct conn *conn, const uint8_t *head, size_t head_len, const uint8_t *payload, size_t len)
{
    struct ws_conn *ws = &conn->ws;
    int err = outbox_put(&ws->outbox, &conn->edge->outbox_pool, head, head_len, payload, len);
    if (err == ERR_FULL) {
        ws_conn_close(ws, WS_CLOSE_SLOW, "more than 16 KiB of unsent answers");
    } else if (err != 0) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
    } else if (!conn->blocked) {
        conn_wake(conn);
    } else if (ws->outbox.len > OUTPUT_PAUSE) {
        ws->pauses |= WS_PAUSE_OUTPUT;
    }
}

void ws_conn_send(struct ws_conn *ws, const uint8_t *payload, size_t len)
{
    struct conn *conn = conn_of_ws(ws);
    uint8_t head[10];
    if (conn->state == CONN_WS)
        queue(conn, head, ws_frame_head(head, len), payload, len);
}

// The latest ping is the one that is answered, when several came before an answer could leave.
void edge_send_pong(struct conn *conn, const uint8_t *payload, size_t len)
{
    struct ws_conn *ws = &conn->ws;
    if (conn->state != CONN_WS)
        return;
    if (ws->pong == NULL)
        ws->pong = malloc(PONG_SIZE);
    if (ws->pong == NULL) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    ws->pong[0] = OPCODE_PONG;
    ws->pong[1] = (uint8_t)len;
    memcpy(ws->pong + 2, payload, len);
    if (!conn->blocked)
        conn_wake(conn);
}

// ---- The end --------------------------------------------------------------------------------------------------------

static enum conn_reason reason_of(unsigned code)
{
    switch (code) {
    case WS_CLOSE_NORMAL:
        return CONN_REASON_WS_NORMAL;
    case WS_CLOSE_GOING_AWAY:
        return CONN_REASON_WS_DRAINED;
    case WS_CLOSE_TEXT:
        return CONN_REASON_WS_TEXT;
    case WS_CLOSE_TOO_LONG:
        return CONN_REASON_WS_TOO_LONG;
    case WS_CLOSE_NO_HELLO:
        return CONN_REASON_WS_NO_HELLO;
    case WS_CLOSE_MALFORMED:
        return CONN_REASON_WS_MALFORMED;
    case WS_CLOSE_SLOW:
        return CONN_REASON_WS_SLOW;
    case WS_CLOSE_FULL:
        return CONN_REASON_WS_FULL;
    case WS_CLOSE_ERASED:
        return CONN_REASON_WS_ERASED;
    default:
        return CONN_REASON_WS_PROTOCOL;
    }
}

void edge_close_ws(struct conn *conn, uint16_t code, enum conn_reason reason)
{
    const uint8_t frame[4] = {OPCODE_CLOSE, 2, (uint8_t)(code >> 8), (uint8_t)(code & 0xff)};
    if (conn->state != CONN_WS)
        return;
    if (conn->reason == CONN_REASON_COUNT)
        conn->reason = (uint8_t)reason;
    if (outbox_put_last(&conn->ws.outbox, &conn->edge->outbox_pool, frame, sizeof frame) != 0) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    conn_enter(conn, CONN_WS_CLOSING);
    conn_wake(conn);
}

void ws_conn_close(struct ws_conn *ws, enum ws_close code, const char *reason)
{
    struct conn *conn = conn_of_ws(ws);
    if (conn->state != CONN_WS)
        return;
    log_debug("closing a client", LOG_HEX("conn", conn->id), LOG_STR("reason", reason), LOG_U64("code", (unsigned)code),
              LOG_ADDR("client", &conn->addr));
    edge_close_ws(conn, (uint16_t)code, reason_of((unsigned)code));
}

void ws_conn_leave(struct conn *conn)
{
    struct ws_conn *ws = &conn->ws;
    if (ws->hub.conn == NULL || ws->left)
        return;
    ws->left = true;
    deadline_cancel(&ws->pause);
    ws_tiles_forget(conn);
    hub_leave(conn->edge->parts.hub, &ws->hub);
    cluster_forget(conn->edge->parts.cluster, &ws->cluster);
    edge_remove_client(conn->edge, conn);
}

void ws_conn_fini(struct conn *conn)
{
    ws_conn_leave(conn);
    ws_input_fini(conn);
    shared_buf_unref(conn->ws.cut);
    free(conn->ws.pong);
    outbox_fini(&conn->ws.outbox, &conn->edge->outbox_pool);
}

// ---- Beginning and pump ---------------------------------------------------------------------------------------------

// The first of an address fills its buckets.
static void start_address(struct conn *conn)
{
    struct limits_shared *shared = limits_shared(conn->edge->limits, &conn->addr);
    uint32_t rate = edge_messages_per_address(conn->edge);
    conn->ws.address = shared;
    if (shared == NULL || shared->messages.rate_per_s != 0 || rate == 0)
        return;
    bucket_init(&shared->messages, rate, 2 * rate, loop_now(conn->edge->loop));
    bucket_init(&shared->tiles, LIMIT_ADDRESS_TILES_PER_S, LIMIT_ADDRESS_TILES_BURST, loop_now(conn->edge->loop));
}

void ws_conn_start(struct conn *conn, uint64_t user, uint8_t kind, const uint8_t *early, size_t early_len)
{
    struct ws_conn *ws = &conn->ws;
    sock_tune(conn->sock.fd, DEAD_PEER_MS);
    ws->hub.conn = ws;
    ws->user = user;
    ws->user_kind = kind;
    uint32_t rate = edge_message_rate(conn->edge);
    bucket_init(&ws->bucket, rate, 2 * rate, loop_now(conn->edge->loop));
    bucket_init(&ws->tiles, LIMIT_NEW_TILES_PER_S, LIMIT_NEW_TILES_BURST, loop_now(conn->edge->loop));
    start_address(conn);
    if (early_len > 0 && !ws_input_keep(conn, early, early_len)) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    ws->input_due = true;
    log_debug("websocket", LOG_HEX("conn", conn->id), LOG_HEX("user", user), LOG_BOOL("tls", conn->secure),
              LOG_ADDR("client", &conn->addr));
    conn_wake(conn);
}

void ws_conn_pump(struct conn *conn, bool readable, bool flush)
{
    if (conn->state == CONN_WS_CLOSING) {
        // Not within a callback of hub or cluster: this is the end of a turn, or an event of the socket.
        ws_conn_leave(conn);
        if (ws_conn_flush(conn))
            conn_linger(conn, CONN_REASON_WS_NORMAL);
        return;
    }
    if (flush || conn->ws.cut != NULL)
        (void)ws_conn_flush(conn);
    if (conn->state == CONN_WS && (readable || conn->ws.input_due))
        ws_input_pump(conn);
}
