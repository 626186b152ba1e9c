// What comes before a WebSocket, in place of gateway/http_conn.c and conn_open.c: a request is one byte, and so is the
// answer. Who asks is known from the connection.
#include <stdio.h>

#include "gateway/content.h"
#include "gateway/edge_internal.h"
#include "tests/sim/nodes.h"
#include "tests/sim/sim_sock.h"

void conn_begin(struct conn *conn)
{
    conn_enter(conn, CONN_HTTP);
}

void conn_pump_proxy(struct conn *conn)
{
    (void)conn;
}

void conn_pump_tls(struct conn *conn)
{
    (void)conn;
}

// As api_ws.c and http_conn.c do it.
static void upgrade(struct conn *conn, const struct edge_user *user)
{
    const uint8_t yes = GATEWAY_ACCEPTS;
    struct edge *edge = conn->edge;
    if (outbox_put(&conn->ws.outbox, &edge->outbox_pool, &yes, 1, NULL, 0) != 0 ||
        edge_add_client(edge, conn, user->user) != 0) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    conn->addr = user->address;
    conn_enter(conn, CONN_WS);
    ws_conn_start(conn, user->user, user->kind, NULL, 0);
}

void http_conn_pump(struct conn *conn)
{
    const uint8_t no = GATEWAY_REFUSES;
    uint8_t request;
    ssize_t n = sock_read(&conn->sock, &request, 1);
    if (n == ERR_AGAIN)
        return;
    if (n < 0) {
        conn_failed(conn, n);
        return;
    }
    conn->requests++;
    if (!conn->edge->draining && cluster_config(conn->edge->parts.cluster) != NULL)
        upgrade(conn, sim_sock_user(conn->sock.fd));
    else if (sock_write(&conn->sock, &no, 1) == 1)
        conn_linger(conn, CONN_REASON_HTTP_REFUSED);
    else
        conn_doom(conn, CONN_REASON_IO);
}

bool http_conn_reads(const struct conn *conn)
{
    (void)conn;
    return true;
}

void http_conn_deadline(struct conn *conn)
{
    conn_doom(conn, CONN_REASON_HEAD_LATE);
}

void http_conn_free(struct conn *conn)
{
    (void)conn;
}

void content_configure(struct content *content, const struct canvas_config *config)
{
    (void)content;
    (void)config;
}

void api_heat_fini(struct edge *edge)
{
    (void)edge;
}

void page_fini(struct edge *edge)
{
    (void)edge;
}
