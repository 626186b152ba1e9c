// Everything between the clients' sockets and the rest of the gateway: listeners, connections, HTTP, WebSockets, and
// what goes to all clients.
//
//   edge = edge_new(...)                    takes the options, reads nothing, opens nothing
//   cluster_new(..., events from edge_cluster_events(edge)), hub_new ...
//   edge_attach(edge, &parts)               from now on it may be asked
//   edge_listen(edge)                       opens the ports
//   edge_drain(edge)                        SIGTERM: clients are moved, then on_drained is called
//   edge_close(edge)                        every connection is gone, hub and cluster have forgotten them
//   free cluster, hub, store ..., then edge_free(edge)
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "common/core/addr.h"
#include "common/core/err.h"
#include "common/core/token.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "gateway/cluster.h"
#include "gateway/content.h"
#include "gateway/hub.h"
#include "gateway/static_files.h"
#include "gateway/store.h"

struct edge;

// What it points to must outlive the edge.
struct edge_options {
    const char *listen;       // host:port
    const char *proxy_listen; // host:port; empty = none
    const struct addr_list *proxy_networks;
    SSL_CTX *tls;        // NULL = plain
    bool tls_before;     // TLS ends in front of us, unless a PROXY header says otherwise
    bool https_redirect; // requests that did not come over TLS are sent to https
    uint16_t https_port; // of those redirects; 0 = the one that the client has asked
    uint32_t hsts_s;     // 0 = no Strict-Transport-Security
    const struct token_keys *keys;
    const struct static_files *files;
    const char *allowed_origins;
    int64_t message_rate;         // per second and client; 0 = no limit, below 0 = by the cooldown
    int64_t messages_per_address; // per second; 0 = no limit, below 0 = by the message rate
    uint32_t connections_per_address;
    uint32_t new_connections_per_minute; // of an address
    uint32_t sessions_per_minute;
    uint32_t names_per_hour;     // of one address; 0 = no limit
    uint32_t lookups_per_second; // of one address; 0 = no limit
    uint32_t session_life_s;
    uint64_t name_keep_ms;     // how long a name is kept before the next
    const char *public_origin; // scheme://host[:port]; empty = what the client asked for
    uint32_t max_connections;  // WebSockets
    uint32_t max_sockets;      // all
    uint32_t drain_spread_ms;
};

// All of them outlive the last edge_close.
struct edge_parts {
    struct store *store;
    struct hub *hub;
    struct cluster *cluster;
    struct content *content;
};

// NULL without memory or when the metrics do not fit.
struct edge *edge_new(struct loop *loop, struct metrics *metrics, const struct edge_options *options);
void edge_free(struct edge *edge);

struct cluster_events edge_cluster_events(struct edge *edge);
void edge_attach(struct edge *edge, const struct edge_parts *parts);

// 0; ERR_MALFORMED or ERR_IO (errno) with the address in *which.
MUST_CHECK int edge_listen(struct edge *edge, const char **which);
// The port it listens on; 0 before.
uint16_t edge_port(const struct edge *edge);
uint16_t edge_proxy_port(const struct edge *edge);

// The certificate for connections from now on, when there was one before. Those that are open keep theirs.
void edge_set_tls(struct edge *edge, SSL_CTX *tls);

// Why no traffic should come here; NULL when it may. Static storage.
const char *edge_not_ready(const struct edge *edge);

// Once. `on_drained` comes from the loop when the last connection is gone.
void edge_drain(struct edge *edge, void (*on_drained)(void *arg), void *arg);

// Ends all connections within the call.
void edge_close(struct edge *edge);
