// The graceful stop. From SIGTERM on:
//
//   0                 not ready; upgrades are refused; every client is told to move, each with its own delay
//   grace             the ports close: until then the balancer can see that the gateway is not ready. Idle connections
//                     end; those that have just come get 0.5 s for their request
//   grace + spread    the last client moves
//   + 1 s             who is still here is closed with 1001
//
// Without clients there is nobody to wait for, and the ports close at once.
#include "common/io/log.h"
#include "gateway/edge_internal.h"

#define GRACE_MAX_MS 2000u
#define LEAVE_MS 1000u
#define FIRST_REQUEST_MS 500u

static uint32_t drain_age_ms(const struct edge *edge)
{
    return (uint32_t)monotime_diff_ms(loop_now(edge->loop), edge->drain_began);
}

// A place in the array is a place in time, so that the reconnections come evenly.
static uint32_t delay_of(const struct edge *edge, const struct conn *conn)
{
    uint64_t spread = edge->options.drain_spread_ms;
    uint64_t at = edge->drain_grace_ms + (edge->places > 0 ? spread * conn->ws.index / edge->places : 0);
    uint32_t age = drain_age_ms(edge);
    return at > age ? (uint32_t)at - age : 0;
}

void edge_drain_tell(struct edge *edge, struct conn *conn)
{
    uint8_t message[WS_MOVE_LEN];
    if (edge->leaving || !conn->ws.welcomed)
        ws_conn_close(&conn->ws, WS_CLOSE_GOING_AWAY, "drained");
    else
        ws_conn_send(&conn->ws, message, ws_encode_move(message, delay_of(edge, conn)));
}

// `all`: also those that have not asked for anything yet, or have begun to.
static void close_idle(struct edge *edge, bool all)
{
    for (struct conn *conn = edge->conns; conn != NULL; conn = conn->next) {
        bool reads = conn->state == CONN_HTTP && http_conn_reads(conn);
        bool idle = reads && conn->requests > 0 && conn->http == NULL;
        if (idle || (all && (reads || conn->state == CONN_PROXY || conn->state == CONN_TLS)))
            conn_doom(conn, CONN_REASON_STOPPED);
    }
}

static void check_drained(struct edge *edge)
{
    if (!edge->draining || edge->conns != NULL || edge->listeners[0].fd >= 0 || edge->on_drained == NULL)
        return;
    void (*on_drained)(void *arg) = edge->on_drained;
    edge->on_drained = NULL;
    on_drained(edge->on_drained_arg);
}

void edge_conn_gone(struct edge *edge)
{
    check_drained(edge);
}

void edge_drain(struct edge *edge, void (*on_drained)(void *arg), void *arg)
{
    if (edge->draining)
        return;
    edge->draining = true;
    edge->drain_began = loop_now(edge->loop);
    edge->on_drained = on_drained;
    edge->on_drained_arg = arg;
    if (edge->stats.clients > 0) {
        uint32_t fifth = edge->options.drain_spread_ms / 5;
        edge->drain_grace_ms = fifth < GRACE_MAX_MS ? fifth : GRACE_MAX_MS;
        edge_round_begin(edge, &edge->drain_round);
    }
    log_info("draining", LOG_I64("clients", edge->stats.clients), LOG_U64("spread_ms", edge->options.drain_spread_ms));
    edge_drain_tick(edge);
}

void edge_drain_tick(struct edge *edge)
{
    if (!edge->draining)
        return;
    uint32_t age = drain_age_ms(edge);
    if (age >= edge->drain_grace_ms && edge->listeners[0].fd >= 0)
        edge_stop_listening(edge);
    if (age >= edge->drain_grace_ms)
        close_idle(edge, age >= edge->drain_grace_ms + FIRST_REQUEST_MS);
    if (!edge->leaving && age >= edge->drain_grace_ms + edge->options.drain_spread_ms + LEAVE_MS) {
        edge->leaving = true;
        edge_round_begin(edge, &edge->drain_round);
    }
    check_drained(edge);
}
