// TCP sockets: addresses in text, listening, accepting, and one read and write for plain and TLS connections.
//
// All descriptors are non-blocking and close-on-exec.
#pragma once

#include "common/core/addr.h"
#include "common/core/err.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define SOCK_HOST_SIZE 256

// ---- Addresses -----------------------------------------------------------------------------------------------------

// Splits "host:port", "[v6]:port" or ":port" (host is then empty). The host is not looked up. ERR_MALFORMED.
MUST_CHECK int sock_split(const char *text, char host[SOCK_HOST_SIZE], uint16_t *port);

// A numeric address to listen on or to connect to; an empty host means every address ("::", both families).
// ERR_MALFORMED when it is not numeric.
MUST_CHECK int sock_parse(const char *text, struct sockaddr_storage *sa, socklen_t *len);

// ---- Listening -----------------------------------------------------------------------------------------------------

// Listens with SO_REUSEADDR, and with SO_REUSEPORT when `reuse_port`, so that several processes share a port. Port 0
// lets the kernel choose. Returns the descriptor, ERR_MALFORMED, or ERR_IO with errno.
MUST_CHECK int sock_listen(const char *text, int backlog, bool reuse_port);

// Port that a listening or connected descriptor is bound to; 0 when it is none.
uint16_t sock_port(int fd);

// The next connection, ready for use (TCP_NODELAY). `peer` may be NULL. Returns the descriptor, ERR_AGAIN when none
// waits, ERR_FULL when the process or the system is out of descriptors or memory: stop accepting for a while, as the
// listener stays readable; ERR_IO when the listener is broken.
MUST_CHECK int sock_accept(int listen_fd, struct sockaddr_storage *peer, socklen_t *peer_len);

// ---- Options -------------------------------------------------------------------------------------------------------

// TCP_NODELAY, keepalive (idle 30 s, then 3 probes 10 s apart), and TCP_USER_TIMEOUT when user_timeout_ms is not 0:
// unsent or unanswered data for that long breaks the connection. Best effort.
void sock_tune(int fd, unsigned user_timeout_ms);

// ---- Reading and writing -------------------------------------------------------------------------------------------

struct sock {
    int fd;                // -1 = closed
    SSL *ssl;              // NULL = plain; owned
    bool read_wants_write; // TLS: the last ERR_AGAIN of sock_read ends when the descriptor is writable
    bool write_wants_read; // TLS: the last ERR_AGAIN of a write ends when it is readable
};

// Takes the descriptor over. With `ssl_ctx` the connection is TLS with us as the server, and the handshake runs inside
// the first reads; sets SSL_MODE_RELEASE_BUFFERS and partial writes. ERR_NOMEM: the descriptor is still the caller's.
MUST_CHECK int sock_init(struct sock *sock, int fd, SSL_CTX *ssl_ctx);

// Read and written bytes are returned as a count above 0; else ERR_AGAIN, ERR_CLOSED (an end of stream, a reset, a TLS
// close however abrupt), or ERR_IO (TLS protocol errors, bad descriptors). After ERR_AGAIN or a
// short count of a TLS write, what was not counted has to come again as it was (OpenSSL has begun with it): at least as
// many bytes, though the buffer may have moved and more may have been added.
MUST_CHECK ssize_t sock_read(struct sock *sock, void *data, size_t len);
MUST_CHECK ssize_t sock_write(struct sock *sock, const void *data, size_t len);
MUST_CHECK ssize_t sock_writev(struct sock *sock, const struct iovec *parts, int count);

// TLS has bytes already decrypted, for which the descriptor will not become readable.
bool sock_has_buffered(const struct sock *sock);

// The handshake is over (always so for plain connections).
bool sock_established(const struct sock *sock);

// Says goodbye if that needs no waiting, and closes. Harmless when it is closed.
void sock_close(struct sock *sock);
