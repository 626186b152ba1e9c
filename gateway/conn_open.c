// A connection before its first byte of HTTP: the PROXY header, the address that counts, the TLS handshake.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "gateway/edge_internal.h"
#include "gateway/proxy.h"

struct proxy_in {
    size_t len;
    uint8_t bytes[PROXY_LEN_MAX];
};

static bool admit(struct conn *conn)
{
    struct edge *edge = conn->edge;
    int err = limits_arrival(edge->limits, &conn->addr, loop_now(edge->loop));
    if (err == ERR_FULL) {
        conn_doom(conn, CONN_REASON_ADDRESS_RATE);
        return false;
    }
    if (err == 0)
        err = limits_open(edge->limits, LIMITS_HTTP, &conn->addr);
    if (err != 0) {
        conn_doom(conn, err == ERR_FULL ? CONN_REASON_ADDRESS_FULL : CONN_REASON_NO_MEMORY);
        return false;
    }
    conn->counted_http = true;
    return true;
}

void conn_begin(struct conn *conn)
{
    struct edge *edge = conn->edge;
    if (!admit(conn))
        return;
    if (edge->options.tls == NULL) {
        conn_enter(conn, CONN_HTTP);
        return;
    }
    // Whoever is honest is through within some round trips; whoever has waited the longest is not.
    if (edge->stats.handshakes >= edge->handshakes_max)
        (void)conn_drop_oldest(edge, CONN_LIST_TLS, CONN_REASON_HANDSHAKES_FULL);
    conn_enter(conn, CONN_TLS);
}

static void proxy_done(struct conn *conn, const struct proxy_header *header)
{
    free(conn->proxy);
    conn->proxy = NULL;
    if (header->has_address)
        conn->addr = header->source;
    if (header->says_tls)
        conn->secure = header->tls;
    conn_begin(conn);
}

void conn_pump_proxy(struct conn *conn)
{
    if (conn->proxy == NULL) {
        conn->proxy = malloc(sizeof *conn->proxy);
        if (conn->proxy == NULL) {
            conn_doom(conn, CONN_REASON_NO_MEMORY);
            return;
        }
        conn->proxy->len = 0;
    }
    struct proxy_in *in = conn->proxy;
    for (;;) {
        // No byte beyond the header: what follows may be TLS.
        ssize_t n = sock_read(&conn->sock, in->bytes + in->len, proxy_want(in->bytes, in->len));
        if (n == ERR_AGAIN)
            return;
        if (n < 0) {
            conn_failed(conn, n);
            return;
        }
        in->len += (size_t)n;
        struct proxy_header header;
        ssize_t whole = proxy_parse(in->bytes, in->len, &header);
        if (whole < 0) {
            conn_doom(conn, CONN_REASON_PROXY_MALFORMED);
            return;
        }
        if (whole > 0) {
            proxy_done(conn, &header);
            return;
        }
    }
}

// ---- TLS ------------------------------------------------------------------------------------------------------------

// Only now that its first byte is here does OpenSSL get memory for it. What does not begin with a handshake may be
// plain HTTP, if that is to be redirected, or if TLS has ended before. False when there is nothing more to do here.
static bool begin_tls(struct conn *conn)
{
    struct edge *edge = conn->edge;
    uint8_t first;
    ssize_t n = recv(conn->sock.fd, &first, 1, MSG_PEEK);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        conn_doom(conn, CONN_REASON_PEER);
        return false;
    }
    if (first != SSL3_RT_HANDSHAKE) {
        if (conn->secure || edge->options.https_redirect)
            conn_enter(conn, CONN_HTTP);
        else
            conn_doom(conn, CONN_REASON_TLS_FAILED);
        return false;
    }
    int fd = conn->sock.fd;
    if (sock_init(&conn->sock, fd, edge->options.tls) != 0) {
        conn->sock.fd = fd; // still ours to close
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return false;
    }
    return true;
}

static void established(struct conn *conn)
{
    struct edge *edge = conn->edge;
    struct edge_stats *stats = &edge->stats;
    struct monotime began = monotime_add_ms(conn->deadline.at, -edge->lists[CONN_LIST_TLS].after_ms);
    int64_t us = monotime_diff_us(loop_now_exact(), began);
    hist_add(&stats->handshake_us, us > 0 ? (uint64_t)us : 0);
    if (SSL_session_reused(conn->sock.ssl))
        stats->handshakes_resumed++;
    else
        stats->handshakes_full++;
    conn->secure = true;
    conn_enter(conn, CONN_HTTP);
}

// The handshake runs inside reads; a byte of HTTP may come with its end, so reading goes on in HTTP.
void conn_pump_tls(struct conn *conn)
{
    if (conn->sock.ssl == NULL && !begin_tls(conn))
        return;
    ERR_clear_error(); // what anybody left there would be taken for a fault of this connection
    int result = SSL_do_handshake(conn->sock.ssl);
    if (result == 1) {
        established(conn);
        return;
    }
    int error = SSL_get_error(conn->sock.ssl, result);
    ERR_clear_error();
    conn->sock.read_wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        conn_doom(conn, error == SSL_ERROR_SYSCALL ? CONN_REASON_PEER : CONN_REASON_TLS_FAILED);
}
