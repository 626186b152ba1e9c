#include "gateway/conn.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <utlist.h>

#include "common/io/log.h"
#include "gateway/edge_internal.h"

const char *conn_reason_text(enum conn_reason reason)
{
    static const char *const texts[] = {
#define CONN_REASON_TEXT(name_, text_) text_,
        CONN_REASONS(CONN_REASON_TEXT)
#undef CONN_REASON_TEXT
    };
    return texts[reason];
}

// ---- What the event waits for ---------------------------------------------------------------------------------------

static void on_event(evutil_socket_t fd, short what, void *arg);

static short wanted(const struct conn *conn)
{
    short write = conn->blocked ? EV_WRITE : 0;
    bool reads = true;
    switch ((enum conn_state)conn->state) {
    case CONN_PROXY:
    case CONN_TLS:
    case CONN_LINGER:
    case CONN_WS_CLOSING:
        break;
    case CONN_HTTP:
        reads = http_conn_reads(conn);
        break;
    case CONN_WS:
        reads = conn->ws.pauses == 0;
        break;
    case CONN_DOOMED:
        return 0;
    }
    if (reads && conn->sock.read_wants_write)
        write = EV_WRITE;
    return (short)((reads || (conn->blocked && conn->sock.write_wants_read) ? EV_READ : 0) | write);
}

static void update_event(struct conn *conn)
{
    short want = wanted(conn);
    if (want == conn->wanted)
        return;
    if (conn->wanted != 0)
        event_del(&conn->event);
    conn->wanted = 0;
    if (want == 0)
        return;
    event_assign(&conn->event, loop_base(conn->edge->loop), conn->sock.fd, (short)(want | EV_PERSIST), on_event, conn);
    if (event_add(&conn->event, NULL) != 0)
        conn_doom(conn, CONN_REASON_NO_MEMORY);
    else
        conn->wanted = (uint8_t)want;
}

// ---- States ---------------------------------------------------------------------------------------------------------

void conn_arm(struct conn *conn, enum conn_list list)
{
    deadline_arm(&conn->edge->lists[list], &conn->deadline, loop_now(conn->edge->loop));
}

void conn_enter(struct conn *conn, enum conn_state state)
{
    static const int lists[] = {[CONN_PROXY] = CONN_LIST_PROXY,
                                [CONN_TLS] = CONN_LIST_TLS,
                                [CONN_HTTP] = CONN_LIST_HEAD,
                                [CONN_WS] = CONN_LIST_HELLO,
                                [CONN_LINGER] = CONN_LIST_LINGER,
                                [CONN_WS_CLOSING] = CONN_LIST_CLOSING,
                                [CONN_DOOMED] = -1};
    if (conn->state == CONN_TLS && state != CONN_TLS)
        conn->edge->stats.handshakes--;
    else if (conn->state != CONN_TLS && state == CONN_TLS)
        conn->edge->stats.handshakes++;
    conn->state = (uint8_t)state;
    if (lists[state] >= 0)
        conn_arm(conn, (enum conn_list)lists[state]);
    else
        deadline_cancel(&conn->deadline);
}

void conn_wake(struct conn *conn)
{
    loop_defer(conn->edge->loop, &conn->turn);
}

void conn_doom(struct conn *conn, enum conn_reason reason)
{
    if (conn->state == CONN_DOOMED)
        return;
    if (conn->reason == CONN_REASON_COUNT)
        conn->reason = (uint8_t)reason;
    conn_enter(conn, CONN_DOOMED);
    conn_wake(conn);
}

void conn_failed(struct conn *conn, ssize_t err)
{
    conn_doom(conn, err == ERR_CLOSED ? CONN_REASON_PEER : CONN_REASON_IO);
}

void conn_blocked(struct conn *conn)
{
    conn->blocked = true;
    update_event(conn);
}

void conn_unblocked(struct conn *conn)
{
    conn->blocked = false;
}

void conn_linger(struct conn *conn, enum conn_reason reason)
{
    if (conn->reason == CONN_REASON_COUNT)
        conn->reason = (uint8_t)reason;
    if (conn->sock.ssl != NULL && sock_established(&conn->sock)) {
        (void)SSL_shutdown(conn->sock.ssl);
        ERR_clear_error();
    }
    shutdown(conn->sock.fd, SHUT_WR);
    conn_enter(conn, CONN_LINGER);
}

// ---- The pump -------------------------------------------------------------------------------------------------------

static void discard_input(struct conn *conn)
{
    ssize_t n = sock_read(&conn->sock, conn->edge->input, sizeof conn->edge->input);
    if (n < 0 && n != ERR_AGAIN)
        conn_failed(conn, n);
}

static void pump(struct conn *conn, bool readable, bool flush)
{
    if (conn->state == CONN_PROXY)
        conn_pump_proxy(conn);
    if (conn->state == CONN_TLS)
        conn_pump_tls(conn);
    switch ((enum conn_state)conn->state) {
    case CONN_HTTP:
        http_conn_pump(conn);
        break;
    case CONN_WS:
        ws_conn_pump(conn, readable, flush);
        break;
    case CONN_WS_CLOSING:
        ws_conn_pump(conn, readable, flush);
        if (conn->state == CONN_WS_CLOSING)
            discard_input(conn);
        break;
    case CONN_LINGER:
        discard_input(conn);
        break;
    case CONN_PROXY:
    case CONN_TLS:
    case CONN_DOOMED:
        break;
    }
    update_event(conn);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *conn = arg;
    if (conn->state != CONN_DOOMED)
        pump(conn, (what & EV_READ) != 0 || conn->sock.read_wants_write, (what & EV_WRITE) != 0);
}

static void on_turn_end(void *arg)
{
    struct conn *conn = arg;
    if (conn->state != CONN_DOOMED)
        pump(conn, false, true);
    if (conn->state == CONN_DOOMED)
        conn_free(conn);
}

void conn_on_deadline(struct conn *conn, enum conn_list list)
{
    static const enum conn_reason reasons[] = {[CONN_LIST_PROXY] = CONN_REASON_PROXY_LATE,
                                               [CONN_LIST_TLS] = CONN_REASON_TLS_LATE,
                                               [CONN_LIST_CLOSING] = CONN_REASON_STALLED,
                                               [CONN_LIST_LINGER] = CONN_REASON_STALLED};
    switch (list) {
    case CONN_LIST_HEAD:
    case CONN_LIST_KEEPALIVE:
        http_conn_deadline(conn);
        break;
    case CONN_LIST_HELLO:
        // What it has said may lie here unread, for others of its address have said too much.
        if ((conn->ws.pauses & WS_PAUSE_RATE) != 0)
            conn_arm(conn, CONN_LIST_HELLO);
        else
            ws_conn_close(&conn->ws, WS_CLOSE_NO_HELLO, "no HELLO in time");
        break;
    case CONN_LIST_STALL:
        if (conn->state == CONN_WS)
            ws_conn_close(&conn->ws, WS_CLOSE_SLOW, "took nothing for 30 s");
        else
            conn_doom(conn, CONN_REASON_STALLED);
        break;
    case CONN_LIST_PAUSE:
        ws_input_resume(conn, WS_PAUSE_RATE);
        break;
    case CONN_LIST_MESSAGE:
        ws_input_late(conn);
        break;
    default:
        conn_doom(conn, reasons[list]);
        break;
    }
    update_event(conn);
}

// ---- Beginning and end ----------------------------------------------------------------------------------------------

static void refuse(struct edge *edge, int fd, enum conn_reason reason)
{
    close(fd);
    edge->stats.disconnects[reason]++;
}

// Makes room by the oldest of those that have asked for nothing yet, or have got what they asked for. False: there is
// none, everybody is busy.
static bool drop_oldest_idle(struct edge *edge)
{
    static const enum conn_list lists[] = {CONN_LIST_TLS, CONN_LIST_HEAD, CONN_LIST_KEEPALIVE};
    for (unsigned i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (conn_drop_oldest(edge, lists[i], CONN_REASON_SOCKETS_FULL))
            return true;
    return false;
}

bool conn_drop_oldest(struct edge *edge, enum conn_list list, enum conn_reason reason)
{
    struct deadline *first = edge->lists[list].head.next;
    if (first == &edge->lists[list].head)
        return false;
    conn_doom((struct conn *)((char *)first - offsetof(struct conn, deadline)), reason);
    return true;
}

void conn_start(struct edge *edge, int fd, const struct addr *peer, bool proxied)
{
    if (proxied && !addr_list_has(edge->options.proxy_networks, peer)) {
        refuse(edge, fd, CONN_REASON_PROXY_UNTRUSTED);
        return;
    }
    if (edge->stats.sockets >= (int64_t)edge->options.max_sockets && !drop_oldest_idle(edge)) {
        refuse(edge, fd, CONN_REASON_SOCKETS_FULL);
        return;
    }
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL || sock_init(&conn->sock, fd, NULL) != 0) { // TLS begins with its first byte
        free(conn);
        refuse(edge, fd, CONN_REASON_NO_MEMORY);
        return;
    }
    conn->edge = edge;
    conn->id = edge->next_id++;
    conn->secure = edge->options.tls_before;
    conn->addr = *peer;
    conn->reason = CONN_REASON_COUNT;
    loop_deferred_init(&conn->turn, on_turn_end, conn);
    DL_APPEND(edge->conns, conn);
    edge->stats.sockets++;
    if (proxied)
        conn_enter(conn, CONN_PROXY);
    else
        conn_begin(conn);
    update_event(conn);
}

void conn_free(struct conn *conn)
{
    struct edge *edge = conn->edge;
    if (conn->wanted != 0)
        event_del(&conn->event);
    deadline_cancel(&conn->deadline);
    loop_deferred_cancel(&conn->turn);
    http_conn_free(conn);
    ws_conn_fini(conn);
    free(conn->proxy);
    if (conn->counted_http)
        limits_close(edge->limits, LIMITS_HTTP, &conn->addr);
    if (conn->counted_ws)
        limits_close(edge->limits, LIMITS_WS, &conn->addr);
    sock_close(&conn->sock);
    DL_DELETE(edge->conns, conn);
    edge->stats.sockets--;
    edge->stats.disconnects[conn->reason]++;
    log_debug("connection ended", LOG_HEX("conn", conn->id), LOG_STR("reason", conn_reason_text(conn->reason)),
              LOG_ADDR("client", &conn->addr));
    free(conn);
    edge_conn_gone(edge);
}
