// Which request is answered by whom. Handlers answer with http_reply, now or later.
#pragma once

#include <stddef.h>

#include "gateway/conn.h"
#include "gateway/http_conn.h"
#include "gateway/query.h"

// A request on its way to its handler.
struct call {
    struct conn *conn;
    struct http_conn *http;
    const struct http_request *request;
    const char *buffer; // of the request's spans
    const char *path;   // without the query; not terminated
    size_t path_len;
    struct query query;
};

typedef void route_handler(const struct call *call);

route_handler api_canvas, api_tile, api_tiles, api_png, api_region, api_livez, api_readyz; // api.c
route_handler api_pixel;                                                                   // api_pixel.c
route_handler api_me;                                                                      // api_me.c
route_handler api_heat;                                                                    // api_heat.c
route_handler api_session;                                                                 // api_session.c
route_handler api_ws;                                                                      // api_ws.c

// The user's session was renewed: so is what the user is called.
void api_renew_name(const struct call *call, uint64_t user);

// A page's script of another origin speaks: answered with 403, false.
bool route_origin_ok(const struct call *call);

// The address asks for more than it may: answered with 429 (`headers` are further ones, each with CR LF, or empty),
// false.
bool route_lookup_ok(const struct call *call, uint32_t cost, const char *headers);

// The session that the request carries, or an error (session_read).
struct session;
int route_session(const struct call *call, struct session *session);
