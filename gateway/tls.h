// TLS as a server: versions 1.2 and 1.3 with the suites of Mozilla's "intermediate" recommendation.
#pragma once

#include <stddef.h>

#include <openssl/types.h>

#include "common/core/err.h"

// From a chain and its key, PEM files. 0; ERR_IO with one line in `error` that says which file and why; ERR_NOMEM. Free
// with SSL_CTX_free.
MUST_CHECK int tls_server_new(SSL_CTX **tls, const char *cert_path, const char *key_path, char *error,
                              size_t error_size);
