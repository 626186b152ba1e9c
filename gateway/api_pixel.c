// GET /api/v1/pixel/{x}/{y}: who placed a pixel, and when (PROTOCOL.md 1.1, Pixel).
//
//   the walk back, in one script ──► the names of whom it met, in one pipeline ──► JSON
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/core/decimal.h"
#include "gateway/api_wait.h"
#include "gateway/edge_internal.h"
#include "gateway/http_reply.h"
#include "gateway/routes.h"
#include "gateway/user_name.h"

#define EVERYONE "Access-Control-Allow-Origin: *\r\n"
#define PLACEMENTS_PER_LOOKUP 4u // a history takes Redis so much longer
#define RETRY EVERYONE "Retry-After: 1\r\n"

struct asked {
    struct api_wait wait; // first
    struct pixel {
        uint32_t x, y;
    } at;
    struct store_pixel pixel;
    uint64_t users[STORE_NAMES_MAX]; // each once
    size_t user_count;
};

// ---- The answer -----------------------------------------------------------------------------------------------------

static json_t *placement_json(const struct asked *asked, const struct store_placement *placement,
                              const struct store_name *names)
{
    char called[NAME_SIZE];
    size_t i = 0;
    while (i + 1 < asked->user_count && asked->users[i] != placement->user)
        i++;
    user_name(&names[i], placement->user, called);
    return json_pack("{s:I, s:i, s:I, s:s, s:b}", "seq", (json_int_t)placement->seq, "color", (int)placement->color,
                     "time_ms", (json_int_t)placement->time_ms, "by", called, "erased", names[i].erased ? 1 : 0);
}

static char *pixel_json(const struct asked *asked, const struct palette *palette, const struct store_name *names)
{
    const struct store_pixel *pixel = &asked->pixel;
    json_t *list = json_array();
    for (size_t i = 0; i < pixel->count; i++)
        json_array_append_new(list, placement_json(asked, &pixel->placements[i], names));
    // A color that came with a configuration which has not been read yet.
    const char *name = pixel->color < palette->count ? palette->colors[pixel->color].name : "";
    json_t *json = json_pack("{s:I, s:I, s:i, s:s, s:I, s:o, s:I}", "x", (json_int_t)asked->at.x, "y",
                             (json_int_t)asked->at.y, "color", (int)pixel->color, "name", name, "now_ms",
                             (json_int_t)pixel->now_ms, "placements", list, "next", (json_int_t)pixel->next);
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static void reply_pixel(struct conn *conn, const struct asked *asked, const struct store_name *names)
{
    const struct canvas_config *config = cluster_config(conn->edge->parts.cluster);
    char *text = pixel_json(asked, &config->palette, names);
    if (text == NULL)
        http_reply_error(conn, 500, "no memory", EVERYONE);
    else
        http_reply(conn, &(struct http_reply){.status = 200,
                                              .type = "application/json",
                                              .headers = EVERYONE "Cache-Control: public, max-age=1\r\n",
                                              .text = text,
                                              .text_len = strlen(text)});
    free(text);
}

static void on_names(int err, const struct store_name *names, size_t count, void *arg)
{
    struct asked *asked = arg;
    struct conn *conn = api_wait_done(&asked->wait);
    (void)count;
    if (conn != NULL && err == 0)
        reply_pixel(conn, asked, names);
    else if (conn != NULL)
        http_reply_error(conn, 503, "the pixel cannot be read now", RETRY);
    free(asked);
}

// ---- The question ---------------------------------------------------------------------------------------------------

static uint32_t cost_of(uint32_t placements)
{
    return 1 + placements / PLACEMENTS_PER_LOOKUP;
}

static void note_user(struct asked *asked, uint64_t user)
{
    for (size_t i = 0; i < asked->user_count; i++)
        if (asked->users[i] == user)
            return;
    asked->users[asked->user_count++] = user;
}

static void on_pixel(int err, const struct store_pixel *pixel, void *arg)
{
    struct asked *asked = arg;
    if (err != 0 || asked->wait.conn == NULL) {
        on_names(err != 0 ? err : ERR_CLOSED, NULL, 0, asked);
        return;
    }
    asked->pixel = *pixel;
    for (size_t i = 0; i < pixel->count; i++)
        note_user(asked, pixel->placements[i].user);
    store_names(asked->wait.edge->parts.store, asked->users, asked->user_count, on_names, asked);
}

static void ask(const struct call *call, const struct geom *geom, uint32_t x, uint32_t y, uint32_t limit, uint32_t from)
{
    struct edge *edge = call->conn->edge;
    struct asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL || !bucket_take(&edge->pixels, loop_now(edge->loop), cost_of(limit)) ||
        api_wait_begin(&asked->wait, call) != 0) {
        free(asked);
        edge->stats.lookups_refused++;
        http_reply_error(call->conn, 503, "too many pixels are being asked for", RETRY);
        return;
    }
    asked->at = (struct pixel){x, y};
    const struct store_pixel_asked question = {
        .tile = geom_tile_of(geom, x, y), .offset = (uint16_t)geom_offset_of(geom, x, y), .limit = limit, .from = from};
    store_pixel(edge->parts.store, &question, on_pixel, asked);
}

void api_pixel(const struct call *call)
{
    const struct canvas_config *config = cluster_config(call->conn->edge->parts.cluster);
    const char *at = call->path + strlen("/api/v1/pixel/");
    const char *end = call->path + call->path_len;
    uint16_t x, y;
    int64_t limit = 1, from = 0;
    if (config == NULL) {
        http_reply_error(call->conn, 503, "the canvas is not known yet", RETRY);
    } else if (!decimal_take_u16(&at, end, &x) || at == end || *at++ != '/' || !decimal_take_u16(&at, end, &y) ||
               at != end || x >= config->geom.width || y >= config->geom.height) {
        http_reply_error(call->conn, 404, "a pixel is /api/v1/pixel/{x}/{y}, on the canvas", EVERYONE);
    } else {
        int err = query_number(&call->query, "history", 0, STORE_PLACEMENTS_MAX, &limit);
        int from_err = query_number(&call->query, "before", 0, UINT32_MAX, &from);
        if ((err != 0 && err != ERR_NOT_FOUND) || (from_err != 0 && from_err != ERR_NOT_FOUND))
            http_reply_error(call->conn, 400, "history is 0 to 32, before a seq", EVERYONE);
        else if (route_lookup_ok(call, cost_of((uint32_t)limit), EVERYONE))
            ask(call, &config->geom, x, y, (uint32_t)limit, (uint32_t)from);
    }
}
