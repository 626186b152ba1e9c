// Messages of the admin port (ADMIN.md, "The port"), for both sides. Pure. The length prefix is msg_sock's.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"

#define ADMIN_VERSION 1u
#define ADMIN_NONCE_LEN 32u
#define ADMIN_MAC_LEN 32u
#define ADMIN_COMMAND_MAX 16384u  // bytes of a COMMAND's json
#define ADMIN_ANSWER_MAX 1048576u // of an ANSWER's
#define ADMIN_OVERHEAD 64u        // of a message around its json
#define ADMIN_ARGS_MAX 8u
#define ADMIN_WHO_MAX 128u
#define ADMIN_SECRET_MIN 32u // characters

enum admin_type { ADMIN_CHALLENGE = 1, ADMIN_RESPONSE = 2, ADMIN_ACCEPT = 3, ADMIN_COMMAND = 4, ADMIN_ANSWER = 5 };

struct admin_message {
    enum admin_type type;
    uint8_t version;      // CHALLENGE, RESPONSE
    const uint8_t *nonce; // CHALLENGE, RESPONSE: ADMIN_NONCE_LEN bytes, into the message
    const uint8_t *mac;   // all but CHALLENGE
    uint32_t number;      // COMMAND, ANSWER
    const char *json;     // COMMAND, ANSWER: into the message, not terminated
    size_t json_len;
};

// 0 or ERR_MALFORMED.
MUST_CHECK int admin_decode(const uint8_t *msg, size_t len, struct admin_message *out);

// Each returns the length. COMMAND and ANSWER: only the part before the json; the json follows, then admin_encode_mac.
size_t admin_encode_challenge(uint8_t to[ADMIN_OVERHEAD], const uint8_t nonce[ADMIN_NONCE_LEN]);
size_t admin_encode_response(uint8_t to[2 * ADMIN_OVERHEAD], const uint8_t nonce[ADMIN_NONCE_LEN],
                             const uint8_t mac[ADMIN_MAC_LEN]);
size_t admin_encode_accept(uint8_t to[ADMIN_OVERHEAD], const uint8_t mac[ADMIN_MAC_LEN]);
size_t admin_encode_head(uint8_t to[ADMIN_OVERHEAD], enum admin_type type, uint32_t number, size_t json_len);
size_t admin_encode_mac(uint8_t to[ADMIN_OVERHEAD], const uint8_t mac[ADMIN_MAC_LEN]);

// ---- admin_mac.c: ERR_NOMEM when OpenSSL fails ---------------------------------------------------------------------

struct admin_keys {
    const void *secret;
    size_t secret_len;
    const uint8_t *port_nonce, *ctl_nonce; // ADMIN_NONCE_LEN bytes each
};

MUST_CHECK int admin_mac_ctl(const struct admin_keys *keys, uint8_t mac[ADMIN_MAC_LEN]);  // of RESPONSE
MUST_CHECK int admin_mac_port(const struct admin_keys *keys, uint8_t mac[ADMIN_MAC_LEN]); // of ACCEPT
MUST_CHECK int admin_session_key(const struct admin_keys *keys, uint8_t key[ADMIN_MAC_LEN]);
// Of a COMMAND or an ANSWER.
MUST_CHECK int admin_mac_message(const uint8_t key[ADMIN_MAC_LEN], enum admin_type type, uint32_t number,
                                 const char *json, size_t len, uint8_t mac[ADMIN_MAC_LEN]);
