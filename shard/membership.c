#include "shard/membership.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "proto/bus_proto.h"
#include "proto/keys.h"

#define PRESSURE_EVERY_BEATS 2u
#define RETRY_MS 500
#define WHY_SIZE 256u

struct membership {
    struct loop *loop;
    struct place *place;
    struct store *store;
    struct redis_conn *bus;
    struct canvas_config flags;
    unsigned flags_given;
    int64_t lease_ms;
    struct membership_handlers handlers;
    void *arg;
    struct loop_timer beat;
    struct monotime evict_from; // before, the others may not have had the time to beat
    uint32_t config_version;    // 0: not known
    uint32_t restores;          // as in it
    uint32_t beats;
    bool joined, leaving, left, warned;
    bool pressure; // Redis is nearly full
    bool refused;  // and would not even write our lease
    struct membership_stats stats;
};

static void join(struct membership *membership);
static void set_refused(struct membership *membership, bool refused);

static void changed(struct membership *membership)
{
    membership->handlers.on_change(membership->arg);
}

// ---- Configuration -------------------------------------------------------------------------------------------------

static void use_config(struct membership *membership, const struct canvas_config *config)
{
    char why[WHY_SIZE];
    if (!membership->warned &&
        canvas_config_differs(config, &membership->flags, membership->flags_given, why, sizeof why))
        log_warn("the canvas in redis differs from the options; the stored one counts", LOG_STR("differs", why));
    membership->warned = true;
    if (config->version == membership->config_version)
        return;
    bool restored = membership->config_version != 0 && config->restores != membership->restores;
    membership->config_version = config->version;
    membership->restores = config->restores;
    membership->stats.configs++;
    place_set_config(membership->place, config);
    if (restored)
        place_restored(membership->place, loop_now(membership->loop));
    log_info("configuration", LOG_U64("version", config->version), LOG_U64("width", config->geom.width),
             LOG_U64("height", config->geom.height), LOG_U64("tile_edge", config->geom.edge),
             LOG_U64("cooldown_ms", config->cooldown_ms));
    changed(membership);
}

// What cannot be used is asked for again after a new connection.
static void give_up(struct membership *membership, int err, const char *why)
{
    if (err != 0 && err != ERR_CLOSED)
        store_reset(membership->store, why);
}

static void on_config(int err, const struct canvas_config *config, void *arg)
{
    struct membership *membership = arg;
    if (err == 0)
        use_config(membership, config);
    else
        give_up(membership, err, "configuration");
}

static void on_seeded(int err, const struct canvas_config *config, void *arg)
{
    struct membership *membership = arg;
    if (err == 0) {
        use_config(membership, config);
        if (!membership->leaving)
            join(membership);
    } else {
        give_up(membership, err, "configuration");
    }
}

static void read_config(struct membership *membership)
{
    int err = store_config(membership->store, on_config, membership);
    give_up(membership, err, "cannot ask");
}

// ---- Joining and beating -------------------------------------------------------------------------------------------

static void on_joined(int err, uint64_t view, void *arg)
{
    struct membership *membership = arg;
    set_refused(membership, err == ERR_FULL);
    if (err != 0) {
        give_up(membership, err, "join");
        return;
    }
    if (membership->leaving)
        return;
    membership->joined = true;
    membership->stats.joins++;
    place_connected(membership->place);
    log_info("joined", LOG_U64("view", view));
    changed(membership);
}

static void join(struct membership *membership)
{
    int err = store_join(membership->store, on_joined, membership);
    give_up(membership, err, "cannot ask");
}

static void drop(struct membership *membership)
{
    if (membership->joined)
        place_disconnected(membership->place, loop_now(membership->loop));
    membership->joined = false;
    changed(membership);
}

static void set_refused(struct membership *membership, bool refused)
{
    membership->refused = refused;
    place_set_pressure(membership->place, membership->pressure || refused);
}

static void on_pressure(int err, const struct pressure *pressure, void *arg)
{
    struct membership *membership = arg;
    if (err != 0)
        return;
    bool high = pressure_high(pressure);
    if (high != membership->pressure)
        log_warn(high ? "redis is nearly full: draws are refused" : "redis has room again",
                 LOG_U64("used_bytes", pressure->used_bytes), LOG_U64("max_bytes", pressure->max_bytes));
    membership->pressure = high;
    set_refused(membership, membership->refused);
}

static void evict_later(struct membership *membership)
{
    membership->evict_from = monotime_add_ms(loop_now(membership->loop), membership->lease_ms);
}

static void on_beat(int err, const struct store_beat *beat, void *arg)
{
    struct membership *membership = arg;
    if (err == ERR_FULL) {
        // Nor can the others: as on a new connection, nobody is evicted for a lease.
        evict_later(membership);
        set_refused(membership, true);
        return;
    }
    if (err != 0) {
        give_up(membership, err, "beat");
        return;
    }
    set_refused(membership, false);
    if (beat->config_version != membership->config_version && beat->config_version != 0)
        read_config(membership);
    place_view_hint(membership->place, beat->view);
    if (!beat->is_member && membership->joined && !membership->leaving) {
        membership->stats.evictions++;
        log_warn("evicted: all tiles are dropped", LOG_U64("view", beat->view));
        drop(membership);
        join(membership);
    }
    changed(membership);
}

static void on_beat_timer(void *arg)
{
    struct membership *membership = arg;
    loop_timer_arm_ms(&membership->beat, MEMBERSHIP_BEAT_MS);
    if (!membership->joined || membership->leaving)
        return;
    bool evict = monotime_reached(membership->evict_from, loop_now(membership->loop));
    int err = store_beat(membership->store, evict ? membership->lease_ms : 0, on_beat, membership);
    if (err == 0 && membership->beats++ % PRESSURE_EVERY_BEATS == 0)
        err = store_pressure(membership->store, on_pressure, membership);
    give_up(membership, err, "cannot ask");
}

static void on_ready(void *arg)
{
    struct membership *membership = arg;
    evict_later(membership);
    int err = store_seed(membership->store, &membership->flags, on_seeded, membership);
    give_up(membership, err, "cannot ask");
}

static void on_down(void *arg)
{
    struct membership *membership = arg;
    drop(membership);
    if (membership->leaving && !membership->left) {
        membership->left = true;
        membership->handlers.on_left(membership->arg);
    }
}

// ---- The bus -------------------------------------------------------------------------------------------------------

static void on_bus_ready(void *arg)
{
    struct membership *membership = arg;
    if (redis_conn_subscribe(membership->bus, CHANNEL_CLUSTER, strlen(CHANNEL_CLUSTER)) != 0)
        redis_conn_reset(membership->bus, "cannot subscribe");
}

static void on_bus_message(void *arg, const char *channel, size_t channel_len, const char *payload, size_t len)
{
    struct membership *membership = arg;
    struct bus_message message;
    (void)channel;
    (void)channel_len;
    int err = bus_decode((const uint8_t *)payload, len, &message);
    if (err == ERR_UNSUPPORTED)
        return; // of a later version
    if (err != 0) {
        log_warn("malformed message on the bus");
        return;
    }
    if (message.type == BUS_VIEW)
        place_view_hint(membership->place, message.view);
    else if (message.type == BUS_CONFIG && message.version != membership->config_version && membership->joined)
        read_config(membership);
    changed(membership);
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static int open_bus(struct membership *membership, const struct store_options *redis)
{
    const struct redis_conn_config config = {
        .name = "bus", .address = redis->redis, .user = redis->user, .password = redis->password};
    const struct redis_conn_handlers handlers = {.on_ready = on_bus_ready, .on_message = on_bus_message};
    return redis_conn_open(&membership->bus, membership->loop, &config, &handlers, membership);
}

int membership_open(struct membership **out, struct loop *loop, struct place *place,
                    const struct membership_options *options, const struct membership_handlers *handlers, void *arg)
{
    static const struct store_handlers store_handlers = {.on_ready = on_ready, .on_down = on_down};
    struct membership *membership = calloc(1, sizeof *membership);
    if (membership == NULL)
        return ERR_NOMEM;
    membership->loop = loop;
    membership->place = place;
    membership->flags = *options->flags;
    membership->flags_given = options->flags_given;
    membership->lease_ms = options->lease_ms;
    membership->handlers = *handlers;
    membership->arg = arg;
    loop_timer_init(&membership->beat, loop, on_beat_timer, membership);
    int err = store_open(&membership->store, loop, options->redis, &store_handlers, membership);
    if (err == 0)
        err = open_bus(membership, options->redis);
    if (err != 0) {
        membership_close(membership);
        return err;
    }
    loop_timer_arm_ms(&membership->beat, MEMBERSHIP_BEAT_MS);
    *out = membership;
    return 0;
}

void membership_close(struct membership *membership)
{
    if (membership == NULL)
        return;
    loop_timer_disarm(&membership->beat);
    redis_conn_close(membership->bus);
    store_close(membership->store);
    free(membership);
}

struct store *membership_store(struct membership *membership)
{
    return membership->store;
}

bool membership_is_joined(const struct membership *membership)
{
    return membership->joined;
}

uint32_t membership_config_version(const struct membership *membership)
{
    return membership->config_version;
}

const struct membership_stats *membership_stats(const struct membership *membership)
{
    return &membership->stats;
}

static void on_left(int err, uint64_t view, void *arg)
{
    struct membership *membership = arg;
    if (membership->left)
        return;
    membership->left = true;
    if (err == 0) {
        log_info("left", LOG_U64("view", view));
        place_view_hint(membership->place, view);
    }
    membership->handlers.on_left(membership->arg);
}

void membership_leave(struct membership *membership)
{
    membership->leaving = true;
    if (store_leave(membership->store, on_left, membership) != 0)
        on_left(ERR_CLOSED, 0, membership);
}
