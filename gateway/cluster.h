// The gateway's side of the cluster: the canvas' configuration, the view of the shards, links to them, and the way of
// each draw to its owner and back.
//
//   edge --cluster_draw--> route --FORWARD--> shard_link --> shard
//   edge <--on_verdict---- route <--VERDICTS, NOT_OWNER-- shard_link
//                            ^-- view <-- store, bus
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "common/core/err.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "gateway/cluster_client.h"
#include "gateway/store.h"
#include "proto/canvas_config.h"
#include "proto/ws_proto.h"

struct cluster;

struct cluster_options {
    const uint8_t *secret; // cluster secret; must outlive the cluster
    size_t secret_len;
    struct canvas_config flags; // to seed with
    unsigned flags_given;       // of these, what differs from the stored canvas is warned of: enum canvas_given
};

// What the edge is told. All from the loop; none may free the cluster.
struct cluster_events {
    // Exactly once per accepted cluster_draw, unless the client was forgotten.
    void (*on_verdict)(struct cluster_client *client, const struct ws_verdict *verdict, void *arg);
    // The configuration is known for the first time, or has a new version.
    void (*on_config)(const struct canvas_config *config, void *arg);
    // Online count or read-only changed.
    void (*on_status)(uint32_t online, bool read_only, void *arg);
    // Whoever is connected as this user has to go.
    void (*on_erased)(uint64_t user, void *arg);
    void *arg;
};

struct cluster *cluster_new(struct loop *loop, struct metrics *metrics, struct store *store,
                            const struct cluster_options *options, const struct cluster_events *events);
void cluster_free(struct cluster *cluster);

// From hub_on_cluster: a message of {cluster}:bus, or NULL: the bus was away, read both anew.
void cluster_on_bus(struct cluster *cluster, const struct bus_message *message);

// NULL before it is known.
const struct canvas_config *cluster_config(const struct cluster *cluster);
uint32_t cluster_online(const struct cluster *cluster);
// By configuration, or because Redis is nearly full or has another canvas.
bool cluster_read_only(const struct cluster *cluster);
// NULL when draws can be served, else why not: "no redis", "no canvas", "another canvas", "no shard". Static storage.
const char *cluster_not_ready(const struct cluster *cluster);
// Connections of this gateway, for the online beat.
void cluster_set_connections(struct cluster *cluster, uint32_t count);
uint64_t cluster_gateway_id(const struct cluster *cluster);

// A draw of a client whose message was well-formed. Color, bounds, read-only and too much waiting are answered at once
// (on_verdict may come before it returns). Draws of one client on one tile keep their order.
void cluster_draw(struct cluster *cluster, struct cluster_client *client, const struct ws_draw *draw, uint64_t user,
                  uint8_t kind, uint64_t connection, const struct addr *address);
// The client is gone; its draws go on, their verdicts are dropped.
void cluster_forget(struct cluster *cluster, struct cluster_client *client);
