// What cluster knows from Redis and the bus: configuration, view, who is online.
#include "common/io/log.h"
#include "gateway/cluster_internal.h"

#define BEAT_MS 2000
#define READ_RETRY_MS 500

// ---- Reading configuration and view --------------------------------------------------------------------------------

void cluster_on_retry(void *arg)
{
    struct cluster *cluster = arg;
    cluster_retry_links(cluster);
    if (!store_ready(cluster->store))
        return; // everything is read when it comes back
    if (cluster->config_wanted)
        cluster_read_config(cluster);
    if (cluster->view_wanted || route_wants_view(cluster->route))
        cluster_read_view(cluster);
}

void cluster_retry_later(struct cluster *cluster)
{
    if (!loop_timer_armed(&cluster->retry))
        loop_timer_arm_ms(&cluster->retry, READ_RETRY_MS);
}

static void tell_status(struct cluster *cluster)
{
    bool read_only = cluster_read_only(cluster);
    if (cluster->online == cluster->told_online && read_only == cluster->told_read_only)
        return;
    if (read_only != cluster->told_read_only)
        log_warn(read_only ? "read-only from now on" : "draws are taken again",
                 LOG_BOOL("by_configuration", cluster->config.read_only), LOG_BOOL("redis_full", cluster->pressure));
    cluster->told_online = cluster->online;
    cluster->told_read_only = read_only;
    cluster->events.on_status(cluster->online, read_only, cluster->events.arg);
}

// All that is held here is as long as the tiles were: a Redis that was emptied and given another canvas under our feet
// is for another process.
static bool is_another_canvas(struct cluster *cluster, const struct canvas_config *config)
{
    bool is_another = cluster->config.version != 0 && config->geom.edge != cluster->config.geom.edge;
    if (is_another && !cluster->another_canvas)
        log_error("the canvas in redis has another tile edge now: this gateway serves nobody until it is started anew",
                  LOG_U64("edge", config->geom.edge), LOG_U64("was", cluster->config.geom.edge));
    cluster->another_canvas = is_another;
    return is_another;
}

static void take_config(struct cluster *cluster, const struct canvas_config *config)
{
    bool first = cluster->config.version == 0;
    if (is_another_canvas(cluster, config) || config->version == cluster->config.version) {
        tell_status(cluster);
        return;
    }
    cluster->config = *config;
    char how[512];
    if (first && canvas_config_differs(config, &cluster->flags, cluster->flags_given, how, sizeof how))
        log_warn("the stored canvas counts, not these options", LOG_STR("differs", how));
    log_info("canvas", LOG_U64("version", config->version), LOG_U64("width", config->geom.width),
             LOG_U64("height", config->geom.height), LOG_U64("cooldown_ms", config->cooldown_ms));
    cluster->events.on_config(&cluster->config, cluster->events.arg);
    tell_status(cluster);
}

static void on_config(int err, const struct canvas_config *config, void *arg)
{
    struct cluster *cluster = arg;
    cluster->reading_config = false;
    if (err == 0)
        take_config(cluster, config);
    else
        cluster_retry_later(cluster);
    if (err == 0 && cluster->config_wanted)
        cluster_read_config(cluster);
    cluster->config_wanted |= err != 0;
}

void cluster_read_config(struct cluster *cluster)
{
    cluster->config_wanted = cluster->reading_config;
    if (cluster->reading_config)
        return; // what is under way may be older than the reason to ask
    cluster->reading_config = true;
    store_seed(cluster->store, &cluster->flags, on_config, cluster);
}

static void on_view(int err, const struct member_view *view, void *arg)
{
    struct cluster *cluster = arg;
    cluster->reading_view = false;
    cluster->counts.view_reads++;
    if (err != 0) {
        cluster->view_wanted = true;
        cluster_retry_later(cluster);
        return;
    }
    if (view->number != route_view(cluster->route)->number)
        log_info("view", LOG_U64("number", view->number), LOG_U64("shards", view->count));
    route_set_view(cluster->route, view, loop_now(cluster->loop));
    cluster_pump(cluster);
    if (cluster->view_wanted)
        cluster_read_view(cluster);
}

void cluster_read_view(struct cluster *cluster)
{
    cluster->view_wanted = cluster->reading_view;
    if (cluster->reading_view || !store_ready(cluster->store))
        return;
    cluster->reading_view = true;
    store_view(cluster->store, on_view, cluster);
}

// ---- The beat ------------------------------------------------------------------------------------------------------

static void on_online(int err, const struct store_online *online, void *arg)
{
    struct cluster *cluster = arg;
    cluster->beating = false;
    if (err == ERR_FULL) {
        cluster->pressure = true;
        tell_status(cluster);
    }
    if (err != 0)
        return; // the next beat is soon
    cluster->online = online->online;
    cluster->pressure = online->pressure;
    route_hint_view(cluster->route, online->view);
    if (online->config_version != cluster->config.version)
        cluster_read_config(cluster);
    tell_status(cluster);
    cluster_pump(cluster);
}

void cluster_on_beat(void *arg)
{
    struct cluster *cluster = arg;
    loop_timer_arm_ms(&cluster->beat, BEAT_MS);
    if (cluster->beating || !store_ready(cluster->store))
        return;
    cluster->beating = true;
    store_online_beat(cluster->store, cluster->id, cluster->connections, on_online, cluster);
}

void cluster_on_store(bool ready, void *arg)
{
    struct cluster *cluster = arg;
    if (!ready)
        return;
    cluster_read_config(cluster);
    cluster_read_view(cluster);
    cluster_on_beat(cluster);
}

void cluster_on_bus(struct cluster *cluster, const struct bus_message *message)
{
    if (message == NULL || (message->type == BUS_CONFIG && message->version != cluster->config.version))
        cluster_read_config(cluster);
    if (message == NULL)
        cluster_read_view(cluster);
    if (message != NULL && message->type == BUS_VIEW) {
        route_hint_view(cluster->route, message->view);
        cluster_pump(cluster);
    }
    if (message != NULL && message->type == BUS_ERASED)
        cluster->events.on_erased(message->user, cluster->events.arg);
}
