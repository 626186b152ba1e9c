// What the edge counts, as metrics. deploy/METRICS.md lists them.

#include <stdio.h>

#include "gateway/edge_internal.h"

static int add_client_metrics(struct edge *edge, struct metrics *metrics)
{
    struct edge_stats *stats = &edge->stats;
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_sockets",
         .type = METRICS_GAUGE,
         .help = "Open connections of clients.",
         .value = &stats->sockets},
        {.name = "tessera_gateway_clients",
         .type = METRICS_GAUGE,
         .help = "Open WebSockets.",
         .value = &stats->clients},
        {.name = "tessera_gateway_sockets_max",
         .type = METRICS_GAUGE,
         .help = "Connections that there may be.",
         .value = &edge->sockets_max},
        {.name = "tessera_gateway_clients_max",
         .type = METRICS_GAUGE,
         .help = "WebSockets that there may be.",
         .value = &edge->clients_max},
        {.name = "tessera_gateway_accepted_total",
         .type = METRICS_COUNTER,
         .help = "Connections accepted.",
         .value = &stats->accepted},
        {.name = "tessera_gateway_upgrades_total",
         .type = METRICS_COUNTER,
         .help = "WebSockets opened.",
         .value = &stats->upgrades},
        {.name = "tessera_gateway_messages_total",
         .type = METRICS_COUNTER,
         .help = "Messages, pings and pongs of clients.",
         .value = &stats->messages},
        {.name = "tessera_gateway_pauses_total",
         .type = METRICS_COUNTER,
         .help = "Times that a client was over its message rate.",
         .value = &stats->pauses},
        {.name = "tessera_gateway_watch_waits_total",
         .type = METRICS_COUNTER,
         .help = "Times that a client had to wait for tiles, as its address had asked for too many.",
         .value = &stats->turns},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_http_metrics(struct edge *edge, struct metrics *metrics)
{
    struct edge_stats *stats = &edge->stats;
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_http_requests_total",
         .type = METRICS_COUNTER,
         .help = "HTTP requests answered.",
         .value = &stats->requests},
        {.name = "tessera_gateway_http_responses_total",
         .type = METRICS_COUNTER,
         .help = "HTTP answers by class of status; upgrades are not among them.",
         .labels = "code=\"2xx\"",
         .value = &stats->responses[0]},
        {.name = "tessera_gateway_http_responses_total",
         .type = METRICS_COUNTER,
         .help = "HTTP answers by class of status; upgrades are not among them.",
         .labels = "code=\"3xx\"",
         .value = &stats->responses[1]},
        {.name = "tessera_gateway_http_responses_total",
         .type = METRICS_COUNTER,
         .help = "HTTP answers by class of status; upgrades are not among them.",
         .labels = "code=\"4xx\"",
         .value = &stats->responses[2]},
        {.name = "tessera_gateway_http_responses_total",
         .type = METRICS_COUNTER,
         .help = "HTTP answers by class of status; upgrades are not among them.",
         .labels = "code=\"5xx\"",
         .value = &stats->responses[3]},
        {.name = "tessera_gateway_http_request_seconds",
         .type = METRICS_HIST,
         .help = "From a whole HTTP request to its answer being ready.",
         .value = &stats->request_us,
         .scale = 1e-6},
        {.name = "tessera_gateway_http_sent_bytes_total",
         .type = METRICS_COUNTER,
         .help = "Bytes of HTTP answers sent.",
         .value = &stats->http_bytes},
        {.name = "tessera_gateway_http_body_bytes",
         .type = METRICS_GAUGE,
         .help = "Bytes of HTTP bodies that clients are taking, each body once.",
         .value = &stats->body_bytes},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_tls_metrics(struct edge *edge, struct metrics *metrics)
{
    struct edge_stats *stats = &edge->stats;
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_handshakes_pending",
         .type = METRICS_GAUGE,
         .help = "Connections whose TLS handshake is not over.",
         .value = &stats->handshakes},
        {.name = "tessera_gateway_tls_handshakes_total",
         .type = METRICS_COUNTER,
         .help = "TLS handshakes that succeeded.",
         .labels = "kind=\"full\"",
         .value = &stats->handshakes_full},
        {.name = "tessera_gateway_tls_handshakes_total",
         .type = METRICS_COUNTER,
         .help = "TLS handshakes that succeeded.",
         .labels = "kind=\"resumed\"",
         .value = &stats->handshakes_resumed},
        {.name = "tessera_gateway_tls_handshake_failures_total",
         .type = METRICS_COUNTER,
         .help = "TLS handshakes that were broken off for an error.",
         .value = &stats->disconnects[CONN_REASON_TLS_FAILED]},
        {.name = "tessera_gateway_tls_handshake_seconds",
         .type = METRICS_HIST,
         .help = "From the beginning of a TLS handshake that succeeded to its end.",
         .value = &stats->handshake_us,
         .scale = 1e-6},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_api_metrics(struct edge *edge, struct metrics *metrics)
{
    struct edge_stats *stats = &edge->stats;
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_sessions_total",
         .type = METRICS_COUNTER,
         .help = "Sessions asked for.",
         .labels = "result=\"issued\"",
         .value = &stats->sessions_issued},
        {.name = "tessera_gateway_sessions_total",
         .type = METRICS_COUNTER,
         .help = "Sessions asked for.",
         .labels = "result=\"renewed\"",
         .value = &stats->sessions_renewed},
        {.name = "tessera_gateway_sessions_total",
         .type = METRICS_COUNTER,
         .help = "Sessions asked for.",
         .labels = "result=\"refused\"",
         .value = &stats->sessions_refused},
        {.name = "tessera_gateway_lookups_total",
         .type = METRICS_COUNTER,
         .help = "Questions about pixels, tiles, regions, heat and users.",
         .labels = "result=\"asked\"",
         .value = &stats->lookups},
        {.name = "tessera_gateway_lookups_total",
         .type = METRICS_COUNTER,
         .help = "Questions about pixels, tiles, regions, heat and users.",
         .labels = "result=\"refused\"",
         .value = &stats->lookups_refused},
        {.name = "tessera_gateway_lookups_waiting",
         .type = METRICS_GAUGE,
         .help = "Questions about pixels and users that Redis has not answered.",
         .value = &stats->lookups_waiting},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_disconnect_metrics(struct edge *edge, struct metrics *metrics)
{
    int err = 0;
    for (int reason = 0; err == 0 && reason < CONN_REASON_COUNT; reason++) {
        char *label = edge->reason_labels[reason];
        snprintf(label, sizeof edge->reason_labels[0], "reason=\"%s\"", conn_reason_text((enum conn_reason)reason));
        const struct metrics_row row = {.name = "tessera_gateway_disconnects_total",
                                        .type = METRICS_COUNTER,
                                        .help = "Connections ended, by reason.",
                                        .labels = label,
                                        .value = &edge->stats.disconnects[reason]};
        err = metrics_add(metrics, &row, 1);
    }
    return err;
}

int edge_add_metrics(struct edge *edge, struct metrics *metrics)
{
    static int (*const parts[])(struct edge *, struct metrics *) = {
        add_client_metrics, add_http_metrics, add_tls_metrics, add_api_metrics, add_disconnect_metrics};
    int err = 0;
    for (size_t i = 0; err == 0 && i < sizeof parts / sizeof parts[0]; i++)
        err = parts[i](edge, metrics);
    return err;
}
