// Session tokens: a signed statement of who the user is. Whoever holds the keys can check one without asking anybody.
//
//     t1.<kid>.<base64url(payload)>.<base64url(HMAC-SHA256(key, everything before the last dot))>
//
// Payload, little-endian, 20 bytes: u8 version = 1, u8 kind, u16 0, u64 user, u32 issued, u32 expires (Unix seconds).
//
// Keys come from a text: one `<kid> <hex>` per line, the first signs, all verify; blank lines and lines that start with
// # are skipped. To change a key on several gateways: the new one behind the old one everywhere, so that all
// know it; then in front of it; and drop the old one when its tokens have expired.
#pragma once

#include "common/core/err.h"

#include <stddef.h>
#include <stdint.h>

#define TOKEN_KID_SIZE 17 // 1 … 16 of [a-z0-9_-], with the closing NUL
#define TOKEN_KEY_LEN_MIN 32
#define TOKEN_KEY_LEN_MAX 64
#define TOKEN_KEYS_MAX 2
#define TOKEN_PAYLOAD_LEN 20
#define TOKEN_TEXT_SIZE 96 // with the closing NUL: 2 + 1 + 16 + 1 + 27 + 1 + 43 + 1, rounded up

enum token_kind {
    TOKEN_GUEST = 1,
};

struct token_key {
    char kid[TOKEN_KID_SIZE];
    uint8_t key[TOKEN_KEY_LEN_MAX];
    uint8_t len;
};

struct token_keys {
    uint8_t count; // at least 1 after token_keys_parse
    struct token_key keys[TOKEN_KEYS_MAX];
};

struct token {
    uint8_t kind;     // enum token_kind
    uint64_t user;    // not 0
    uint32_t issued;  // Unix seconds
    uint32_t expires; // Unix seconds; the first second in which it is no longer valid
};

// ERR_MALFORMED (also for a repeated kid), ERR_RANGE for a key too short or too long, ERR_FULL for too many keys,
// ERR_NOT_FOUND for none. The message in `error` names the line, never a key.
MUST_CHECK int token_keys_parse(struct token_keys *keys, const char *text, size_t len, char *error, size_t error_size);

// Overwrites the keys.
void token_keys_fini(struct token_keys *keys);

// Writes the text with a closing NUL; returns its length, or ERR_RANGE for a token that could not be verified,
// ERR_NOMEM.
MUST_CHECK int token_sign(const struct token_keys *keys, const struct token *token, char text[TOKEN_TEXT_SIZE]);

// ERR_MALFORMED: not of the form above. ERR_AUTH: unknown kid or wrong signature. ERR_UNSUPPORTED: signed, but of a
// version or kind that we do not know. ERR_TIMEOUT: expired at now_unix_s. ERR_NOMEM. `token` is set only on success.
MUST_CHECK int token_verify(const struct token_keys *keys, const char *text, size_t len, uint32_t now_unix_s,
                            struct token *token);
