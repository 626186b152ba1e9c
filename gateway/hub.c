#include "gateway/hub.h"

#include <stdlib.h>

#include "common/io/log.h"
#include "gateway/bus.h"
#include "gateway/fanout.h"
#include "gateway/hub_metrics.h"
#include "gateway/images.h"
#include "gateway/interest.h"
#include "gateway/snaps.h"
#include "gateway/tiles.h"
#include "gateway/watch_list.h"
#include "gateway/ws_conn.h"

struct hub {
    struct loop *loop;
    struct bus *bus;
    struct tiles tiles;
    struct interest interest;
    struct fanout fanout;
    struct snaps snaps;
    struct images images;
    struct canvas_config config; // version 0: not known yet
    hub_cluster_cb on_cluster;
    void *on_cluster_arg;
    struct loop_deferred turn; // one slice of the fan-out, at the end of each turn that has work for it
    struct loop_timer tick;    // until the next round may begin
};

// ---- Time ----------------------------------------------------------------------------------------------------------

static void schedule(void *arg)
{
    struct hub *hub = arg;
    loop_defer_last(hub->loop, &hub->turn);
}

// Last in its turn: the draws and verdicts of the turn leave before the slice. One that arrives meanwhile waits for
// this slice, and no other.
static void on_turn(void *arg)
{
    struct hub *hub = arg;
    struct monotime now = loop_now(hub->loop);
    if (monotime_reached(fanout_due(&hub->fanout, now), now)) {
        struct monotime begin = loop_now_exact();
        fanout_run(&hub->fanout, now);
        struct monotime end = loop_now_exact();
        fanout_spent(&hub->fanout, monotime_diff_us(end, begin), end);
    }
    struct monotime due = fanout_due(&hub->fanout, now);
    if (monotime_reached(due, now))
        schedule(hub);
    else if (due.us != MONOTIME_NEVER.us)
        loop_timer_arm_us(&hub->tick, monotime_diff_us(due, now));
}

// ---- What tells the hub --------------------------------------------------------------------------------------------

static void on_unwatched(struct held *held, void *arg)
{
    struct hub *hub = arg;
    tiles_unwatched(&hub->tiles, held);
}

static bool on_ask_snapshot(struct held *held, void *arg)
{
    struct hub *hub = arg;
    return snaps_ask(held, &hub->snaps);
}

static void on_loaded(void *arg)
{
    struct hub *hub = arg;
    images_loaded(&hub->images);
}

static void on_bus_up(void *arg)
{
    struct hub *hub = arg;
    log_info("bus connected", LOG_U64("tiles", hub->tiles.count));
    tiles_bus_up(&hub->tiles);
    if (hub->on_cluster != NULL)
        hub->on_cluster(NULL, hub->on_cluster_arg);
}

static void on_bus_down(void *arg)
{
    struct hub *hub = arg;
    tiles_bus_down(&hub->tiles);
}

static void on_bus_open(struct tile tile, void *arg)
{
    struct hub *hub = arg;
    tiles_bus_open(&hub->tiles, tile);
}

static void on_bus_message(struct tile tile, const struct bus_message *message, void *arg)
{
    struct hub *hub = arg;
    tiles_bus_message(&hub->tiles, tile, message);
}

static void on_bus_cluster(const struct bus_message *message, void *arg)
{
    struct hub *hub = arg;
    if (hub->on_cluster != NULL)
        hub->on_cluster(message, hub->on_cluster_arg);
}

static void on_store_state(bool ready, void *arg)
{
    struct hub *hub = arg;
    if (ready)
        tiles_store_up(&hub->tiles);
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static struct bus *open_bus(struct hub *hub, const struct hub_options *options)
{
    const struct bus_options bus_options = {
        .address = options->redis_address,
        .user = options->redis_user,
        .password = options->redis_password,
    };
    const struct bus_events events = {
        .on_up = on_bus_up,
        .on_down = on_bus_down,
        .on_open = on_bus_open,
        .on_message = on_bus_message,
        .on_cluster = on_bus_cluster,
        .arg = hub,
    };
    return bus_new(hub->loop, &bus_options, &events);
}

static void init_parts(struct hub *hub, struct store *store, struct worker *worker, const struct hub_options *options)
{
    const struct fanout_options fanout = {
        .tick_min_ms = options->tick_min_ms,
        .tick_max_ms = options->tick_max_ms,
        .slice_clients = options->slice_clients,
        .lane_clients = options->lane_clients > 0 ? options->lane_clients : options->slice_clients,
        .ask_snapshot = on_ask_snapshot,
        .on_work = schedule,
        .arg = hub,
    };
    const struct tiles_options tiles = {
        .memory = options->replica_memory,
        .linger_ms = options->linger_ms,
        .ring_updates = options->ring_updates,
    };
    loop_deferred_init(&hub->turn, on_turn, hub);
    loop_timer_init(&hub->tick, hub->loop, schedule, hub);
    interest_init(&hub->interest, on_unwatched, hub);
    fanout_init(&hub->fanout, &hub->interest, &fanout);
    tiles_init(&hub->tiles, hub->loop, store, &hub->fanout, &tiles);
    hub->tiles.bus = hub->bus;
    hub->tiles.on_loaded = on_loaded;
    hub->tiles.arg = hub;
    snaps_init(&hub->snaps, worker, &hub->tiles, &hub->fanout);
    images_init(&hub->images, hub->loop, &hub->tiles);
}

struct hub *hub_new(struct loop *loop, struct metrics *metrics, struct store *store, struct worker *worker,
                    const struct hub_options *options)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (hub == NULL)
        return NULL;
    hub->loop = loop;
    hub->bus = open_bus(hub, options);
    if (hub->bus == NULL) {
        free(hub);
        return NULL;
    }
    init_parts(hub, store, worker, options);
    const struct hub_metrics_parts parts = {
        .tiles = &hub->tiles,
        .interest = &hub->interest,
        .fanout = &hub->fanout,
        .snaps = &hub->snaps,
        .bus = bus_stats(hub->bus),
    };
    if (hub_metrics_add(metrics, &parts) != 0 || store_on_state(store, on_store_state, hub) != 0) {
        hub_free(hub);
        return NULL;
    }
    return hub;
}

void hub_free(struct hub *hub)
{
    if (hub == NULL)
        return;
    store_abandon(hub->tiles.store, hub);
    images_fini(&hub->images);
    interest_fini(&hub->interest);
    tiles_fini(&hub->tiles);
    fanout_fini(&hub->fanout);
    bus_free(hub->bus);
    loop_timer_disarm(&hub->tick);
    loop_deferred_cancel(&hub->turn);
    free(hub);
}

void hub_configure(struct hub *hub, const struct canvas_config *config)
{
    hub->config = *config;
    tiles_configure(&hub->tiles, &config->geom);
}

void hub_verify(struct hub *hub)
{
    tiles_verify(&hub->tiles);
}

bool hub_ready(const struct hub *hub)
{
    return bus_is_up(hub->bus);
}

bool hub_holds(const struct hub *hub, struct tile tile)
{
    const struct held *held = tiles_find(&hub->tiles, tile);
    return held != NULL && held->loaded;
}

void hub_on_cluster(struct hub *hub, hub_cluster_cb cb, void *arg)
{
    hub->on_cluster = cb;
    hub->on_cluster_arg = arg;
}

// ---- Clients -------------------------------------------------------------------------------------------------------

// How many tiles only this client watches, and will no longer.
static uint32_t going(const struct hub_client *client, const struct watch_list *watch)
{
    const struct audience *audience = client->audience;
    uint32_t count = 0;
    if (audience == NULL || audience->members > 1)
        return 0;
    for (uint32_t i = 0, at = 0; i < audience->count; i++) {
        const struct held *held = audience->watches[i].held;
        while (at < watch->count && tile_key(watch->tiles[at]) < held->key)
            at++;
        bool stays = at < watch->count && tile_key(watch->tiles[at]) == held->key;
        if (!stays && held->watchers.count == 1 && held->pins == 0)
            count++;
    }
    return count;
}

// Tiles of the list that the client does not watch yet.
static uint32_t coming(const struct hub_client *client, const struct watch_list *watch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < watch->count; i++)
        count += client->audience == NULL || interest_find(client->audience, tile_key(watch->tiles[i])) < 0;
    return count;
}

// The audience of these tiles, which are held, for the client. One that nobody else is in has to fit under the cap,
// where one that the client leaves alone makes room, as do `gone` tiles: to watch nothing is always possible, and so is
// to watch what others do, if need be in another lane.
static int find_audience(struct hub *hub, const struct hub_client *client, struct held *const *helds, uint32_t count,
                         uint32_t gone, struct audience **audience)
{
    const struct audience *now = client->audience;
    size_t left = gone * hub->tiles.cost;
    if (now != NULL && now->members == 1)
        left += interest_audience_bytes(now);
    int err = interest_intern(&hub->interest, fanout_lane(&hub->fanout, client), helds, count, audience);
    if (err != 0 || count == 0 || (*audience)->members > 0 || tiles_make_room(&hub->tiles, left))
        return err;
    if (!(*audience)->pinned)
        interest_settle(&hub->interest, *audience);
    *audience = interest_anywhere(&hub->interest, helds, count);
    return *audience != NULL ? 0 : ERR_FULL;
}

// ERR_NOMEM counts as over the cap.
static int set_watch(struct hub *hub, struct hub_client *client, const struct watch_list *watch)
{
    struct held *helds[LIMIT_WATCH_TILES];
    struct audience *audience;
    uint32_t gone = going(client, watch);
    client->asked = coming(client, watch);
    int err = tiles_hold(&hub->tiles, watch->tiles, watch->count, gone, helds);
    if (err != 0)
        return ERR_FULL;
    err = find_audience(hub, client, helds, watch->count, gone, &audience);
    if (err == 0)
        err = fanout_watch(&hub->fanout, client, audience, watch->pos);
    tiles_release(&hub->tiles, helds, watch->count);
    return err == 0 ? 0 : ERR_FULL;
}

int hub_join(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    static const struct watch_list no_watch;
    struct watch_list watch;
    if (hub->config.version == 0)
        return ERR_MALFORMED;
    int err = watch_list_read(&watch, &hub->config.geom, entries, count);
    if (err != 0)
        return err;
    err = set_watch(hub, client, &watch);
    if (err != 0 && set_watch(hub, client, &no_watch) != 0)
        ws_conn_close(client->conn, WS_CLOSE_FULL, "no memory for a client");
    return err;
}

int hub_watch(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    struct watch_list watch;
    if (client->audience == NULL)
        return hub_join(hub, client, entries, count);
    int err = watch_list_read(&watch, &hub->config.geom, entries, count);
    return err != 0 ? err : set_watch(hub, client, &watch);
}

// The part of the list that the client watches, in place.
static void keep_watched(const struct hub_client *client, struct watch_list *watch)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < watch->count; i++) {
        if (interest_find(client->audience, tile_key(watch->tiles[i])) < 0)
            continue;
        watch->tiles[kept] = watch->tiles[i];
        watch->pos[kept++] = watch->pos[i];
    }
    watch->count = kept;
}

int hub_keep(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    struct watch_list watch;
    int err = watch_list_read(&watch, &hub->config.geom, entries, count);
    if (err != 0)
        return err;
    if (client->audience == NULL)
        watch.count = 0;
    else
        keep_watched(client, &watch);
    if (client->audience == NULL || watch.count < client->audience->count)
        err = set_watch(hub, client, &watch);
    client->asked = count - watch.count;
    return err;
}

int hub_resume(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    struct watch_list watch;
    if (client->audience == NULL)
        return 0;
    int err = watch_list_read(&watch, &hub->config.geom, entries, count);
    if (err != 0)
        return err;
    client->asked = 0;
    for (uint32_t i = 0; i < watch.count; i++) {
        int index = interest_find(client->audience, tile_key(watch.tiles[i]));
        if (index < 0)
            continue;
        client->asked++;
        if (fanout_resume(&hub->fanout, client, (uint32_t)index, watch.pos[i]) != 0) {
            ws_conn_close(client->conn, WS_CLOSE_FULL, "no memory for a lagging client");
            return 0;
        }
    }
    return 0;
}

void hub_leave(struct hub *hub, struct hub_client *client)
{
    fanout_leave(&hub->fanout, client);
}

void hub_writable(struct hub *hub, struct hub_client *client)
{
    fanout_writable(&hub->fanout, client);
}

// ---- Images --------------------------------------------------------------------------------------------------------

struct hub_request *hub_images(struct hub *hub, const struct tile *tiles, size_t count, hub_images_cb cb, void *arg)
{
    if (hub->config.version == 0) {
        cb(ERR_CLOSED, NULL, 0, arg);
        return NULL;
    }
    return images_ask(&hub->images, tiles, count, cb, arg);
}

void hub_images_cancel(struct hub_request *request)
{
    images_cancel(request);
}
