// A connection before its first byte of HTTP: the PROXY header, the address that counts, the TLS handshake.
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "gateway/edge_internal.h"
#include "gateway/proxy.h"

struct proxy_in {
    size_t len;
    uint8_t bytes[PROXY_LEN_MAX];
};

// Its address is known: it counts from here on.
bool conn_admit(struct conn *conn)
{
    int err = limits_open(conn->edge->limits, LIMITS_HTTP, &conn->addr);
    if (err != 0) {
        conn_doom(conn, err == ERR_FULL ? CONN_REASON_ADDRESS_FULL : CONN_REASON_NO_MEMORY);
        return false;
    }
    conn->counted_http = true;
    return true;
}

static void proxy_done(struct conn *conn, const struct proxy_header *header)
{
    free(conn->proxy);
    conn->proxy = NULL;
    if (header->has_address)
        conn->addr = header->source;
    if (!conn_admit(conn))
        return;
    SSL_CTX *tls = conn->edge->options.tls;
    int fd = conn->sock.fd;
    if (tls != NULL && sock_init(&conn->sock, fd, tls) != 0) {
        conn->sock.fd = fd; // still ours to close
        conn_doom(conn, CONN_REASON_NO_MEMORY);
    } else {
        conn_enter(conn, tls != NULL ? CONN_TLS : CONN_HTTP);
    }
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

// The handshake runs inside reads; a byte of HTTP may come with its end, so reading goes on in HTTP.
void conn_pump_tls(struct conn *conn)
{
    ERR_clear_error(); // what anybody left there would be taken for a fault of this connection
    int result = SSL_do_handshake(conn->sock.ssl);
    if (result == 1) {
        conn_enter(conn, CONN_HTTP);
        return;
    }
    int error = SSL_get_error(conn->sock.ssl, result);
    ERR_clear_error();
    conn->sock.read_wants_write = error == SSL_ERROR_WANT_WRITE;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        conn_doom(conn, error == SSL_ERROR_SYSCALL ? CONN_REASON_PEER : CONN_REASON_IO);
}
