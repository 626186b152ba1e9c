// The processes of the simulation: shards and gateways, each the program's own code on the simulation's loop, sockets
// and Redis. Of a gateway only HTTP and TLS are missing.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "gateway/hub.h"
#include "proto/canvas_config.h"
#include "tests/sim/mutant.h"
#include "tests/sim/net.h"

#define NODES_SHARDS_MAX 4u
#define NODES_GATEWAYS_MAX 3u

struct node_settings {
    struct canvas_config canvas;
    int64_t lease_ms;
    uint32_t linger_ms, tick_max_ms, slice_clients, ring_updates;
    uint32_t drain_spread_ms;
    int64_t message_rate; // as of struct edge_options
    enum mutant mutant;
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
// As SIGKILL does, or SIGTERM.
void gateway_node_kill(uint32_t number);
void gateway_node_drain(uint32_t number);
// It has been at that for so long; 0: it is not.
int64_t gateway_node_draining_us(uint32_t number);
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
// The client's end of a connection to a gateway; NULL: nobody listens there. It says one byte, whatever it is, hears
// one of these, and after GATEWAY_ACCEPTS all is WebSocket. `user` has to live as long as the connection does.
#define GATEWAY_ACCEPTS '+'
#define GATEWAY_REFUSES '-'
struct net_end *gateway_node_dial(uint32_t number, struct sim_proc *client, const struct edge_user *user);
