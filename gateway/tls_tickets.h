// Keys of TLS session tickets (RFC 5077; RFC 8446, section 4.6.1), by which a client resumes without a full handshake.
//
// They come from a text: hex of 32 to 64 random bytes per line; blank lines and lines that start with # are skipped.
// The first encrypts, all decrypt, so that gateways that share the text resume each other's sessions while it is being
// changed. They are not derived from another secret: what encrypted a ticket has to be forgotten some day, or whoever
// finds that secret later reads all TLS 1.2 sessions that were ever recorded.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "common/core/err.h"

#define TLS_TICKETS_KEYS_MAX 8
#define TLS_TICKETS_NAME_LEN 16 // by which a ticket names its key; fixed by OpenSSL
#define TLS_TICKETS_SECRET_MIN 32
#define TLS_TICKETS_SECRET_MAX 64

struct tls_tickets_key {
    uint8_t name[TLS_TICKETS_NAME_LEN];
    uint8_t cipher[32]; // AES-256
    uint8_t mac[32];    // HMAC-SHA256
};

struct tls_tickets {
    uint8_t count;
    struct tls_tickets_key keys[TLS_TICKETS_KEYS_MAX];
};

// 0; ERR_MALFORMED, ERR_RANGE for a key too short or too long, ERR_FULL, ERR_NOT_FOUND for none, ERR_NOMEM; the message
// in `error` names the line, never a key.
MUST_CHECK int tls_tickets_parse(struct tls_tickets *tickets, const char *text, size_t len, char *error,
                                 size_t error_size);

// Puts a random key in front; of the others, `keep` stay. ERR_NOMEM: nothing has changed.
MUST_CHECK int tls_tickets_rotate(struct tls_tickets *tickets, unsigned keep);

// Overwrites the keys.
void tls_tickets_fini(struct tls_tickets *tickets);

// The context takes its keys from here from now on, also after they have changed. `tickets` outlives its connections.
void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *tls);
