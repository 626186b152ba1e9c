#include "gateway/cluster.h"

#include <stdlib.h>
#include <string.h>

#include "common/io/rand.h"
#include "gateway/cluster_internal.h"
#include "proto/verdict.h"

#define READ_ONLY_WAIT_MS 5000
#define OVERLOADED_WAIT_MS 1000

// ---- What was taken in has consequences ----------------------------------------------------------------------------

static void flush(void *arg)
{
    struct cluster *cluster = arg;
    struct route_forward forward;
    while (route_next_forward(cluster->route, &forward)) {
        cluster->counts.forwards++;
        shard_link_forward(cluster->slots[forward.slot].link, forward.view, forward.refusals, forward.draws,
                           forward.count);
    }
}

// At the end of the turn, so that all that arrives in it leaves as one message per link; and the alarm for what has to
// be done later. An alarm that comes too early costs less than moving it with every draw.
static void arm(struct cluster *cluster)
{
    if (route_has_forward(cluster->route))
        loop_defer(cluster->loop, &cluster->flush);
    struct monotime at = route_deadline(cluster->route);
    if (!monotime_before(at, cluster->wake_at))
        return;
    cluster->wake_at = at;
    loop_timer_arm_ms(&cluster->wake, monotime_diff_ms(at, loop_now(cluster->loop)));
}

static void give_verdicts(struct cluster *cluster)
{
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted, now = loop_now(cluster->loop);
    while (route_next_verdict(cluster->route, &client, &verdict, &submitted)) {
        int64_t took_us = monotime_diff_us(now, submitted);
        hist_add(&cluster->counts.latency_us, took_us > 0 ? (uint64_t)took_us : 0);
        cluster->counts.verdicts[verdict.code]++;
        cluster->events.on_verdict(client, &verdict, cluster->events.arg);
    }
}

void cluster_pump(struct cluster *cluster)
{
    if (cluster->pumping)
        return; // from within on_verdict: the loop further out sees to it
    cluster->pumping = true;
    cluster_follow_links(cluster);
    give_verdicts(cluster);
    if (route_wants_view(cluster->route))
        cluster_read_view(cluster);
    arm(cluster);
    cluster->pumping = false;
}

static void on_wake(void *arg)
{
    struct cluster *cluster = arg;
    cluster->wake_at = MONOTIME_NEVER;
    route_tick(cluster->route, loop_now(cluster->loop));
    cluster_pump(cluster);
}

// ---- Draws ---------------------------------------------------------------------------------------------------------

// A refusal of our own: the nonce is not used up.
static void refuse(struct cluster *cluster, struct cluster_client *client, const struct ws_draw *draw, uint8_t code,
                   uint32_t wait_ms)
{
    const struct ws_verdict verdict = {
        .code = code,
        .x = draw->x,
        .y = draw->y,
        .nonce = draw->nonce,
        .next_nonce = draw->nonce,
        .wait_ms = wait_ms,
    };
    cluster->counts.verdicts[code]++;
    cluster->events.on_verdict(client, &verdict, cluster->events.arg);
}

void cluster_draw(struct cluster *cluster, struct cluster_client *client, const struct ws_draw *draw, uint64_t user,
                  uint8_t kind, uint64_t connection, const struct addr *address)
{
    const struct canvas_config *config = &cluster->config;
    cluster->counts.draws++;
    if (config->version == 0) {
        refuse(cluster, client, draw, VERDICT_UNAVAILABLE, ROUTE_UNAVAILABLE_WAIT_MS);
        return;
    }
    if (draw->color >= config->palette.count) {
        refuse(cluster, client, draw, VERDICT_BAD_COLOR, 0);
        return;
    }
    if (!geom_has_pixel(&config->geom, draw->x, draw->y)) {
        refuse(cluster, client, draw, VERDICT_OUT_OF_BOUNDS, 0);
        return;
    }
    if (cluster_read_only(cluster)) {
        refuse(cluster, client, draw, VERDICT_READ_ONLY, READ_ONLY_WAIT_MS);
        return;
    }
    const struct link_draw forward = {
        .nonce = draw->nonce,
        .x = draw->x,
        .y = draw->y,
        .color = draw->color,
        .kind = kind,
        .user = user,
        .connection = connection,
        .address = *address,
    };
    struct tile tile = geom_tile_of(&config->geom, draw->x, draw->y);
    if (route_submit(cluster->route, client, tile, &forward, loop_now(cluster->loop)) != 0) {
        refuse(cluster, client, draw, VERDICT_OVERLOADED, OVERLOADED_WAIT_MS);
        return;
    }
    arm(cluster);
}

void cluster_forget(struct cluster *cluster, struct cluster_client *client)
{
    route_forget(cluster->route, client);
}

// ---- What others ask -----------------------------------------------------------------------------------------------

const struct canvas_config *cluster_config(const struct cluster *cluster)
{
    return cluster->config.version != 0 ? &cluster->config : NULL;
}

uint32_t cluster_online(const struct cluster *cluster)
{
    return cluster->online;
}

bool cluster_read_only(const struct cluster *cluster)
{
    return cluster->config.read_only || cluster->pressure || cluster->another_canvas;
}

const char *cluster_not_ready(const struct cluster *cluster)
{
    if (!store_ready(cluster->store))
        return "no redis";
    if (cluster->config.version == 0)
        return "no canvas";
    if (cluster->another_canvas)
        return "another canvas";
    return cluster->links_up == 0 ? "no shard" : NULL;
}

void cluster_set_connections(struct cluster *cluster, uint32_t count)
{
    cluster->connections = count;
}

uint64_t cluster_gateway_id(const struct cluster *cluster)
{
    return cluster->id;
}

// ---- Life ----------------------------------------------------------------------------------------------------------

struct cluster *cluster_new(struct loop *loop, struct metrics *metrics, struct store *store,
                            const struct cluster_options *options, const struct cluster_events *events)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    if (cluster == NULL)
        return NULL;
    cluster->loop = loop;
    cluster->store = store;
    cluster->secret = options->secret;
    cluster->secret_len = options->secret_len;
    cluster->flags = options->flags;
    cluster->flags_given = options->flags_given;
    cluster->events = *events;
    cluster->id = rand_u64();
    cluster->wake_at = MONOTIME_NEVER;
    loop_timer_init(&cluster->wake, loop, on_wake, cluster);
    loop_timer_init(&cluster->beat, loop, cluster_on_beat, cluster);
    loop_timer_init(&cluster->retry, loop, cluster_on_retry, cluster);
    loop_deferred_init(&cluster->flush, flush, cluster);
    cluster->route = route_new();
    if (cluster->route == NULL || cluster_add_metrics(cluster, metrics) != 0)
        goto fail;
    for (uint16_t i = 0; i < ROUTE_LINKS_MAX; i++)
        cluster->slots[i] = (struct cluster_slot){.cluster = cluster, .number = i};
    if (store_on_state(store, cluster_on_store, cluster) != 0)
        goto fail;
    cluster_on_store(store_ready(store), cluster);
    return cluster;

fail:
    cluster_free(cluster);
    return NULL;
}

void cluster_free(struct cluster *cluster)
{
    if (cluster == NULL)
        return;
    store_abandon(cluster->store, cluster);
    store_online_leave(cluster->store, cluster->id);
    for (uint32_t i = 0; i < ROUTE_LINKS_MAX; i++)
        shard_link_close(cluster->slots[i].link);
    loop_timer_disarm(&cluster->wake);
    loop_timer_disarm(&cluster->beat);
    loop_timer_disarm(&cluster->retry);
    loop_deferred_cancel(&cluster->flush);
    route_free(cluster->route);
    free(cluster);
}
