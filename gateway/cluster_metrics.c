// What cluster tells of itself.
#include <stdio.h>

#include "gateway/cluster_internal.h"

static double read_online(void *arg)
{
    return ((const struct cluster *)arg)->online;
}

static double read_read_only(void *arg)
{
    return cluster_read_only(arg);
}

static double read_links_up(void *arg)
{
    return ((const struct cluster *)arg)->links_up;
}

static double read_view(void *arg)
{
    return (double)route_view(((const struct cluster *)arg)->route)->number;
}

static double read_config_version(void *arg)
{
    return ((const struct cluster *)arg)->config.version;
}

static double read_shards(void *arg)
{
    return route_view(((const struct cluster *)arg)->route)->count;
}

static int add_verdicts(struct cluster *cluster, struct metrics *metrics)
{
    struct metrics_row rows[VERDICT_COUNT];
    for (unsigned i = 0; i < VERDICT_COUNT; i++) {
        char *label = cluster->counts.labels[i];
        snprintf(label, sizeof cluster->counts.labels[i], "verdict=\"%s\"", verdict_name(i));
        rows[i] = (struct metrics_row){
            .name = "tessera_gateway_verdicts_total",
            .type = METRICS_COUNTER,
            .help = "Verdicts, those for clients that left not included.",
            .labels = label,
            .value = &cluster->counts.verdicts[i],
        };
    }
    return metrics_add(metrics, rows, VERDICT_COUNT);
}

static int add_route(const struct route_stats *stats, struct metrics *metrics)
{
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_draws_waiting",
         .type = METRICS_GAUGE,
         .help = "Draws that wait for their tile's owner.",
         .value = &stats->waiting},
        {.name = "tessera_gateway_draws_in_flight",
         .type = METRICS_GAUGE,
         .help = "Draws sent to shards and not answered.",
         .value = &stats->in_flight},
        {.name = "tessera_gateway_draws_forwarded_total",
         .type = METRICS_COUNTER,
         .help = "Draws sent to shards, repetitions included.",
         .value = &stats->forwarded},
        {.name = "tessera_gateway_draws_refused_total",
         .type = METRICS_COUNTER,
         .help = "Draws that came back because a shard did not own their tile.",
         .value = &stats->refused},
        {.name = "tessera_gateway_draws_lost_total",
         .type = METRICS_COUNTER,
         .help = "Draws to be sent again because a link broke.",
         .value = &stats->lost},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_own(struct cluster *cluster, struct metrics *metrics)
{
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_draws_total",
         .type = METRICS_COUNTER,
         .help = "Draws received from clients.",
         .value = &cluster->counts.draws},
        {.name = "tessera_gateway_forwards_total",
         .type = METRICS_COUNTER,
         .help = "Messages with draws sent to shards.",
         .value = &cluster->counts.forwards},
        {.name = "tessera_gateway_draw_seconds",
         .type = METRICS_HIST,
         .help = "Time from a draw to its verdict.",
         .value = &cluster->counts.latency_us,
         .scale = 1e-6},
        {.name = "tessera_gateway_view_reads_total",
         .type = METRICS_COUNTER,
         .help = "Times the membership was read.",
         .value = &cluster->counts.view_reads},
        {.name = "tessera_gateway_view",
         .type = METRICS_GAUGE,
         .help = "Number of the membership's view.",
         .read = read_view,
         .arg = cluster},
        {.name = "tessera_gateway_config_version",
         .type = METRICS_GAUGE,
         .help = "Version of the settings that it goes by.",
         .read = read_config_version,
         .arg = cluster},
        {.name = "tessera_gateway_shards",
         .type = METRICS_GAUGE,
         .help = "Shards in the view.",
         .read = read_shards,
         .arg = cluster},
        {.name = "tessera_gateway_shard_links_up",
         .type = METRICS_GAUGE,
         .help = "Links to shards that are up.",
         .read = read_links_up,
         .arg = cluster},
        {.name = "tessera_gateway_online",
         .type = METRICS_GAUGE,
         .help = "Connections of all gateways.",
         .read = read_online,
         .arg = cluster},
        {.name = "tessera_gateway_read_only",
         .type = METRICS_GAUGE,
         .help = "Whether draws are refused, by configuration or because Redis is nearly full or has another canvas.",
         .read = read_read_only,
         .arg = cluster},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

int cluster_add_metrics(struct cluster *cluster, struct metrics *metrics)
{
    int err = add_own(cluster, metrics);
    if (err == 0)
        err = add_route(route_stats(cluster->route), metrics);
    if (err == 0)
        err = add_verdicts(cluster, metrics);
    return err;
}
