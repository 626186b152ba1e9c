#include "gateway/bus.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "common/io/redis_conn.h"
#include "proto/keys.h"

struct bus {
    struct bus_events events;
    struct redis_conn *conn;
    bool up;
    uint32_t asked; // subscriptions of tiles without an answer
    struct bus_stats stats;
};

static void on_ready(void *arg)
{
    struct bus *bus = arg;
    bus->asked = 0;
    if (redis_conn_subscribe(bus->conn, CHANNEL_CLUSTER, strlen(CHANNEL_CLUSTER)) != 0)
        redis_conn_reset(bus->conn, "cannot subscribe");
}

static void on_down(void *arg)
{
    struct bus *bus = arg;
    bus->asked = 0;
    if (!bus->up)
        return;
    bus->up = false;
    log_warn("bus lost", LOG_STR("reason", redis_conn_last_error(bus->conn)));
    bus->events.on_down(bus->events.arg);
}

static bool is_cluster(const char *channel, size_t len)
{
    return len == strlen(CHANNEL_CLUSTER) && memcmp(channel, CHANNEL_CLUSTER, len) == 0;
}

static void on_subscribed(void *arg, const char *channel, size_t len)
{
    struct bus *bus = arg;
    struct tile tile;
    if (is_cluster(channel, len)) {
        bus->up = true;
        bus->stats.connects++;
        bus->events.on_up(bus->events.arg);
    } else if (key_tile_of_channel(channel, len, &tile) == 0) {
        if (bus->asked > 0)
            bus->asked--;
        bus->events.on_open(tile, bus->events.arg);
    }
}

static void on_message(void *arg, const char *channel, size_t channel_len, const char *payload, size_t len)
{
    struct bus *bus = arg;
    struct bus_message message;
    struct tile tile;
    int err = bus_decode((const uint8_t *)payload, len, &message);
    if (err == ERR_UNSUPPORTED) {
        bus->stats.unknown++;
        return;
    }
    if (err != 0)
        goto malformed;
    bool of_cluster = message.type == BUS_VIEW || message.type == BUS_CONFIG || message.type == BUS_ERASED;
    if (is_cluster(channel, channel_len) != of_cluster)
        goto malformed;
    if (of_cluster) {
        bus->events.on_cluster(&message, bus->events.arg);
        return;
    }
    if (key_tile_of_channel(channel, channel_len, &tile) != 0)
        goto malformed;
    bus->stats.messages++;
    bus->events.on_message(tile, &message, bus->events.arg);
    return;

malformed:
    bus->stats.malformed++;
    log_warn("bus message not understood", LOG_BYTES("channel", channel, channel_len), LOG_U64("len", len));
}

struct bus *bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events)
{
    static const struct redis_conn_handlers handlers = {
        .on_ready = on_ready,
        .on_down = on_down,
        .on_subscribed = on_subscribed,
        .on_message = on_message,
    };
    const struct redis_conn_config config = {
        .name = "bus",
        .address = options->address,
        .user = options->user,
        .password = options->password,
    };
    struct bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL)
        return NULL;
    bus->events = *events;
    if (redis_conn_open(&bus->conn, loop, &config, &handlers, bus) != 0) {
        free(bus);
        return NULL;
    }
    return bus;
}

void bus_free(struct bus *bus)
{
    if (bus == NULL)
        return;
    redis_conn_close(bus->conn);
    free(bus);
}

bool bus_is_up(const struct bus *bus)
{
    return bus->up;
}

const struct bus_stats *bus_stats(const struct bus *bus)
{
    return &bus->stats;
}

int bus_subscribe(struct bus *bus, struct tile tile)
{
    if (!bus->up)
        return ERR_CLOSED;
    if (bus->asked >= BUS_ASKED_MAX)
        return ERR_FULL;
    char channel[KEY_MAX];
    size_t len = key_tile(channel, tile, KEY_TILE_BUS);
    int err = redis_conn_subscribe(bus->conn, channel, len);
    if (err == 0)
        bus->asked++;
    return err == ERR_CLOSED ? ERR_CLOSED : err == 0 ? 0 : ERR_FULL;
}

void bus_unsubscribe(struct bus *bus, struct tile tile)
{
    char channel[KEY_MAX];
    size_t len = key_tile(channel, tile, KEY_TILE_BUS);
    if (bus->up && redis_conn_unsubscribe(bus->conn, channel, len) != 0)
        log_debug("unsubscribe refused", LOG_BYTES("channel", channel, len));
}
