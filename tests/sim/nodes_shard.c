#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/shard.h"
#include "tests/sim/nodes.h"

struct shard_node {
    struct sim_proc proc;
    char name[16], address[32];
    bool lives, leaving;
    struct shard shard;
    sim_event stopping; // or leaving
};

static struct {
    const struct node_settings *settings;
    struct shard_node shards[NODES_SHARDS_MAX];
} nodes;

static const uint8_t secret[32] = "tests/sim: a secret of 32 bytes";

void nodes_shard_init(const struct node_settings *settings);

void nodes_shard_init(const struct node_settings *settings)
{
    memset(&nodes, 0, sizeof nodes);
    nodes.settings = settings;
}

static void end(struct shard_node *node)
{
    node->lives = false;
    sim_cancel(node->stopping);
    node->stopping = 0;
    node->proc.alive = false; // what it would still say is not heard
    shard_fini(&node->shard);
    sim_proc_end(&node->proc);
}

static void stop(void *arg)
{
    struct shard_node *node = arg;
    node->stopping = 0;
    sim_trace("%s stops", node->name);
    // A program that returns lets its sockets say what they have.
    node->lives = false;
    shard_fini(&node->shard);
    sim_proc_end(&node->proc);
}

static void on_stopped(void *arg)
{
    struct shard_node *node = arg;
    node->stopping = sim_after(&node->proc, 0, stop, NULL, node);
}

void shard_node_start(uint32_t number)
{
    struct shard_node *node = &nodes.shards[number];
    snprintf(node->name, sizeof node->name, "S%u", number);
    snprintf(node->address, sizeof node->address, "10.1.0.%u:7000", number);
    sim_proc_start(&node->proc, node->name);
    const struct shard_options options = {
        .listen = node->address,
        .advertise = "",
        .redis = "10.3.0.0:6379",
        .redis_user = "",
        .redis_password = "",
        .secret = secret,
        .secret_len = sizeof secret,
        .lease_ms = nodes.settings->lease_ms,
        .canvas = &nodes.settings->canvas,
    };
    if (shard_init(&node->shard, sim_loop(&node->proc), &options, on_stopped, node) != 0)
        abort();
    node->lives = true;
    node->leaving = false;
    sim_trace("%s starts, incarnation %016llx", node->name, (unsigned long long)node->shard.incarnation);
}

void shard_node_kill(uint32_t number)
{
    sim_trace("%s is killed", nodes.shards[number].name);
    end(&nodes.shards[number]);
}

static void leave(void *arg)
{
    struct shard_node *node = arg;
    node->stopping = 0;
    sim_trace("%s leaves", node->name);
    shard_leave(&node->shard);
}

void shard_node_leave(uint32_t number)
{
    struct shard_node *node = &nodes.shards[number];
    bool at_once = nodes.settings->mutant == MUTANT_NO_HANDOVER;
    if (!node->leaving)
        node->stopping = sim_after(&node->proc, 0, at_once ? stop : leave, NULL, node);
    node->leaving = true;
}

bool shard_node_lives(uint32_t number)
{
    return nodes.shards[number].lives;
}

bool shard_node_leaving(uint32_t number)
{
    return nodes.shards[number].lives && nodes.shards[number].leaving;
}

bool shard_node_ready(uint32_t number)
{
    return nodes.shards[number].lives && shard_is_ready(&nodes.shards[number].shard);
}

struct sim_proc *shard_node_proc(uint32_t number)
{
    return &nodes.shards[number].proc;
}
