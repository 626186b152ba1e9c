// Who somebody is: from the token that came along, or a new guest. Pure: the time, the keys and a random user come in.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/token.h"
#include "gateway/http.h"

#define SESSION_COOKIE "tessera_session"
#define SESSION_COOKIE_SIZE (TOKEN_TEXT_SIZE + 96) // of a Set-Cookie value, with its NUL

struct session {
    struct token token;
    char text[TOKEN_TEXT_SIZE]; // set by session_issue and session_renew; empty after session_read
};

#define SESSION_COOKIES_MAX 8u // of our name, that are looked at

// The session that the request carries: the first valid one of the cookies and, behind them, `Authorization: Bearer`.
// 0; ERR_NOT_FOUND when it carries none; ERR_MALFORMED, ERR_AUTH, ERR_UNSUPPORTED, ERR_TIMEOUT when what it carries is
// no good (token_verify, of the first).
MUST_CHECK int session_read(struct session *session, const struct token_keys *keys, const struct http_request *request,
                            const char *buffer, uint32_t now_unix_s);

// A new guest. `user` is random and not 0. 0, or what token_sign returns.
MUST_CHECK int session_issue(struct session *session, const struct token_keys *keys, uint64_t user, uint32_t now_unix_s,
                             uint32_t life_s);

// Half of its life is over.
bool session_is_old(const struct session *session, uint32_t now_unix_s);

// The same user with a new life. 0, or what token_sign returns.
MUST_CHECK int session_renew(struct session *session, const struct token_keys *keys, uint32_t now_unix_s,
                             uint32_t life_s);

// The text of the token of a session that was read, signed anew with its old times: the same statement, perhaps by a
// newer key.
MUST_CHECK int session_text(struct session *session, const struct token_keys *keys);

// Value of Set-Cookie for a session with a text; `secure` under TLS.
void session_cookie(const struct session *session, uint32_t now_unix_s, bool secure, char cookie[SESSION_COOKIE_SIZE]);
