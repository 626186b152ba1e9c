#include "gateway/session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define BEARER "Bearer "
#define BEARER_LEN (sizeof BEARER - 1)

static const char *bearer(const struct http_request *request, const char *buffer, size_t *len)
{
    bool repeated = false;
    const char *value = http_request_single(request, buffer, "authorization", len, &repeated);
    if (value == NULL || *len <= BEARER_LEN || strncasecmp(value, BEARER, BEARER_LEN) != 0)
        return NULL;
    *len -= BEARER_LEN;
    return value + BEARER_LEN;
}

int session_read(struct session *session, const struct token_keys *keys, const struct http_request *request,
                 const char *buffer, uint32_t now_unix_s)
{
    size_t len;
    int first_err = ERR_NOT_FOUND;
    session->text[0] = '\0';
    // A stale cookie, or one that a neighbour in the domain has set, must not hide the good one behind it.
    for (unsigned n = 0, more = 1; more; n++) {
        const char *text =
            n < SESSION_COOKIES_MAX ? http_request_cookie(request, buffer, SESSION_COOKIE, n, &len) : NULL;
        more = text != NULL;
        if (!more)
            text = bearer(request, buffer, &len);
        if (text == NULL)
            break;
        int err = token_verify(keys, text, len, now_unix_s, &session->token);
        if (err == 0)
            return 0;
        first_err = first_err == ERR_NOT_FOUND ? err : first_err;
    }
    return first_err;
}

int session_text(struct session *session, const struct token_keys *keys)
{
    int len = token_sign(keys, &session->token, session->text);
    return len < 0 ? len : 0;
}

int session_issue(struct session *session, const struct token_keys *keys, uint64_t user, uint32_t now_unix_s,
                  uint32_t life_s)
{
    session->token =
        (struct token){.kind = TOKEN_GUEST, .user = user, .issued = now_unix_s, .expires = now_unix_s + life_s};
    return session_text(session, keys);
}

bool session_is_old(const struct session *session, uint32_t now_unix_s)
{
    const struct token *token = &session->token;
    uint32_t life = token->expires - token->issued;
    return now_unix_s >= token->issued && now_unix_s - token->issued >= life / 2;
}

int session_renew(struct session *session, const struct token_keys *keys, uint32_t now_unix_s, uint32_t life_s)
{
    session->token.issued = now_unix_s;
    session->token.expires = now_unix_s + life_s;
    return session_text(session, keys);
}

void session_cookie(const struct session *session, uint32_t now_unix_s, bool secure, char cookie[SESSION_COOKIE_SIZE])
{
    uint32_t age = session->token.expires > now_unix_s ? session->token.expires - now_unix_s : 0;
    snprintf(cookie, SESSION_COOKIE_SIZE, SESSION_COOKIE "=%s; Path=/; Max-Age=%u; HttpOnly; SameSite=Lax%s",
             session->text, age, secure ? "; Secure" : "");
}
