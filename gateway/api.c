// The canvas and the health of the gateway over HTTP (PROTOCOL.md 1.1).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/core/decimal.h"
#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/routes.h"
#include "proto/limits.h"

#define EVERYONE "Access-Control-Allow-Origin: *\r\n"
#define REGION_COST 4u // lookups
#define TILE_COST 1u   // of a tile that has to be read first
#define RETRY EVERYONE "Retry-After: 1\r\n"

// ---- /api/v1/canvas -------------------------------------------------------------------------------------------------

static json_t *palette_json(const struct palette *palette)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < palette->count; i++) {
        char rgb[8];
        const struct palette_color *color = &palette->colors[i];
        snprintf(rgb, sizeof rgb, "#%02x%02x%02x", color->r, color->g, color->b);
        json_array_append_new(array, json_pack("{s:s, s:s}", "name", color->name, "rgb", rgb));
    }
    return array;
}

static char *canvas_json(const struct edge *edge, const struct canvas_config *config)
{
    struct cluster *cluster = edge->parts.cluster;
    json_t *json = json_pack(
        "{s:I, s:I, s:I, s:i, s:I, s:b, s:s, s:I, s:o, s:{s:i, s:I}}", "version", (json_int_t)config->version, "width",
        (json_int_t)config->geom.width, "height", (json_int_t)config->geom.height, "tile_edge", (int)config->geom.edge,
        "cooldown_ms", (json_int_t)config->cooldown_ms, "read_only", cluster_read_only(cluster) ? 1 : 0, "announcement",
        config->announced, "online", (json_int_t)cluster_online(cluster), "palette", palette_json(&config->palette),
        "limits", "watch", (int)LIMIT_WATCH_TILES, "in_flight", (json_int_t)edge_in_flight_max(edge));
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

void api_canvas(const struct call *call)
{
    const struct canvas_config *config = cluster_config(call->conn->edge->parts.cluster);
    if (config == NULL) {
        http_reply_error(call->conn, 503, "the canvas is not known yet", RETRY);
        return;
    }
    char *text = canvas_json(call->conn->edge, config);
    if (text == NULL)
        http_reply_error(call->conn, 500, "no memory", EVERYONE);
    else
        http_reply(call->conn, &(struct http_reply){.status = 200,
                                                    .type = "application/json",
                                                    .headers = EVERYONE "Cache-Control: no-cache\r\n",
                                                    .text = text,
                                                    .text_len = strlen(text)});
    free(text);
}

// ---- Pixels ---------------------------------------------------------------------------------------------------------

static void reply_content(struct conn *conn, const struct content_body *body, const char *type)
{
    char headers[512];
    bool same = http_request_matches(&conn->http->request, conn->http->buffer, body->etag);
    snprintf(headers, sizeof headers,
             EVERYONE "ETag: %s\r\n%s%s%sVary: Accept-Encoding\r\nCache-Control: public, max-age=1\r\n"
                      "Access-Control-Expose-Headers: ETag, Tessera-Position\r\n%s",
             body->etag, body->position != NULL ? "Tessera-Position: " : "",
             body->position != NULL ? body->position : "", body->position != NULL ? "\r\n" : "",
             body->gzip && !same ? "Content-Encoding: gzip\r\n" : "");
    http_reply(conn, &(struct http_reply){.status = same ? 304 : 200,
                                          .type = same ? NULL : type,
                                          .headers = headers,
                                          .body = same ? NULL : body->bytes});
}

static void on_content(struct conn *conn, int err, const struct content_body *body, const char *type,
                       uint16_t range_status, const char *range_message)
{
    conn->http->content = NULL;
    if (err == 0)
        reply_content(conn, body, type);
    else if (err == ERR_RANGE)
        http_reply_error(conn, range_status, range_message, EVERYONE);
    else
        http_reply_error(conn, 503, "the canvas cannot be read now", RETRY);
}

static void on_tile(int err, const struct content_body *body, void *arg)
{
    on_content(arg, err, body, "application/octet-stream", 404, "no such tile");
}

static void on_tiles(int err, const struct content_body *body, void *arg)
{
    on_content(arg, err, body, "application/octet-stream", 413,
               "the canvas is larger than 4096 x 4096: use /api/v1/tiles/{tx}/{ty}");
}

static void on_png(int err, const struct content_body *body, void *arg)
{
    on_content(arg, err, body, "image/png", 413, "the canvas is larger than 4096 x 4096: use /api/v1/tiles/{tx}/{ty}");
}

static void get_content(const struct call *call, struct content_part part, content_cb cb)
{
    struct edge *edge = call->conn->edge;
    if (cluster_config(edge->parts.cluster) == NULL) {
        http_reply_error(call->conn, 503, "the canvas is not known yet", RETRY);
        return;
    }
    part.gzip = http_request_takes_gzip(call->request, call->buffer);
    struct content_request *request = content_get(edge->parts.content, &part, cb, call->conn);
    // NULL: the answer was given within the call.
    if (request != NULL)
        call->http->content = request;
}

void api_tile(const struct call *call)
{
    struct tile tile;
    const char *at = call->path + strlen("/api/v1/tiles/");
    const char *end = call->path + call->path_len;
    if (!decimal_take_u16(&at, end, &tile.tx) || at == end || *at++ != '/' || !decimal_take_u16(&at, end, &tile.ty) ||
        at != end)
        http_reply_error(call->conn, 404, "a tile is /api/v1/tiles/{tx}/{ty}", EVERYONE);
    else if (hub_holds(call->conn->edge->parts.hub, tile) || route_lookup_ok(call, TILE_COST, EVERYONE))
        get_content(call, (struct content_part){.kind = CONTENT_TILE, .tile = tile}, on_tile);
}

void api_tiles(const struct call *call)
{
    get_content(call, (struct content_part){.kind = CONTENT_TILES}, on_tiles);
}

void api_png(const struct call *call)
{
    get_content(call, (struct content_part){.kind = CONTENT_PNG}, on_png);
}

static void on_region(int err, const struct content_body *body, void *arg)
{
    on_content(arg, err, body, "image/png", 400, "nothing of this region is on the canvas");
}

void api_region(const struct call *call)
{
    struct content_part part = {.kind = CONTENT_REGION};
    if (region_parse(&part.region, &call->query) != 0)
        http_reply_error(call->conn, 400, "a region is x, y, w and h up to 512, scale up to 32, 1200 in all", EVERYONE);
    else if (route_lookup_ok(call, REGION_COST, EVERYONE))
        get_content(call, part, on_region);
}

// ---- Health ---------------------------------------------------------------------------------------------------------

static void reply_text(const struct call *call, uint16_t status, const char *text, const char *headers)
{
    http_reply(call->conn, &(struct http_reply){.status = status,
                                                .type = "text/plain; charset=utf-8",
                                                .headers = headers,
                                                .text = text,
                                                .text_len = strlen(text)});
}

void api_livez(const struct call *call)
{
    reply_text(call, 200, "ok\n", "Cache-Control: no-store\r\n");
}

void api_readyz(const struct call *call)
{
    const char *reason = edge_not_ready(call->conn->edge);
    if (reason != NULL) {
        char text[80];
        snprintf(text, sizeof text, "%s\n", reason);
        reply_text(call, 503, text, "Cache-Control: no-store\r\nRetry-After: 1\r\n");
    } else {
        reply_text(call, 200, "ok\n", "Cache-Control: no-store\r\n");
    }
}
