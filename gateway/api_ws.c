// GET /ws: from HTTP to a WebSocket.
#include <stdio.h>

#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/routes.h"
#include "gateway/session.h"
#include "gateway/ws_upgrade.h"
#include "proto/link_proto.h"
#include "proto/ws_proto.h"

#define RETRY "Retry-After: 1\r\n"

// What may follow a refused upgrade is not HTTP, so every refusal closes.
static void refuse(const struct call *call, uint16_t status, const char *why, const char *headers)
{
    call->http->close_after = true;
    http_reply_error(call->conn, status, why, headers);
}

static bool has_room(const struct call *call)
{
    struct edge *edge = call->conn->edge;
    if (edge->draining)
        refuse(call, 503, "this gateway is about to stop", RETRY);
    else if (cluster_config(edge->parts.cluster) == NULL)
        refuse(call, 503, "the canvas is not known yet", RETRY);
    else if (edge->stats.clients >= (int64_t)edge->options.max_connections)
        refuse(call, 503, "this gateway is full", RETRY);
    else if (limits_open(edge->limits, LIMITS_WS, &call->conn->addr) != 0)
        refuse(call, 429, "too many connections from this address", "Retry-After: 10\r\n");
    else
        return true;
    return false;
}

void api_ws(const struct call *call)
{
    struct ws_upgrade upgrade;
    struct session session;
    int err = ws_upgrade_check(&upgrade, call->request, call->buffer);
    if (err == ERR_MALFORMED) {
        refuse(call, upgrade.status, upgrade.why,
               upgrade.status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : NULL);
        return;
    }
    if (err != 0) {
        refuse(call, 500, "no memory", NULL);
        return;
    }
    call->http->close_after = true; // for a refused origin
    if (!route_origin_ok(call))
        return;
    if (route_session(call, &session) != 0) {
        refuse(call, 401, "no valid session: POST /api/v1/session first", NULL);
        return;
    }
    if (!has_room(call))
        return;
    call->conn->counted_ws = true;
    char head[256];
    int len = snprintf(head, sizeof head,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: " WS_SUBPROTOCOL "\r\n\r\n",
                       upgrade.accept);
    call->conn->edge->stats.upgrades++;
    http_conn_upgrade(call->conn, head, (size_t)len, session.token.user, LINK_USER_GUEST);
}
