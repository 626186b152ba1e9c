// What a shard tells of itself.

#include <stdio.h>

#include "proto/verdict.h"
#include "shard/shard.h"

#define MICROSECONDS 1e-6
#define LABEL_SIZE 32u

static double waiting(void *arg)
{
    const struct shard *shard = arg;
    return (double)place_stats(shard->place)->waiting;
}

static double owned(void *arg)
{
    const struct shard *shard = arg;
    return (double)place_stats(shard->place)->owned;
}

static double windows(void *arg)
{
    const struct shard *shard = arg;
    return (double)place_stats(shard->place)->windows;
}

static double view(void *arg)
{
    const struct shard *shard = arg;
    return (double)place_view(shard->place);
}

static double config_version(void *arg)
{
    const struct shard *shard = arg;
    return membership_config_version(shard->membership);
}

// Labels live as long as the process.
static const char *verdict_label(unsigned code)
{
    static char labels[VERDICT_COUNT][LABEL_SIZE];
    snprintf(labels[code], sizeof labels[code], "verdict=\"%s\"", verdict_name(code));
    return labels[code];
}

static int add_verdicts(struct shard *shard, struct metrics *metrics)
{
    struct metrics_row rows[VERDICT_COUNT];
    const struct place_stats *stats = place_stats(shard->place);
    for (unsigned code = 0; code < VERDICT_COUNT; code++) {
        rows[code] = (struct metrics_row){
            .name = "tessera_shard_verdicts_total",
            .type = METRICS_COUNTER,
            .help = "Draws answered, by verdict.",
            .labels = verdict_label(code),
            .value = &stats->verdicts[code],
        };
    }
    return metrics_add(metrics, rows, VERDICT_COUNT);
}

#define COUNTER(name_, help_, value_)                                                                                  \
    {                                                                                                                  \
        .name = (name_), .type = METRICS_COUNTER, .help = (help_), .value = (value_)                                   \
    }
#define READ_GAUGE(name_, help_, read_)                                                                                \
    {                                                                                                                  \
        .name = (name_), .type = METRICS_GAUGE, .help = (help_), .read = (read_), .arg = shard                         \
    }
#define HISTOGRAM(name_, help_, value_, scale_)                                                                        \
    {                                                                                                                  \
        .name = (name_), .type = METRICS_HIST, .help = (help_), .value = (value_), .scale = (scale_)                   \
    }

static int add_place(struct shard *shard, struct metrics *metrics)
{
    const struct place_stats *stats = place_stats(shard->place);
    const struct metrics_row rows[] = {
        COUNTER("tessera_shard_not_owner_total", "Draws answered NOT_OWNER.", &stats->not_owner),
        COUNTER("tessera_shard_batches_total", "Batches sent to Redis.", &stats->batches),
        HISTOGRAM("tessera_shard_batch_draws", "Draws in a batch.", &stats->batch_draws, 1),
        COUNTER("tessera_shard_batches_unknown_total", "Batches whose outcome was lost.", &stats->unknown),
        COUNTER("tessera_shard_takes_total", "Takings of tiles asked for.", &stats->takes),
        COUNTER("tessera_shard_takes_refused_total", "Takings refused for a newer view.", &stats->takes_refused),
        COUNTER("tessera_shard_fenced_total", "Tiles of batches that met the fence.", &stats->fenced),
        COUNTER("tessera_shard_rewound_total", "Tiles whose stored seq was not ours.", &stats->rewound),
        COUNTER("tessera_shard_position_beats_total", "Position beats sent.", &stats->beats),
        READ_GAUGE("tessera_shard_waiting_draws", "Draws that wait for their answer.", waiting),
        READ_GAUGE("tessera_shard_owned_tiles", "Tiles owned now.", owned),
        READ_GAUGE("tessera_shard_windows", "Connections remembered for their repetitions.", windows),
        READ_GAUGE("tessera_shard_view", "Number of the view.", view),
        READ_GAUGE("tessera_shard_config_version", "Version of the settings that it goes by.", config_version),
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_redis(struct shard *shard, struct metrics *metrics)
{
    struct store *store = membership_store(shard->membership);
    const struct redis_conn_stats *redis = store_stats(store);
    const struct membership_stats *membership = membership_stats(shard->membership);
    const struct metrics_row rows[] = {
        HISTOGRAM("tessera_shard_place_seconds", "Time of one place script, from send to answer.",
                  store_place_latency(store), MICROSECONDS),
        COUNTER("tessera_shard_redis_connects_total", "Connections to Redis that came up.", &redis->connects),
        COUNTER("tessera_shard_redis_failures_total", "Connections to Redis that broke or never came up.",
                &redis->failures),
        HISTOGRAM("tessera_shard_redis_seconds", "Time from a command to its reply.", &redis->latency_us, MICROSECONDS),
        COUNTER("tessera_shard_redis_commands_total", "Commands sent to Redis.", &redis->commands),
        COUNTER("tessera_shard_redis_errors_total", "Errors that Redis answered.", &redis->errors),
        COUNTER("tessera_shard_redis_unknown_total", "Commands whose outcome was lost.", &redis->unknown),
        COUNTER("tessera_shard_redis_timeouts_total", "Connections broken because Redis did not answer in time.",
                &redis->timeouts),
        COUNTER("tessera_shard_joins_total", "Times it joined the view.", &membership->joins),
        COUNTER("tessera_shard_evictions_total", "Times it found itself evicted.", &membership->evictions),
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

static int add_links(struct shard *shard, struct metrics *metrics)
{
    const struct link_server_stats *stats = link_server_stats(shard->links);
    const struct metrics_row rows[] = {
        {.name = "tessera_shard_links", .type = METRICS_GAUGE, .help = "Links to gateways.", .value = &stats->links},
        COUNTER("tessera_shard_links_accepted_total", "Links whose challenge was right.", &stats->accepted),
        COUNTER("tessera_shard_links_refused_total", "Links refused: too many, or a wrong challenge.", &stats->refused),
        COUNTER("tessera_shard_links_malformed_total", "Links closed for breaking the protocol.", &stats->malformed),
        HISTOGRAM("tessera_shard_loop_lag_seconds", "How late the event loop was.", loop_lag(shard->loop),
                  MICROSECONDS),
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

int shard_add_metrics(struct shard *shard, struct metrics *metrics)
{
    int err = add_verdicts(shard, metrics);
    if (err == 0)
        err = add_place(shard, metrics);
    if (err == 0)
        err = add_redis(shard, metrics);
    if (err == 0)
        err = add_links(shard, metrics);
    return err;
}
