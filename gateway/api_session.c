// POST /api/v1/session: who the client is, a new guest if it does not say, or asks to be one (?fresh).
#include <inttypes.h>
#include <stdio.h>

#include "common/io/rand.h"
#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/routes.h"
#include "gateway/session.h"

static uint64_t random_user(void)
{
    uint64_t user;
    do
        user = rand_u64();
    while (user == 0);
    return user;
}

static void reply_session(const struct call *call, const struct session *session, uint32_t now)
{
    char cookie[SESSION_COOKIE_SIZE], headers[SESSION_COOKIE_SIZE + 64], text[TOKEN_TEXT_SIZE + 160];
    session_cookie(session, now, call->conn->secure, cookie);
    snprintf(headers, sizeof headers, "Set-Cookie: %s\r\nCache-Control: no-store\r\n", cookie);
    int len = snprintf(text, sizeof text,
                       "{\"user\":\"%016" PRIx64 "\",\"kind\":\"guest\",\"token\":\"%s\",\"expires_in_s\":%u}\n",
                       session->token.user, session->text, session->token.expires - now);
    http_reply(
        call->conn,
        &(struct http_reply){
            .status = 200, .type = "application/json", .headers = headers, .text = text, .text_len = (size_t)len});
}

// A new guest, if the address may have one more. False: answered already.
static bool issue(const struct call *call, struct session *session, uint32_t now)
{
    struct edge *edge = call->conn->edge;
    uint32_t retry_s = 1;
    int err = limits_session(edge->limits, &call->conn->addr, loop_now(edge->loop), &retry_s);
    if (err == ERR_FULL) {
        char headers[48];
        snprintf(headers, sizeof headers, "Retry-After: %u\r\n", retry_s);
        edge->stats.sessions_refused++;
        http_reply_error(call->conn, 429, "too many new sessions from this address", headers);
        return false;
    }
    if (err == 0)
        err = session_issue(session, edge->options.keys, random_user(), now, edge->options.session_life_s);
    if (err != 0) {
        http_reply_error(call->conn, 500, "no session can be made", NULL);
        return false;
    }
    edge->stats.sessions_issued++;
    return true;
}

void api_session(const struct call *call)
{
    struct edge *edge = call->conn->edge;
    struct session session;
    uint32_t now = loop_wall_s(edge->loop);
    if (!route_origin_ok(call))
        return;
    size_t len;
    if (query_find(&call->query, "fresh", &len) != NULL || route_session(call, &session) != 0) {
        if (!issue(call, &session, now))
            return;
    } else if (session_is_old(&session, now)) {
        if (session_renew(&session, edge->options.keys, now, edge->options.session_life_s) != 0) {
            http_reply_error(call->conn, 500, "no session can be made", NULL);
            return;
        }
        edge->stats.sessions_renewed++;
        api_renew_name(call, session.token.user);
    } else if (session_text(&session, edge->options.keys) != 0) {
        http_reply_error(call->conn, 500, "no session can be made", NULL);
        return;
    }
    reply_session(call, &session, now);
}
