// Which request is answered by whom. Handlers answer with http_reply, now or later.
#pragma once

#include <stddef.h>

#include "gateway/conn.h"
#include "gateway/http_conn.h"

// A request on its way to its handler.
struct call {
    struct conn *conn;
    struct http_conn *http;
    const struct http_request *request;
    const char *buffer; // of the request's spans
    const char *path;   // without the query; not terminated
    size_t path_len;
};

typedef void route_handler(const struct call *call);

route_handler api_canvas, api_tile, api_tiles, api_png, api_livez, api_readyz; // api.c
route_handler api_session;                                                     // api_session.c
route_handler api_ws;                                                          // api_ws.c

// A page's script of another origin speaks: answered with 403, false.
bool route_origin_ok(const struct call *call);

// The session that the request carries, or an error (session_read).
struct session;
int route_session(const struct call *call, struct session *session);
