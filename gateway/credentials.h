// What a gateway proves itself and its sessions with: certificate, keys of TLS tickets, keys of session tokens. Read at
// the start, and again on SIGHUP, all or nothing: when one of the files is no good, everything stays as it was.
//
// Connections that are open keep the certificate that they began with; nobody is dropped.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "common/core/err.h"
#include "common/core/token.h"
#include "common/io/conf.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "gateway/options.h"
#include "gateway/tls_tickets.h"

#define CREDENTIALS_ERROR_SIZE (CONF_ERROR_SIZE + 64)

struct credentials_stats {
    uint64_t reloads, reload_failures;
    int64_t reload_ok;    // 1: the last reading was good
    int64_t loaded_s;     // Unix seconds of the last good one
    int64_t tls_expiry_s; // Unix seconds at which the certificate ends; 0 without TLS
};

struct credentials {
    struct token_keys tokens;
    struct tls_tickets tickets;
    SSL_CTX *tls; // NULL = plain. Changes with a reload
    struct credentials_stats stats;
    struct loop_timer rotation; // of ticket keys of our own, when none are given
    bool rotates, started;
};

// Reads what the options name. 0, or what the parsers return with one line in `error`. credentials_fini in any case.
MUST_CHECK int credentials_init(struct credentials *credentials, const struct options *options,
                                char error[CREDENTIALS_ERROR_SIZE]);

// Once there is a loop: without ticket keys from outside, makes new ones now and then. 0 or ERR_FULL, ERR_MALFORMED for
// the metrics.
MUST_CHECK int credentials_start(struct credentials *credentials, struct loop *loop, struct metrics *metrics);

// Reads the files again. On an error nothing has changed but the metrics. `conf` is what the options were read from.
MUST_CHECK int credentials_reload(struct credentials *credentials, const struct conf *conf,
                                  const struct options *options, int64_t now_unix_s,
                                  char error[CREDENTIALS_ERROR_SIZE]);

// Before the loop goes, after a credentials_start that succeeded or not.
void credentials_stop(struct credentials *credentials);

void credentials_fini(struct credentials *credentials);
