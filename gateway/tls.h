// TLS as a server: exactly Mozilla's "intermediate" profile (Server Side TLS, guideline 5.7): versions 1.2 and 1.3, the
// suites below, the groups X25519, P-256 and P-384, ffdhe2048 for RSA certificates, and the client's preference.
// https://wiki.mozilla.org/Security/Server_Side_TLS
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "common/core/err.h"
#include "gateway/tls_tickets.h"

// From a chain and its key, PEM files; `tickets` outlives all its connections. 0; ERR_IO with one line in `error` that
// says which file and why; ERR_NOMEM with a line too. Free with SSL_CTX_free.
MUST_CHECK int tls_server_new(SSL_CTX **tls, const char *cert_path, const char *key_path, struct tls_tickets *tickets,
                              char *error, size_t error_size);

// When the certificate ends, in Unix seconds.
int64_t tls_server_expiry(const SSL_CTX *tls);
