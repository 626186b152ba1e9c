// Sockets of the load client: plain, or TLS with us as the client.
#pragma once

#include <openssl/types.h>

#include "common/core/err.h"
#include "common/io/sock.h"

// For gateways at wss://. Certificates are not checked: only loopback addresses are ever targets. NULL without memory.
SSL_CTX *load_sock_tls(void);

// Takes over a descriptor that connects or has connected; `tls` may be NULL. The handshake runs inside the first
// writes. On ERR_NOMEM the descriptor is still the caller's.
MUST_CHECK int load_sock_init(struct sock *sock, int fd, SSL_CTX *tls);

// From here on the kernel notes when bytes arrive at the descriptor (SO_TIMESTAMPNS, socket(7)).
void load_sock_stamp(int fd);
// As sock_read, for a plain socket. *waited_us is how long the last byte that was read has waited in the kernel for us
// to read it; -1 when that is not known.
ssize_t load_sock_read_stamped(struct sock *sock, void *data, size_t len, int64_t *waited_us);
