#include "gateway/hub_metrics.h"

static double held_tiles(void *arg)
{
    const struct tiles *tiles = arg;
    return tiles->count;
}

static double replica_bytes(void *arg)
{
    return (double)tiles_bytes(arg);
}

static double audiences(void *arg)
{
    const struct interest *interest = arg;
    return interest->count;
}

static double watchers(void *arg)
{
    const struct interest *interest = arg;
    return interest->members;
}

static int add_tiles(struct metrics *metrics, struct tiles *tiles)
{
    struct tiles_stats *stats = &tiles->stats;
    const struct metrics_row rows[] = {
        {.name = "tessera_tiles_held",
         .type = METRICS_GAUGE,
         .help = "Tiles that are held as replicas.",
         .read = held_tiles,
         .arg = tiles},
        {.name = "tessera_replica_bytes",
         .type = METRICS_GAUGE,
         .help = "Memory of replicas, recent updates, kept frames and watches.",
         .read = replica_bytes,
         .arg = tiles},
        {.name = "tessera_updates_total",
         .type = METRICS_COUNTER,
         .help = "Placements applied to replicas.",
         .value = &stats->updates},
        {.name = "tessera_updates_ignored_total",
         .type = METRICS_COUNTER,
         .help = "Bus messages that said nothing new.",
         .value = &stats->ignored},
        {.name = "tessera_epoch_changes_total",
         .type = METRICS_COUNTER,
         .help = "Times that a replica went on into another epoch without a gap.",
         .value = &stats->epochs},
        {.name = "tessera_gaps_total",
         .type = METRICS_COUNTER,
         .help = "Times that a replica was found behind.",
         .value = &stats->gaps},
        {.name = "tessera_repairs_total",
         .type = METRICS_COUNTER,
         .help = "Replicas healed from the log.",
         .value = &stats->repairs},
        {.name = "tessera_polls_total",
         .type = METRICS_COUNTER,
         .help = "Positions asked of quiet tiles.",
         .value = &stats->polls},
        {.name = "tessera_pending_overflows_total",
         .type = METRICS_COUNTER,
         .help = "Updates dropped while a tile was read, and read again.",
         .value = &stats->overflows},
        {.name = "tessera_tile_read_failures_total",
         .type = METRICS_COUNTER,
         .help = "Reads of a tile that failed and are repeated.",
         .value = &stats->failures},
        {.name = "tessera_heal_seconds",
         .type = METRICS_HIST,
         .help = "From finding a replica behind or wrong to its being right.",
         .value = &stats->heal_us,
         .scale = 1e-6},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_resyncs(struct metrics *metrics, const struct tiles_stats *stats)
{
    static const char *const labels[RESYNC_REASONS] = {
        [RESYNC_TOO_FAR] = "reason=\"too_far\"",   [RESYNC_TRIMMED] = "reason=\"trimmed\"",
        [RESYNC_EPOCH] = "reason=\"epoch\"",       [RESYNC_REWOUND] = "reason=\"rewound\"",
        [RESYNC_CHECKSUM] = "reason=\"checksum\"", [RESYNC_MALFORMED] = "reason=\"malformed\"",
        [RESYNC_STUCK] = "reason=\"stuck\"",
    };
    struct metrics_row rows[RESYNC_REASONS];
    for (unsigned i = 0; i < RESYNC_REASONS; i++) {
        rows[i] = (struct metrics_row){
            .name = "tessera_resyncs_total",
            .type = METRICS_COUNTER,
            .help = "Replicas started over from a snapshot. The reason checksum is a mismatch of pixels.",
            .labels = labels[i],
            .value = &stats->resyncs[i],
        };
    }
    return metrics_add(metrics, rows, RESYNC_REASONS);
}

static int add_fanout(struct metrics *metrics, const struct fanout_stats *stats)
{
    const struct metrics_row rows[] = {
        {.name = "tessera_fanout_rounds_total",
         .type = METRICS_COUNTER,
         .help = "Rounds of the fan-out, each over one lane of clients.",
         .value = &stats->rounds},
        {.name = "tessera_fanout_round_seconds",
         .type = METRICS_HIST,
         .help = "From the beginning of a round to its end.",
         .value = &stats->round_us,
         .scale = 1e-6},
        {.name = "tessera_fanout_delay_seconds",
         .type = METRICS_HIST,
         .help = "From the arrival of a round's oldest update to the end of the round.",
         .value = &stats->delay_us,
         .scale = 1e-6},
        {.name = "tessera_fanout_tick_seconds",
         .type = METRICS_GAUGE,
         .help = "Least time between two rounds of a lane, by the cost of the last round of each.",
         .value = &stats->tick_us,
         .scale = 1e-6},
        {.name = "tessera_fanout_writes_total",
         .type = METRICS_COUNTER,
         .help = "Writes to clients.",
         .value = &stats->writes},
        {.name = "tessera_fanout_frames_total",
         .type = METRICS_COUNTER,
         .help = "Steps of a tile delivered to a client.",
         .value = &stats->frames},
        {.name = "tessera_fanout_bytes_total",
         .type = METRICS_COUNTER,
         .help = "Bytes of those writes.",
         .value = &stats->bytes},
        {.name = "tessera_fanout_snapshots_total",
         .type = METRICS_COUNTER,
         .help = "Snapshots handed out, by rounds and to lagging clients.",
         .value = &stats->snapshots},
        {.name = "tessera_fanout_full_sockets_total",
         .type = METRICS_COUNTER,
         .help = "Times that a client fell behind because its socket was full.",
         .value = &stats->full_sockets},
        {.name = "tessera_clients_lagging",
         .type = METRICS_GAUGE,
         .help = "Clients with positions of their own.",
         .value = &stats->lagging},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_rest(struct metrics *metrics, const struct hub_metrics_parts *parts)
{
    const struct metrics_row rows[] = {
        {.name = "tessera_audiences",
         .type = METRICS_GAUGE,
         .help = "Different sets of watched tiles, counted in each lane.",
         .read = audiences,
         .arg = parts->interest},
        {.name = "tessera_clients_watching",
         .type = METRICS_GAUGE,
         .help = "Clients that have said what they watch.",
         .read = watchers,
         .arg = parts->interest},
        {.name = "tessera_snapshots_compressed_total",
         .type = METRICS_COUNTER,
         .help = "Snapshots made by the worker.",
         .value = &parts->snaps->made},
        {.name = "tessera_snapshots_refused_total",
         .type = METRICS_COUNTER,
         .help = "Snapshots put off because the worker was busy.",
         .value = &parts->snaps->refused},
        {.name = "tessera_bus_connects_total",
         .type = METRICS_COUNTER,
         .help = "Times that the bus was connected.",
         .value = &parts->bus->connects},
        {.name = "tessera_bus_messages_total",
         .type = METRICS_COUNTER,
         .help = "Messages of tiles on the bus.",
         .value = &parts->bus->messages},
        {.name = "tessera_bus_unknown_total",
         .type = METRICS_COUNTER,
         .help = "Messages on the bus of a kind that only a later version knows.",
         .value = &parts->bus->unknown},
        {.name = "tessera_bus_malformed_total",
         .type = METRICS_COUNTER,
         .help = "Messages on the bus that were not understood.",
         .value = &parts->bus->malformed},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

int hub_metrics_add(struct metrics *metrics, const struct hub_metrics_parts *parts)
{
    int err = add_tiles(metrics, parts->tiles);
    if (err == 0)
        err = add_resyncs(metrics, &parts->tiles->stats);
    if (err == 0)
        err = add_fanout(metrics, &parts->fanout->stats);
    if (err == 0)
        err = add_rest(metrics, parts);
    return err;
}
