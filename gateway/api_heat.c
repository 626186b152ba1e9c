// GET /api/v1/heat: where most is placed (PROTOCOL.md 1.1, Heat).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/api_wait.h"
#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/routes.h"

#define EVERYONE "Access-Control-Allow-Origin: *\r\n"
#define FRESH_MS 2000
#define ITEM_SIZE 40u // "[65535,65535,1099511627776.0]," and some

static void reply_heat(struct conn *conn)
{
    http_reply(conn, &(struct http_reply){.status = 200,
                                          .type = "application/json",
                                          .headers = EVERYONE "Cache-Control: public, max-age=5\r\n",
                                          .body = conn->edge->heat.json});
}

static struct shared_buf *heat_json(const struct store_heat *heat)
{
    size_t size = 64 + heat->count * ITEM_SIZE, len = 0;
    struct shared_buf *json = shared_buf_new(size);
    if (json == NULL)
        return NULL;
    char *to = (char *)json->bytes;
    len += (size_t)snprintf(to, size, "{\"half_life_ms\":%u,\"tiles\":[", STORE_HEAT_HALF_LIFE_MS);
    for (size_t i = 0; i < heat->count; i++)
        len += (size_t)snprintf(to + len, size - len, "%s[%u,%u,%.1f]", i > 0 ? "," : "", heat->tiles[i].tile.tx,
                                heat->tiles[i].tile.ty, heat->tiles[i].heat);
    len += (size_t)snprintf(to + len, size - len, "]}\n");
    json->len = len;
    return json;
}

static void on_heat(int err, const struct store_heat *heat, void *arg)
{
    struct api_wait *wait = arg;
    struct edge *edge = wait->edge;
    struct conn *conn = api_wait_done(wait);
    struct shared_buf *json = err == 0 ? heat_json(heat) : NULL;
    free(wait);
    if (json != NULL) {
        shared_buf_unref(edge->heat.json);
        edge->heat = (struct edge_heat){json, loop_now(edge->loop)};
    }
    if (conn != NULL && json != NULL)
        reply_heat(conn);
    else if (conn != NULL)
        http_reply_error(conn, 503, "the heat cannot be read now", EVERYONE "Retry-After: 1\r\n");
}

void api_heat(const struct call *call)
{
    struct edge *edge = call->conn->edge;
    if (edge->heat.json != NULL &&
        !monotime_reached(monotime_add_ms(edge->heat.made, FRESH_MS), loop_now(edge->loop))) {
        reply_heat(call->conn);
        return;
    }
    if (!route_lookup_ok(call, 1, EVERYONE))
        return;
    struct api_wait *wait = calloc(1, sizeof *wait);
    if (wait == NULL || api_wait_begin(wait, call) != 0) {
        free(wait);
        http_reply_error(call->conn, 503, "too much is being asked for", EVERYONE "Retry-After: 1\r\n");
        return;
    }
    store_heat(edge->parts.store, on_heat, wait);
}

void api_heat_fini(struct edge *edge)
{
    shared_buf_unref(edge->heat.json);
    edge->heat.json = NULL;
}
