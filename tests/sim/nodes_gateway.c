#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cluster.h"
#include "gateway/edge.h"
#include "gateway/worker.h"
#include "tests/sim/nodes.h"
#include "tests/sim/sim_sock.h"

#define WORKER_JOBS_MAX 64u
#define DRAIN_LATE_US 5000000 // behind the spread

struct gateway_node {
    struct sim_proc proc;
    char name[16], address[32];
    bool lives;
    struct metrics *metrics;
    struct worker *worker;
    struct store *store;
    struct hub *hub;
    struct cluster *cluster;
    struct edge *edge;
    int64_t draining_since_us; // 0 = it is not
    sim_event stopping;
};

static struct {
    const struct node_settings *settings;
    struct gateway_node gateways[NODES_GATEWAYS_MAX];
} nodes;

void nodes_shard_init(const struct node_settings *settings);

void nodes_init(const struct node_settings *settings)
{
    memset(&nodes, 0, sizeof nodes);
    nodes.settings = settings;
    nodes_shard_init(settings);
}

// ---- The process ---------------------------------------------------------------------------------------------------

static void on_cluster(const struct bus_message *message, void *arg)
{
    struct gateway_node *node = arg;
    cluster_on_bus(node->cluster, message);
}

static struct edge *new_edge(struct gateway_node *node)
{
    const struct edge_options options = {
        .listen = node->address,
        .proxy_listen = "",
        .message_rate = nodes.settings->message_rate,
        .max_connections = 1000,
        .max_sockets = 1000,
        .drain_spread_ms = nodes.settings->drain_spread_ms,
    };
    return edge_new(sim_loop(&node->proc), NULL, &options);
}

void gateway_node_start(uint32_t number)
{
    static const uint8_t secret[32] = "tests/sim: a secret of 32 bytes";
    struct gateway_node *node = &nodes.gateways[number];
    const char *which;
    snprintf(node->name, sizeof node->name, "G%u", number);
    snprintf(node->address, sizeof node->address, "10.2.0.%u:8080", number);
    sim_proc_start(&node->proc, node->name);
    struct loop *loop = sim_loop(&node->proc);
    node->worker = worker_new(loop, WORKER_JOBS_MAX);
    node->store = store_new(loop, NULL, &(struct store_options){"10.3.0.0:6379", "", ""});
    const struct hub_options hub = {
        .redis_address = "10.3.0.0:6379",
        .redis_user = "",
        .redis_password = "",
        .replica_memory = (size_t)64 << 20,
        .linger_ms = nodes.settings->linger_ms,
        .tick_min_ms = 0,
        .tick_max_ms = nodes.settings->tick_max_ms,
        .slice_clients = nodes.settings->slice_clients,
        .ring_updates = nodes.settings->ring_updates,
    };
    node->edge = new_edge(node);
    node->hub = hub_new(loop, NULL, node->store, node->worker, &hub);
    const struct cluster_options options = {
        .secret = secret, .secret_len = sizeof secret, .flags = nodes.settings->canvas};
    const struct cluster_events events = edge_cluster_events(node->edge);
    node->cluster = cluster_new(loop, NULL, node->store, &options, &events);
    if (node->worker == NULL || node->store == NULL || node->hub == NULL || node->cluster == NULL || node->edge == NULL)
        abort();
    hub_on_cluster(node->hub, on_cluster, node);
    edge_attach(node->edge, &(struct edge_parts){node->store, node->hub, node->cluster, NULL});
    if (edge_listen(node->edge, &which) != 0)
        abort();
    node->lives = true;
    node->draining_since_us = 0;
    sim_trace("%s starts", node->name);
}

// In the order of gateway/main.c.
static void end(struct gateway_node *node)
{
    node->lives = false;
    node->proc.alive = false;
    node->draining_since_us = 0;
    sim_cancel(node->stopping);
    edge_close(node->edge);
    worker_free(node->worker);
    cluster_free(node->cluster);
    hub_free(node->hub);
    store_free(node->store);
    edge_free(node->edge);
    sim_proc_end(&node->proc);
}

void gateway_node_kill(uint32_t number)
{
    sim_trace("%s is killed", nodes.gateways[number].name);
    end(&nodes.gateways[number]);
}

static void stop(void *arg)
{
    struct gateway_node *node = arg;
    node->stopping = 0;
    sim_trace("%s stops", node->name);
    end(node);
}

static void on_drained(void *arg)
{
    struct gateway_node *node = arg;
    sim_cancel(node->stopping);
    node->stopping = sim_after(&node->proc, 0, stop, NULL, node);
}

static void drain(void *arg)
{
    struct gateway_node *node = arg;
    sim_trace("%s drains", node->name);
    if (nodes.settings->mutant == MUTANT_NO_DRAIN) {
        on_drained(node);
        return;
    }
    node->stopping =
        sim_after(&node->proc, (int64_t)nodes.settings->drain_spread_ms * 1000 + DRAIN_LATE_US, stop, NULL, node);
    edge_drain(node->edge, on_drained, node);
}

void gateway_node_drain(uint32_t number)
{
    struct gateway_node *node = &nodes.gateways[number];
    if (node->draining_since_us != 0)
        return;
    node->draining_since_us = sim_now_us();
    node->stopping = sim_after(&node->proc, 0, drain, NULL, node);
}

int64_t gateway_node_draining_us(uint32_t number)
{
    const struct gateway_node *node = &nodes.gateways[number];
    return node->lives && node->draining_since_us != 0 ? sim_now_us() - node->draining_since_us + 1 : 0;
}

bool gateway_node_lives(uint32_t number)
{
    return nodes.gateways[number].lives;
}

bool gateway_node_ready(uint32_t number)
{
    const struct gateway_node *node = &nodes.gateways[number];
    return node->lives && edge_not_ready(node->edge) == NULL;
}

struct sim_proc *gateway_node_proc(uint32_t number)
{
    return &nodes.gateways[number].proc;
}

struct hub *gateway_node_hub(uint32_t number)
{
    return nodes.gateways[number].hub;
}

struct net_end *gateway_node_dial(uint32_t number, struct sim_proc *client, const struct edge_user *user)
{
    const struct gateway_node *node = &nodes.gateways[number];
    return node->lives ? sim_dial(client, node->address, user) : NULL;
}
