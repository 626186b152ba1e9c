#include "gateway/edge.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/io/rand.h"
#include "gateway/edge_internal.h"

#define TICK_MS 100
#define IDLE_ADDRESSES_MAX 65536u
#define HANDSHAKES_MIN 16u
#define HANDSHAKES_MAX 2048u

// Bounds of PROTOCOL.md that depend on the cooldown.
#define IN_FLIGHT_MAX 4u
#define IN_FLIGHT_MAX_FREE 256u
#define MESSAGE_RATE 50u
#define MESSAGE_RATE_FREE 1000u
#define ADDRESS_MESSAGE_FACTOR 20u

static const int64_t list_ms[CONN_LISTS] = {
    [CONN_LIST_PROXY] = 3000,  [CONN_LIST_TLS] = 5000,      [CONN_LIST_HEAD] = 5000,    [CONN_LIST_KEEPALIVE] = 15000,
    [CONN_LIST_STALL] = 30000, [CONN_LIST_HELLO] = 5000,    [CONN_LIST_CLOSING] = 3000, [CONN_LIST_LINGER] = 2000,
    [CONN_LIST_PAUSE] = 100,   [CONN_LIST_MESSAGE] = 10000,
};

static bool is_free(const struct edge *edge)
{
    const struct canvas_config *config = cluster_config(edge->parts.cluster);
    return config != NULL && config->cooldown_ms == 0;
}

uint32_t edge_in_flight_max(const struct edge *edge)
{
    return is_free(edge) ? IN_FLIGHT_MAX_FREE : IN_FLIGHT_MAX;
}

uint32_t edge_message_rate(const struct edge *edge)
{
    if (edge->options.message_rate >= 0)
        return (uint32_t)edge->options.message_rate;
    return is_free(edge) ? MESSAGE_RATE_FREE : MESSAGE_RATE;
}

uint32_t edge_messages_per_address(const struct edge *edge)
{
    if (edge->options.messages_per_address >= 0)
        return (uint32_t)edge->options.messages_per_address;
    return ADDRESS_MESSAGE_FACTOR * edge_message_rate(edge);
}

static void check_deadlines(struct edge *edge)
{
    struct monotime now = loop_now(edge->loop);
    struct deadline *due;
    for (int list = 0; list < CONN_LIST_PAUSE; list++)
        while ((due = deadlines_due(&edge->lists[list], now)) != NULL)
            conn_on_deadline((struct conn *)((char *)due - offsetof(struct conn, deadline)), (enum conn_list)list);
    while ((due = deadlines_due(&edge->lists[CONN_LIST_PAUSE], now)) != NULL)
        conn_on_deadline(conn_of_ws((struct ws_conn *)((char *)due - offsetof(struct ws_conn, pause))),
                         CONN_LIST_PAUSE);
    while ((due = deadlines_due(&edge->lists[CONN_LIST_MESSAGE], now)) != NULL)
        conn_on_deadline(((struct ws_recv_late *)((char *)due - offsetof(struct ws_recv_late, deadline)))->owner,
                         CONN_LIST_MESSAGE);
}

static void on_tick(void *arg)
{
    struct edge *edge = arg;
    loop_timer_arm_ms(&edge->tick, TICK_MS);
    check_deadlines(edge);
    ws_tiles_tick(edge);
    edge_broadcast_tick(edge);
    edge_drain_tick(edge);
}

// ---- Life -----------------------------------------------------------------------------------------------------------

// Handshakes that may be pending: some 60 KB each while the client's first message is in pieces.
static int64_t handshakes_max(uint32_t max_sockets)
{
    uint32_t quarter = max_sockets / 4;
    return quarter < HANDSHAKES_MIN ? HANDSHAKES_MIN : quarter > HANDSHAKES_MAX ? HANDSHAKES_MAX : quarter;
}

struct edge *edge_new(struct loop *loop, struct metrics *metrics, const struct edge_options *options)
{
    struct edge *edge = calloc(1, sizeof *edge);
    if (edge == NULL)
        return NULL;
    edge->loop = loop;
    edge->options = *options;
    edge->body_bytes_max = EDGE_BODY_BYTES_MAX;
    edge->listeners[0].fd = edge->listeners[1].fd = -1;
    if (options->hsts_s > 0)
        snprintf(edge->hsts, sizeof edge->hsts, "Strict-Transport-Security: max-age=%u\r\n", options->hsts_s);
    edge->handshakes_max = handshakes_max(options->max_sockets);
    edge->sockets_max = options->max_sockets;
    edge->clients_max = options->max_connections;
    edge->next_id = rand_u64();
    for (int list = 0; list < CONN_LISTS; list++)
        deadlines_init(&edge->lists[list], list_ms[list]);
    bucket_init(&edge->pixels, EDGE_PIXELS_PER_SECOND, EDGE_PIXELS_PER_SECOND, loop_now(loop));
    loop_timer_init(&edge->tick, loop, on_tick, edge);
    edge_broadcast_init(edge);
    edge->limits =
        limits_new(&(struct limits_options){.connections_per_address = options->connections_per_address,
                                            .new_connections_per_minute = options->new_connections_per_minute,
                                            .sessions_per_minute = options->sessions_per_minute,
                                            .names_per_hour = options->names_per_hour,
                                            .lookups_per_second = options->lookups_per_second,
                                            .idle_entries_max = IDLE_ADDRESSES_MAX});
    if (edge->limits == NULL || edge_add_metrics(edge, metrics) != 0) {
        edge_free(edge);
        return NULL;
    }
    return edge;
}

void edge_free(struct edge *edge)
{
    if (edge == NULL)
        return;
    loop_timer_disarm(&edge->tick);
    edge_broadcast_fini(edge);
    api_heat_fini(edge);
    page_fini(edge);
    limits_free(edge->limits);
    ws_recv_pool_fini(&edge->recv_pool);
    outbox_pool_fini(&edge->outbox_pool);
    free(edge->clients);
    free(edge->users);
    free(edge);
}

struct cluster_events edge_cluster_events(struct edge *edge)
{
    return (struct cluster_events){.on_verdict = edge_on_verdict,
                                   .on_config = edge_on_config,
                                   .on_status = edge_on_status,
                                   .on_erased = edge_on_erased,
                                   .arg = edge};
}

void edge_set_tls(struct edge *edge, SSL_CTX *tls)
{
    edge->options.tls = tls;
}

void edge_attach(struct edge *edge, const struct edge_parts *parts)
{
    edge->parts = *parts;
    loop_timer_arm_ms(&edge->tick, TICK_MS);
}

const char *edge_not_ready(const struct edge *edge)
{
    if (edge->draining)
        return "draining";
    const char *reason = cluster_not_ready(edge->parts.cluster);
    if (reason == NULL && !hub_ready(edge->parts.hub))
        reason = "no bus";
    return reason;
}

void edge_close(struct edge *edge)
{
    edge->on_drained = NULL;
    edge_stop_listening(edge);
    for (struct conn *conn = edge->conns, *next; conn != NULL; conn = next) {
        next = conn->next;
        if (conn->reason == CONN_REASON_COUNT)
            conn->reason = CONN_REASON_STOPPED;
        conn_free(conn);
    }
    loop_timer_disarm(&edge->tick);
    loop_timer_disarm(&edge->slice);
}
