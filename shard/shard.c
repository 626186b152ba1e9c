#include "shard/shard.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/log.h"
#include "common/io/rand.h"
#include "common/io/sock.h"

// ---- The pump ------------------------------------------------------------------------------------------------------

static void schedule(void *arg)
{
    struct shard *shard = arg;
    loop_defer(shard->loop, &shard->pump);
}

// Something was answered. What makes no sense, or was refused, is asked again on a new connection, where every tile is
// taken anew.
static void on_done(int err, void *arg)
{
    struct shard *shard = arg;
    if (err != 0 && err != ERR_CLOSED)
        store_reset(membership_store(shard->membership), "an answer that cannot be used");
    schedule(shard);
}

static void on_view(int err, const struct member_view *view, void *arg)
{
    struct shard *shard = arg;
    place_view_read(shard->place, loop_now(shard->loop), err == 0 ? view : NULL);
    if (err == 0 && view->number != shard->said_view)
        log_info("view", LOG_U64("view", view->number), LOG_U64("shards", view->count));
    if (err == 0)
        shard->said_view = view->number;
    on_done(err, shard);
}

static int pump_view(struct shard *shard, struct store *store)
{
    int err = 0;
    if (place_next_view(shard->place)) {
        err = store_view(store, on_view, shard);
        if (err != 0)
            place_view_read(shard->place, loop_now(shard->loop), NULL);
    }
    return err;
}

static int pump_takes(struct shard *shard, struct store *store)
{
    struct place_take take;
    int err = 0;
    while (err == 0 && place_next_take(shard->place, &take)) {
        err = store_take(store, shard->place, &take, on_done, shard);
        if (err != 0)
            place_take_failed(shard->place, loop_now(shard->loop), take.tile, 0);
    }
    return err;
}

static int pump_beats(struct shard *shard, struct store *store)
{
    struct place_beat beats[STORE_BEATS_MAX];
    size_t count;
    int err = 0;
    do {
        for (count = 0; count < STORE_BEATS_MAX && place_next_beat(shard->place, &beats[count]);)
            count++;
        if (count > 0)
            err = store_beats(store, shard->place, beats, count, on_done, shard);
        if (count > 0 && err == 0)
            err = store_heat(store, beats, count);
    } while (err == 0 && count == STORE_BEATS_MAX);
    return err;
}

static int pump_batches(struct shard *shard, struct store *store)
{
    struct monotime now = loop_now(shard->loop);
    struct batch_args args;
    struct batch *batch;
    int err = 0;
    while (err == 0 && (batch = place_next_batch(shard->place, now, &args)) != NULL) {
        err = store_place(store, shard->place, batch, &args, on_done, shard);
        if (err != 0)
            place_batch_unknown(shard->place, now, batch);
    }
    return err;
}

static void pump_answers(struct shard *shard)
{
    struct draw *draw;
    while ((draw = place_next_answer(shard->place)) != NULL) {
        link_server_answer(shard->links, draw);
        place_release(shard->place, draw);
    }
    link_server_flush(shard->links);
}

static void check_stopped(struct shard *shard)
{
    bool late = monotime_reached(shard->leave_until, loop_now(shard->loop));
    bool idle =
        place_is_leaving(shard->place) && place_is_quiet(shard->place) && link_server_stats(shard->links)->links == 0;
    if (!late && !idle)
        return;
    shard->leave_until = MONOTIME_NEVER;
    loop_timer_disarm(&shard->tick);
    shard->on_stopped(shard->arg);
}

static void pump(void *arg)
{
    struct shard *shard = arg;
    struct store *store = membership_store(shard->membership);
    int err = pump_view(shard, store);
    if (err == 0)
        err = pump_takes(shard, store);
    if (err == 0)
        err = pump_beats(shard, store);
    if (err == 0)
        err = pump_batches(shard, store);
    if (err != 0 && membership_is_joined(shard->membership))
        store_reset(store, "cannot ask");
    pump_answers(shard);
    if (shard->leave_until.us != MONOTIME_NEVER.us)
        check_stopped(shard);
}

static void on_tick(void *arg)
{
    struct shard *shard = arg;
    loop_timer_arm_ms(&shard->tick, SHARD_TICK_MS);
    place_tick(shard->place, loop_now(shard->loop));
    schedule(shard);
}

// ---- Life ----------------------------------------------------------------------------------------------------------

// Now everybody can know that the tiles are not ours: what waits is sent elsewhere.
static void on_left(void *arg)
{
    struct shard *shard = arg;
    place_leave(shard->place);
    schedule(shard);
}

// The first address of this host that is not loopback.
static int host_address(char host[SOCK_HOST_SIZE], bool *is_v6)
{
    char name[SOCK_HOST_SIZE];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (gethostname(name, sizeof name) != 0 || getaddrinfo(name, NULL, &hints, &found) != 0)
        return ERR_NOT_FOUND;
    int err = ERR_NOT_FOUND;
    for (struct addrinfo *at = found; at != NULL && err != 0; at = at->ai_next) {
        struct addr addr;
        if (addr_from_sockaddr(&addr, at->ai_addr, at->ai_addrlen) != 0 || addr_is_loopback(&addr))
            continue;
        addr_to_text(&addr, host);
        *is_v6 = !addr_is_v4(&addr);
        err = 0;
    }
    freeaddrinfo(found);
    return err;
}

static bool is_wildcard(const char *host)
{
    return host[0] == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

// The address in the view: where gateways reach us.
static int choose_address(struct shard *shard, const struct shard_options *options)
{
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    const char *from = options->advertise[0] != '\0' ? options->advertise : options->listen;
    int err = sock_split(from, host, &port);
    if (err != 0)
        return err;
    bool is_v6 = strchr(host, ':') != NULL;
    if (is_wildcard(host))
        err = host_address(host, &is_v6);
    if (err != 0)
        return err;
    if (port == 0)
        port = link_server_port(shard->links);
    int len = snprintf(shard->address, sizeof shard->address, is_v6 ? "[%s]:%u" : "%s:%u", host, port);
    return len > 0 && (size_t)len < sizeof shard->address ? 0 : ERR_RANGE;
}

static int open_links(struct shard *shard, const struct shard_options *options)
{
    const struct link_server_options links = {
        .listen = options->listen,
        .secret = options->secret,
        .secret_len = options->secret_len,
        .incarnation = shard->incarnation,
    };
    int err = link_server_open(&shard->links, shard->loop, shard->place, &links, schedule, shard);
    if (err != 0) {
        log_error("cannot listen", LOG_STR("listen", options->listen), LOG_FAILED(err));
        return err;
    }
    err = choose_address(shard, options);
    if (err != 0)
        log_error("no address that gateways could reach: set advertise", LOG_ERR(err));
    else
        log_info("listening", LOG_STR("listen", shard->address), LOG_HEX("incarnation", shard->incarnation));
    return err;
}

static int open_membership(struct shard *shard, const struct shard_options *options)
{
    static const struct membership_handlers handlers = {.on_change = schedule, .on_left = on_left};
    shard->redis = (struct store_options){
        .redis = options->redis,
        .user = options->redis_user,
        .password = options->redis_password,
        .address = shard->address,
        .incarnation = shard->incarnation,
    };
    const struct membership_options membership = {.redis = &shard->redis,
                                                  .flags = options->canvas,
                                                  .flags_given = options->canvas_given,
                                                  .lease_ms = options->lease_ms};
    int err = membership_open(&shard->membership, shard->loop, shard->place, &membership, &handlers, shard);
    if (err != 0)
        log_error("cannot use redis", LOG_STR("redis", options->redis), LOG_ERR(err));
    return err;
}

int shard_init(struct shard *shard, struct loop *loop, const struct shard_options *options,
               void (*on_stopped)(void *arg), void *arg)
{
    *shard = (struct shard){
        .loop = loop,
        .incarnation = rand_u64(),
        .leave_until = MONOTIME_NEVER,
        .on_stopped = on_stopped,
        .arg = arg,
    };
    loop_deferred_init(&shard->pump, pump, shard);
    loop_timer_init(&shard->tick, loop, on_tick, shard);
    const struct place_options place = {.address = shard->address, .incarnation = shard->incarnation};
    shard->place = place_new(&place);
    int err = shard->place != NULL ? open_links(shard, options) : ERR_NOMEM;
    if (err == 0)
        err = open_membership(shard, options);
    if (err != 0) {
        shard_fini(shard);
        return err;
    }
    loop_timer_arm_ms(&shard->tick, SHARD_TICK_MS);
    return 0;
}

void shard_fini(struct shard *shard)
{
    loop_timer_disarm(&shard->tick);
    membership_close(shard->membership);
    link_server_close(shard->links);
    loop_deferred_cancel(&shard->pump);
    place_free(shard->place);
    shard->membership = NULL;
    shard->links = NULL;
    shard->place = NULL;
}

void shard_leave(struct shard *shard)
{
    if (shard->leave_until.us != MONOTIME_NEVER.us)
        return;
    log_info("leaving");
    shard->leave_until = monotime_add_ms(loop_now(shard->loop), SHARD_LEAVE_MS);
    membership_leave(shard->membership);
}

bool shard_is_ready(const struct shard *shard)
{
    return membership_is_joined(shard->membership);
}
