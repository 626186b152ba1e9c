// /api/v1/me: what the user is called, another name, and being erased (PROTOCOL.md 1.1, Names and Erasing).
//
//   GET      read the user ──► answer
//   PUT      read the user ──► name.lua  ──► answer
//   DELETE   read the user ──► erase.lua ──► answer
//                 ▲───────────────┘ the name has changed in between
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/api_wait.h"
#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/routes.h"
#include "gateway/session.h"
#include "gateway/user_name.h"

#define PRIVATE "Cache-Control: no-store\r\n"
#define LOGGED_OUT PRIVATE "Set-Cookie: " SESSION_COOKIE "=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax\r\n"
#define TRIES_MAX 3u
#define READ_COST 1u
#define WRITE_COST 10u // as many lookups

struct me {
    struct api_wait wait; // first
    uint64_t user;
    struct addr addr; // whose names it counts to
    enum { ME_READ, ME_RENAME, ME_ERASE } what;
    unsigned tries;
    char name[NAME_SIZE]; // to be called; empty = the generated one
    struct store_name stored;
};

// ---- Answers --------------------------------------------------------------------------------------------------------

// `reason` may be NULL.
static void reply_fault(struct conn *conn, uint16_t status, const char *code, const char *message, const char *reason,
                        const char *headers)
{
    char text[256];
    int len =
        snprintf(text, sizeof text, "{\"error\":\"%s\",\"message\":\"%s\"%s%s%s}\n", code, message,
                 reason != NULL ? ",\"reason\":\"" : "", reason != NULL ? reason : "", reason != NULL ? "\"" : "");
    http_reply(
        conn,
        &(struct http_reply){
            .status = status, .type = "application/json", .headers = headers, .text = text, .text_len = (size_t)len});
}

static void reply_me(struct conn *conn, uint64_t user, const struct store_name *name, uint64_t wait_ms)
{
    char called[NAME_SIZE], hex[17];
    user_name(name, user, called);
    snprintf(hex, sizeof hex, "%016" PRIx64, user);
    json_t *json = json_pack("{s:s, s:s, s:s, s:b, s:I}", "user", hex, "kind", "guest", "name", called, "chosen",
                             name->text[0] != '\0', "change_in_s", (json_int_t)((wait_ms + 999) / 1000));
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (text == NULL)
        http_reply_error(conn, 500, "no memory", NULL);
    else
        http_reply(
            conn,
            &(struct http_reply){
                .status = 200, .type = "application/json", .headers = PRIVATE, .text = text, .text_len = strlen(text)});
    free(text);
}

static void reply_too_soon(struct conn *conn, uint64_t wait_ms)
{
    char headers[96];
    snprintf(headers, sizeof headers, PRIVATE "Retry-After: %" PRIu64 "\r\n", (wait_ms + 999) / 1000);
    reply_fault(conn, 429, "too_soon", "the name was changed not long ago", NULL, headers);
}

static void reply_busy(struct conn *conn)
{
    http_reply_error(conn, 503, "the user cannot be read now", "Retry-After: 1\r\n");
}

static void reply_no_session(struct conn *conn)
{
    http_reply_error(conn, 401, "a session is needed: POST /api/v1/session", NULL);
}

// ---- The way through Redis ------------------------------------------------------------------------------------------

static void read_again(struct me *me);

// Only what stays counts to the address, or one of its users could use up the names of all others with refusals.
static void give_back(const struct me *me)
{
    if (me->what != ME_READ)
        limits_name_back(me->wait.edge->limits, &me->addr);
}

static void on_renamed(int err, enum store_renamed result, uint64_t wait_ms, void *arg)
{
    struct me *me = arg;
    if (err == 0 && result == STORE_RENAME_CHANGED && me->wait.conn != NULL && ++me->tries < TRIES_MAX) {
        read_again(me);
        return;
    }
    struct conn *conn = api_wait_done(&me->wait);
    struct store_name name = {0};
    snprintf(name.text, sizeof name.text, "%s", me->name);
    if (err == 0 && (result != STORE_RENAMED || strcmp(me->name, me->stored.text) == 0))
        give_back(me);
    if (conn == NULL)
        goto out;
    if (err != 0 || result == STORE_RENAME_CHANGED)
        reply_busy(conn);
    else if (result == STORE_RENAME_TAKEN)
        reply_fault(conn, 409, "name_taken", "another user has this name, or one that looks like it", NULL, PRIVATE);
    else if (result == STORE_RENAME_TOO_SOON)
        reply_too_soon(conn, wait_ms);
    else if (result == STORE_RENAME_ERASED)
        reply_no_session(conn);
    else
        reply_me(conn, me->user, &name, wait_ms);

out:
    free(me);
}

static void on_erased(int err, bool changed, void *arg)
{
    struct me *me = arg;
    if (err == 0 && changed && ++me->tries < TRIES_MAX) {
        read_again(me);
        return;
    }
    struct conn *conn = api_wait_done(&me->wait);
    if (err == 0 && changed)
        give_back(me);
    if (conn != NULL && (err != 0 || changed))
        reply_busy(conn);
    else if (conn != NULL)
        http_reply(conn, &(struct http_reply){.status = 204, .headers = LOGGED_OUT});
    free(me);
}

// False: answered with why not.
static bool may_rename(struct me *me, const struct store_user *user)
{
    const struct canvas_config *config = cluster_config(me->wait.edge->parts.cluster);
    bool placed = user->record.nonce > 0 || config == NULL || config->cooldown_ms == 0;
    if (placed || me->name[0] == '\0' || strcmp(me->name, user->name.text) == 0)
        return true;
    struct conn *conn = api_wait_done(&me->wait);
    if (conn != NULL)
        reply_fault(conn, 403, "no_placement", "a name may be chosen after the first placement", NULL, PRIVATE);
    give_back(me);
    free(me);
    return false;
}

static void go_on(struct me *me, const struct store_user *user)
{
    struct edge *edge = me->wait.edge;
    me->stored = user->name;
    if (me->what == ME_ERASE) {
        store_erase(edge->parts.store, me->user, me->stored.text, on_erased, me);
    } else if (may_rename(me, user)) {
        const struct store_rename rename = {.user = me->user,
                                            .old = me->stored.text,
                                            .name = me->name,
                                            .keep_ms = edge->options.name_keep_ms,
                                            .life_ms = user_name_life_ms(user, edge->options.session_life_s)};
        store_rename(edge->parts.store, &rename, on_renamed, me);
    }
}

static void on_user(int err, const struct store_user *user, void *arg)
{
    struct me *me = arg;
    if (err == 0 && me->what != ME_READ && !user->name.erased) {
        go_on(me, user);
        return;
    }
    struct conn *conn = api_wait_done(&me->wait);
    if (conn != NULL && err != 0)
        reply_busy(conn);
    else if (conn != NULL && user->name.erased)
        reply_no_session(conn);
    else if (conn != NULL)
        reply_me(conn, me->user, &user->name,
                 user_name_wait_ms(&user->name, conn->edge->options.name_keep_ms, user->now_ms));
    give_back(me);
    free(me);
}

static void read_again(struct me *me)
{
    store_user(me->wait.edge->parts.store, me->user, on_user, me);
}

// ---- Renewing -------------------------------------------------------------------------------------------------------

struct renewal {
    struct edge *edge;
    uint64_t user;
};

static void on_renewed(int err, enum store_renamed result, uint64_t wait_ms, void *arg)
{
    (void)err; // the next renewal of the session is another chance, long before the name ends
    (void)result;
    (void)wait_ms;
    free(arg);
}

static void on_user_to_renew(int err, const struct store_user *user, void *arg)
{
    struct renewal *renewal = arg;
    struct edge *edge = renewal->edge;
    if (err != 0 || user->name.erased || user->name.text[0] == '\0') {
        free(renewal);
        return;
    }
    const struct store_rename same = {.user = renewal->user,
                                      .old = user->name.text,
                                      .name = user->name.text,
                                      .keep_ms = edge->options.name_keep_ms,
                                      .life_ms = user_name_life_ms(user, edge->options.session_life_s)};
    store_rename(edge->parts.store, &same, on_renewed, renewal);
}

void api_renew_name(const struct call *call, uint64_t user)
{
    struct edge *edge = call->conn->edge;
    uint32_t retry_s;
    // An old token may be shown again and again.
    if (limits_lookup(edge->limits, &call->conn->addr, WRITE_COST, loop_now(edge->loop), &retry_s) != 0)
        return;
    struct renewal *renewal = malloc(sizeof *renewal);
    if (renewal == NULL)
        return;
    *renewal = (struct renewal){edge, user};
    store_user(edge->parts.store, user, on_user_to_renew, renewal);
}

// ---- Requests -------------------------------------------------------------------------------------------------------

// {"name": "…"} or {"name": null}. False: answered with what is wrong.
static bool parse_name(const struct call *call, char to[NAME_SIZE])
{
    const struct http_request *request = call->request;
    json_t *json = json_loadb(call->buffer + request->head_len, request->body_len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *name = json_object_get(json, "name");
    bool formed = json_object_size(json) == 1 && (json_is_string(name) || json_is_null(name));
    enum name_fault fault = NAME_OK;
    to[0] = '\0';
    if (!formed) {
        reply_fault(call->conn, 400, "bad_request", "the body is {\\\"name\\\": a text or null}", NULL, PRIVATE);
    } else if (json_is_string(name)) {
        fault = name_check(json_string_value(name), json_string_length(name));
        if (fault == NAME_OK)
            snprintf(to, NAME_SIZE, "%s", json_string_value(name));
    }
    if (fault == NAME_FAULT_RESERVED)
        reply_fault(call->conn, 409, "name_taken", "this name is kept back", NULL, PRIVATE);
    else if (fault != NAME_OK)
        reply_fault(call->conn, 400, "bad_name", "this cannot be a name", name_fault_text(fault), PRIVATE);
    json_decref(json);
    return formed && fault == NAME_OK;
}

static void begin(const struct call *call, struct me *me)
{
    if (api_wait_begin(&me->wait, call) == 0) {
        read_again(me);
        return;
    }
    give_back(me);
    free(me);
    reply_busy(call->conn);
}

// False: answered with when to come again.
static bool may_write(const struct call *call)
{
    struct edge *edge = call->conn->edge;
    uint32_t retry_s = 1;
    if (limits_name(edge->limits, &call->conn->addr, loop_now(edge->loop), &retry_s) == 0)
        return true;
    char headers[96];
    snprintf(headers, sizeof headers, PRIVATE "Retry-After: %u\r\n", retry_s);
    edge->stats.lookups_refused++;
    http_reply_error(call->conn, 429, "too many names from this address", headers);
    return false;
}

void api_me(const struct call *call)
{
    unsigned method = call->request->parser.method;
    struct session session;
    char name[NAME_SIZE] = "";
    bool reads = method == HTTP_GET || method == HTTP_HEAD;
    if (!reads && !route_origin_ok(call))
        return;
    if (route_session(call, &session) != 0) {
        reply_no_session(call->conn);
        return;
    }
    if (!route_lookup_ok(call, reads ? READ_COST : WRITE_COST, "") || (method == HTTP_PUT && !parse_name(call, name)) ||
        (!reads && !may_write(call)))
        return;
    struct me *me = calloc(1, sizeof *me);
    if (me == NULL) {
        http_reply_error(call->conn, 500, "no memory", NULL);
        return;
    }
    me->wait.edge = call->conn->edge;
    me->addr = call->conn->addr;
    me->user = session.token.user;
    me->what = reads ? ME_READ : method == HTTP_PUT ? ME_RENAME : ME_ERASE;
    memcpy(me->name, name, sizeof me->name);
    begin(call, me);
}
