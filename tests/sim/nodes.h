// The processes of the simulation: shards and gateways, each the program's own code on the simulation's loop, sockets
// and Redis.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "gateway/hub.h"
#include "proto/canvas_config.h"
#include "tests/sim/net.h"

#define NODES_SHARDS_MAX 4u
#define NODES_GATEWAYS_MAX 3u

struct node_settings {
    struct canvas_config canvas;
    int64_t lease_ms;
    uint32_t linger_ms, tick_max_ms, slice_clients, ring_updates;
};

// `settings` must outlive the nodes.
void nodes_init(const struct node_settings *settings);

// ---- Shards: nodes_shard.c -----------------------------------------------------------------------------------------

void shard_node_start(uint32_t number);
// As SIGKILL does, or SIGTERM.
void shard_node_kill(uint32_t number);
void shard_node_leave(uint32_t number);
bool shard_node_lives(uint32_t number);
bool shard_node_leaving(uint32_t number);
bool shard_node_ready(uint32_t number);
struct sim_proc *shard_node_proc(uint32_t number);

// ---- Gateways: nodes_gateway.c -------------------------------------------------------------------------------------

void gateway_node_start(uint32_t number);
void gateway_node_kill(uint32_t number);
bool gateway_node_lives(uint32_t number);
// Draws and watches can be served.
bool gateway_node_ready(uint32_t number);
struct sim_proc *gateway_node_proc(uint32_t number);
struct hub *gateway_node_hub(uint32_t number);

struct edge_user {
    uint64_t user;
    uint8_t kind; // enum link_user_kind
    struct addr address;
};
// An upgrade that the gateway accepts: the client's end; NULL: it refuses.
struct net_end *gateway_node_accept(uint32_t number, struct sim_proc *client, const struct edge_user *user);

// What a gateway sends: WebSocket frames.
struct edge_frames {
    struct net_message head;
    size_t len;
    const uint8_t *bytes;
    struct shared_buf *buf; // that they lie in; NULL: behind the message
};
// What a client sends: one message.
struct edge_input {
    struct net_message head;
    size_t len;
    uint8_t bytes[];
};
struct edge_input *edge_input_new(const uint8_t *bytes, size_t len);
