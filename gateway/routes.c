#include "gateway/routes.h"

#include <stdio.h>
#include <string.h>

#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/origin.h"
#include "gateway/page.h"
#include "gateway/redirect.h"
#include "gateway/session.h"

#define PAGE_HEADERS                                                                                                   \
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "   \
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; frame-ancestors 'none'; "            \
    "form-action 'none'"                                                                                               \
    "\r\nReferrer-Policy: same-origin\r\nCross-Origin-Opener-Policy: same-origin\r\n"

#define GET_OR_HEAD (1u << HTTP_GET | 1u << HTTP_HEAD)
#define ALLOW_GET "Allow: GET, HEAD\r\n"

static const struct {
    const char *path;
    bool prefix;
    uint32_t methods; // bits of enum http_method, which fit
    const char *allow;
    route_handler *handler;
} routes[] = {
    {"/api/v1/canvas", false, GET_OR_HEAD, ALLOW_GET, api_canvas},
    {"/api/v1/canvas.png", false, GET_OR_HEAD, ALLOW_GET, api_png},
    {"/api/v1/tiles", false, GET_OR_HEAD, ALLOW_GET, api_tiles},
    {"/api/v1/tiles/", true, GET_OR_HEAD, ALLOW_GET, api_tile},
    {"/api/v1/session", false, 1u << HTTP_POST, "Allow: POST\r\n", api_session},
    {"/api/v1/pixel/", true, GET_OR_HEAD, ALLOW_GET, api_pixel},
    {"/api/v1/me", false, GET_OR_HEAD | 1u << HTTP_PUT | 1u << HTTP_DELETE, "Allow: GET, HEAD, PUT, DELETE\r\n",
     api_me},
    {"/api/v1/region.png", false, GET_OR_HEAD, ALLOW_GET, api_region},
    {"/api/v1/heat", false, GET_OR_HEAD, ALLOW_GET, api_heat},
    {"/livez", false, GET_OR_HEAD, ALLOW_GET, api_livez},
    {"/readyz", false, GET_OR_HEAD, ALLOW_GET, api_readyz},
    {"/ws", false, 1u << HTTP_GET, "Allow: GET\r\n", api_ws},
};

static bool is_allowed(const struct call *call, uint32_t methods)
{
    unsigned method = call->request->parser.method;
    return method < 32 && (methods >> method & 1u) != 0;
}

void page_headers(char to[PAGE_HEADERS_SIZE], const char *etag, bool varies, bool gzip)
{
    snprintf(to, PAGE_HEADERS_SIZE, "ETag: %s\r\nCache-Control: no-cache\r\n%s%s" PAGE_HEADERS, etag,
             varies ? "Vary: Accept-Encoding\r\n" : "", gzip ? "Content-Encoding: gzip\r\n" : "");
}

static void serve_file(const struct call *call, const struct static_file *file)
{
    char headers[PAGE_HEADERS_SIZE];
    bool gzip = file->gzip != NULL && http_request_takes_gzip(call->request, call->buffer);
    const char *etag = gzip ? file->gzip_etag : file->etag;
    bool same = http_request_matches(call->request, call->buffer, etag);
    page_headers(headers, etag, file->gzip != NULL, gzip && !same);
    http_reply(call->conn, &(struct http_reply){.status = same ? 304 : 200,
                                                .type = same ? NULL : file->type,
                                                .headers = headers,
                                                .body = same   ? NULL
                                                        : gzip ? file->gzip
                                                               : file->raw});
}

static void serve_page(const struct call *call)
{
    const struct static_file *file = static_files_find(call->conn->edge->options.files, call->path, call->path_len);
    if (file == NULL)
        http_reply_error(call->conn, 404, "no such page", NULL);
    else if (!is_allowed(call, GET_OR_HEAD))
        http_reply_error(call->conn, 405, "only GET", ALLOW_GET);
    else if (call->path_len > 1 || !page_serve(call, file))
        serve_file(call, file);
}

// To a page that came without TLS nothing is given but the way to the right one.
static void redirect(struct conn *conn, struct http_conn *http)
{
    char header[REDIRECT_HEADER_MAX];
    http->close_after = true;
    if (redirect_header(header, sizeof header, &http->request, http->buffer, conn->edge->options.https_port) == 0)
        http_reply_error(conn, 400, "come by https; the address is too long for a redirect", NULL);
    else
        http_reply(conn, &(struct http_reply){.status = 308, .headers = header});
}

void routes_handle(struct conn *conn, struct http_conn *http)
{
    const struct http_request *request = &http->request;
    if (conn->edge->options.https_redirect && !conn->secure) {
        redirect(conn, http);
        return;
    }
    struct call call = {.conn = conn, .http = http, .request = request, .buffer = http->buffer};
    call.path = call.buffer + request->target.at;
    const char *query = memchr(call.path, '?', request->target.len);
    call.path_len = query != NULL ? (size_t)(query - call.path) : request->target.len;
    if (query != NULL)
        call.query = (struct query){query + 1, request->target.len - call.path_len - 1};
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        size_t len = strlen(routes[i].path);
        if (call.path_len < len || (call.path_len > len && !routes[i].prefix) ||
            memcmp(call.path, routes[i].path, len) != 0)
            continue;
        if (is_allowed(&call, routes[i].methods))
            routes[i].handler(&call);
        else
            http_reply_error(conn, 405, "another method is needed here", routes[i].allow);
        return;
    }
    serve_page(&call);
}

bool route_origin_ok(const struct call *call)
{
    size_t origin_len, host_len;
    bool repeated = false;
    const struct edge_options *options = &call->conn->edge->options;
    const char *origin = http_request_single(call->request, call->buffer, "origin", &origin_len, &repeated);
    if (origin == NULL && !repeated)
        return true;
    const char *host = http_request_single(call->request, call->buffer, "host", &host_len, &repeated);
    if (origin != NULL && host != NULL &&
        origin_allowed(origin, origin_len, host, host_len, call->conn->secure, options->allowed_origins))
        return true;
    http_reply_error(call->conn, 403, "pages of this origin may not speak with this server", NULL);
    return false;
}

int route_session(const struct call *call, struct session *session)
{
    struct edge *edge = call->conn->edge;
    return session_read(session, edge->options.keys, call->request, call->buffer, loop_wall_s(edge->loop));
}

bool route_lookup_ok(const struct call *call, uint32_t cost, const char *headers)
{
    struct edge *edge = call->conn->edge;
    uint32_t retry_s = 1;
    edge->stats.lookups++;
    int err = limits_lookup(edge->limits, &call->conn->addr, cost, loop_now(edge->loop), &retry_s);
    if (err == 0)
        return true;
    char lines[160];
    snprintf(lines, sizeof lines, "%sRetry-After: %u\r\n", headers, retry_s);
    edge->stats.lookups_refused++;
    http_reply_error(call->conn, 429, "too many questions from this address", lines);
    return false;
}
