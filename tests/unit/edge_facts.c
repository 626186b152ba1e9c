#include "tests/unit/edge_facts.h"

#include <stddef.h>

#include "gateway/cluster.h"
#include "gateway/hub.h"

struct edge_facts edge_facts;

// ---- Hub ------------------------------------------------------------------------------------------------------------

void hub_verify(struct hub *hub)
{
    (void)hub;
}

void hub_configure(struct hub *hub, const struct canvas_config *config)
{
    (void)hub;
    (void)config;
}

bool hub_ready(const struct hub *hub)
{
    (void)hub;
    return true;
}

bool hub_holds(const struct hub *hub, struct tile tile)
{
    (void)hub;
    return tile.tx == 0;
}

// ---- Cluster --------------------------------------------------------------------------------------------------------

const struct canvas_config *cluster_config(const struct cluster *cluster)
{
    (void)cluster;
    return edge_facts.config_known ? &edge_facts.config : NULL;
}

uint32_t cluster_online(const struct cluster *cluster)
{
    (void)cluster;
    return edge_facts.online;
}

bool cluster_read_only(const struct cluster *cluster)
{
    (void)cluster;
    return edge_facts.read_only;
}

const char *cluster_not_ready(const struct cluster *cluster)
{
    (void)cluster;
    return edge_facts.config_known ? NULL : "no canvas";
}

void cluster_set_connections(struct cluster *cluster, uint32_t count)
{
    (void)cluster;
    edge_facts.connections = count;
}
