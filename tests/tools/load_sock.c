#include "tests/tools/load_sock.h"

#include <openssl/ssl.h>

SSL_CTX *load_sock_tls(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(tls, 1); // a record's head and the rest, in one call of the system
    return tls;
}

int load_sock_init(struct sock *sock, int fd, SSL_CTX *tls)
{
    int err = sock_init(sock, fd, tls);
    if (err == 0 && tls != NULL)
        SSL_set_connect_state(sock->ssl);
    return err;
}
