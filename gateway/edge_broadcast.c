// What all clients are told: STATUS and CONFIG. A round goes over the array of clients in slices, one per turn of the
// loop.
//
// A write of its own costs as much for STATUS as for a frame of updates. So STATUS goes along with whatever the hub has
// for a client within STATUS_WAIT_MS, and only then the round goes to those for whom there was nothing. When its flags
// turn it waits for nothing.
#include <string.h>

#include "gateway/edge_internal.h"

#define SLICE 256u
#define STATUS_MIN_MS 2000  // between two rounds
#define STATUS_MAX_MS 13000 // so that every client hears something within 15 s
#define STATUS_WAIT_MS 1000

typedef void tell_cb(struct edge *edge, struct conn *conn);

// Tells the next slice; false when the round is over.
static bool round_slice(struct edge *edge, struct broadcast *round, tell_cb *tell)
{
    for (unsigned n = 0; n < SLICE; n++) {
        if (round->at >= edge->places) {
            round->running = false;
            return false;
        }
        struct conn *conn = edge->clients[round->at++];
        if (conn != NULL && conn->state == CONN_WS)
            tell(edge, conn);
    }
    return true;
}

void edge_round_begin(struct edge *edge, struct broadcast *round)
{
    *round = (struct broadcast){.running = true, .at = 0};
    if (!loop_timer_armed(&edge->slice))
        loop_timer_arm_ms(&edge->slice, 0);
}

static void tell_status(struct edge *edge, struct conn *conn)
{
    // A client whose socket is full hears enough as it is.
    if (conn->ws.welcomed && conn->ws.status != edge->status_number)
        (void)edge_write_shared(conn, edge->status, 0);
    conn->ws.status = edge->status_number;
}

void edge_status_along(struct conn *conn)
{
    const struct edge *edge = conn->edge;
    // TLS would not send both as one.
    if (!conn->ws.welcomed || conn->sock.ssl != NULL)
        return;
    if (outbox_put(&conn->ws.outbox, &conn->edge->outbox_pool, edge->status->bytes, edge->status->len, NULL, 0) == 0)
        conn->ws.status = edge->status_number;
}

// Only what changed since the client was told last: pages would ask for all of it at once otherwise.
static void tell_news(const struct edge *edge, struct ws_conn *ws)
{
    uint8_t message[WS_PALETTE_MAX];
    if ((int32_t)(edge->palette_number - ws->config) > 0)
        ws_conn_send(ws, message, ws_encode_palette(message, &edge->config.palette));
    if ((int32_t)(edge->announcement_number - ws->config) > 0)
        ws_conn_send(ws, message, ws_encode_announcement(message, edge->config.announced, edge->config.announced_len));
}

static void tell_config(struct edge *edge, struct conn *conn)
{
    const struct canvas_config *config = &edge->config;
    uint8_t message[WS_CONFIG_LEN];
    const struct ws_config told = {.flags = edge->status_flags,
                                   .edge = config->geom.edge,
                                   .version = config->version,
                                   .width = config->geom.width,
                                   .height = config->geom.height,
                                   .cooldown_ms = config->cooldown_ms};
    if (!conn->ws.welcomed || conn->ws.config == edge->config_number)
        return;
    tell_news(edge, &conn->ws);
    conn->ws.config = edge->config_number;
    ws_conn_send(&conn->ws, message, ws_encode_config(message, &told));
}

static void on_slice(void *arg)
{
    struct edge *edge = arg;
    bool more = edge->status_round.running && round_slice(edge, &edge->status_round, tell_status);
    if (edge->config_round.running)
        more |= round_slice(edge, &edge->config_round, tell_config);
    if (edge->drain_round.running)
        more |= round_slice(edge, &edge->drain_round, edge_drain_tell);
    if (more)
        loop_timer_arm_ms(&edge->slice, 0);
}

static void begin_status(struct edge *edge, struct monotime now)
{
    uint8_t message[WS_STATUS_LEN], head[10];
    size_t len = ws_encode_status(message, &(struct ws_status){edge->status_flags, edge->status_online});
    size_t head_len = ws_frame_head(head, len);
    struct shared_buf *frame = shared_buf_new(head_len + len);
    if (frame == NULL)
        return; // the next tick tries again
    memcpy(frame->bytes, head, head_len);
    memcpy(frame->bytes + head_len, message, len);
    shared_buf_unref(edge->status);
    edge->status = frame;
    edge->status_number++;
    edge->status_stale = false;
    edge->status_waits = true;
    edge->status_last = now;
}

void edge_broadcast_tick(struct edge *edge)
{
    struct monotime now = loop_now(edge->loop);
    int64_t age = monotime_diff_ms(now, edge->status_last);
    bool due = age >= STATUS_MAX_MS || (edge->status_stale && age >= STATUS_MIN_MS);
    if (due && !edge->status_waits && !edge->status_round.running)
        begin_status(edge, now);
    else if (edge->status_waits && age >= STATUS_WAIT_MS) {
        edge->status_waits = false;
        edge_round_begin(edge, &edge->status_round);
    }
}

void edge_on_status(uint32_t online, bool read_only, void *arg)
{
    struct edge *edge = arg;
    uint8_t flags = read_only ? WS_FLAG_READ_ONLY : 0;
    bool turned = flags != edge->status_flags;
    edge->status_stale |= turned || online != edge->status_online;
    edge->status_online = online;
    edge->status_flags = flags;
    if (!turned)
        return;
    // At once: a STATUS that waits for company would soon say the opposite of the CONFIG that has overtaken it.
    begin_status(edge, loop_now(edge->loop));
    edge->status_waits = false;
    edge_round_begin(edge, &edge->status_round);
}

void edge_on_config(const struct canvas_config *config, void *arg)
{
    struct edge *edge = arg;
    const struct canvas_config *last = &edge->config;
    bool first = last->version == 0;
    edge->config_number++;
    if (!first && (last->palette.count != config->palette.count || !palette_extends(&config->palette, &last->palette)))
        edge->palette_number = edge->config_number;
    if (!first && (last->announced_len != config->announced_len ||
                   memcmp(last->announced, config->announced, config->announced_len) != 0))
        edge->announcement_number = edge->config_number;
    bool restored = !first && last->restores != config->restores;
    edge->config = *config;
    hub_configure(edge->parts.hub, config);
    content_configure(edge->parts.content, config);
    if (restored)
        hub_verify(edge->parts.hub);
    edge_round_begin(edge, &edge->config_round);
}

void edge_broadcast_init(struct edge *edge)
{
    loop_timer_init(&edge->slice, edge->loop, on_slice, edge);
    edge->status_last = loop_now(edge->loop);
}

void edge_broadcast_fini(struct edge *edge)
{
    loop_timer_disarm(&edge->slice);
    shared_buf_unref(edge->status);
    edge->status = NULL;
}
