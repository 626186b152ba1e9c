#include "gateway/tls.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

static const char suites_1_2[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

static int fail(SSL_CTX *tls, const char *what, char *error, size_t error_size)
{
    char text[160];
    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    ERR_clear_error();
    snprintf(error, error_size, "%s: %s", what, text);
    SSL_CTX_free(tls);
    return ERR_IO;
}

int tls_server_new(SSL_CTX **out, const char *cert_path, const char *key_path, char *error, size_t error_size)
{
    char groups[] = "X25519:P-256:P-384"; // OpenSSL's macro takes it for writable
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL)
        return ERR_NOMEM;
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    // Sessions are resumed by tickets; a table of our own would only grow.
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(tls, suites_1_2) != 1 ||
        SSL_CTX_set1_groups_list(tls, groups) != 1 || SSL_CTX_set_num_tickets(tls, 1) != 1)
        return fail(tls, "OpenSSL", error, error_size);
    if (SSL_CTX_use_certificate_chain_file(tls, cert_path) != 1)
        return fail(tls, cert_path, error, error_size);
    if (SSL_CTX_use_PrivateKey_file(tls, key_path, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(tls) != 1)
        return fail(tls, key_path, error, error_size);
    *out = tls;
    return 0;
}
