#include "tests/sim/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/mix.h"
#include "common/core/palette.h"
#include "tests/sim/client.h"
#include "tests/sim/faults.h"
#include "tests/sim/nodes.h"
#include "tests/sim/server.h"
#include "tests/sim/sim_replica.h"
#include "tests/sim/sim_sock.h"

#define EDGE 64u
#define READY_WITHIN_US 15000000    // of quiet, until nobody waits for an answer
#define CONVERGED_WITHIN_US 2000000 // of that
#define FOUND_WITHIN_US 4500000     // what the bus lost: a poll finds it, after two seconds without a beat
#define LOOK_EVERY_US 100000

struct world {
    struct node_settings nodes;
    struct client_settings clients;
    struct faults_settings faults;
};

static uint32_t one_of(const uint32_t *choices, size_t count)
{
    return choices[sim_below(count)];
}

// Rolling restarts, and nothing else: everybody draws as himself, and no oftener than is allowed.
static void undisturb(struct world *world)
{
    struct faults_settings *faults = &world->faults;
    world->nodes.canvas.guests_per_address = 0;
    faults->undisturbed = world->clients.undisturbed = true;
    faults->clock = faults->dropping = false;
    faults->shards = 2 + (uint32_t)sim_below(2);
    faults->gateways = world->clients.gateways = 2 + (uint32_t)sim_below(NODES_GATEWAYS_MAX - 1);
    faults->every_us = 100000 + sim_skewed(0, 3000000);
    world->clients.users = world->clients.count;
}

static void choose(struct world *world, enum mutant mutant)
{
    static const uint32_t cooldowns[] = {0, 0, 0, 30, 100, 300, 1500};
    static const uint32_t rings[] = {1, 4, 16, 64, 1024};
    static const uint32_t paces[] = {2000, 5000, 15000, 50000, 150000, 400000};
    static const uint32_t faults[] = {0, 10000, 40000, 150000, 500000, 2000000};
    *world = (struct world){0};
    struct canvas_config *canvas = &world->nodes.canvas;
    canvas->geom = (struct geom){DB_ACROSS * EDGE, EDGE, EDGE};
    canvas->cooldown_ms = one_of(cooldowns, sizeof cooldowns / sizeof cooldowns[0]);
    canvas->guests_per_address = sim_below(3) == 0 ? 1 + (uint32_t)sim_below(4) : 0;
    canvas->palette = *palette_default();
    world->nodes.lease_ms = sim_skewed(600, 4000);
    world->nodes.linger_ms = (uint32_t)sim_between(100, 4000);
    world->nodes.tick_max_ms = (uint32_t)sim_between(10, 200);
    world->nodes.slice_clients = (uint32_t)sim_between(1, 4);
    world->nodes.ring_updates = one_of(rings, sizeof rings / sizeof rings[0]);
    world->faults.shards = 1 + (uint32_t)sim_below(3);
    world->faults.gateways = 1 + (uint32_t)sim_below(2);
    world->faults.clients = 2 + (uint32_t)sim_below(6);
    world->faults.every_us = one_of(faults, sizeof faults / sizeof faults[0]);
    world->faults.lease_us = world->nodes.lease_ms * 1000;
    world->faults.clock = sim_below(4) == 0;
    world->faults.dropping = sim_below(4) == 0;
    world->nodes.drain_spread_ms = (uint32_t)sim_skewed(0, 4000);
    world->nodes.message_rate = sim_below(4) == 0 ? -1 : 0;
    world->nodes.mutant = mutant;
    // A statement for each: the order of chances in one initialiser is the compiler's.
    struct client_settings *clients = &world->clients;
    clients->count = world->faults.clients;
    clients->users = 1 + (uint32_t)sim_below(world->faults.clients);
    clients->tiles = 1 + (uint32_t)sim_below(DB_ACROSS);
    clients->gateways = world->faults.gateways;
    clients->side = 3 + (uint32_t)sim_below(12);
    clients->window = sim_below(8) == 0 ? 200 : 1 + (uint32_t)sim_below(8);
    clients->pace_us = one_of(paces, sizeof paces / sizeof paces[0]);
    clients->addresses = 1 + (uint32_t)sim_below(4);
    clients->geom = canvas->geom;
    clients->colors = canvas->palette.count;
    clients->cooldown_ms = canvas->cooldown_ms;
    clients->mutant = mutant;
    if (sim_below(8) == 0)
        undisturb(world);
    sim_trace("cooldown %u ms, %u guests per address, %u shards, %u gateways, %u clients of %u users, %u tiles",
              canvas->cooldown_ms, canvas->guests_per_address, world->faults.shards, world->faults.gateways,
              world->clients.count, world->clients.users, world->clients.tiles);
}

static void begin(const struct world *world, enum mutant mutant)
{
    net_init();
    sim_replica_init(mutant);
    sim_sock_init();
    ledger_begin(world->nodes.canvas.cooldown_ms, mutant);
    server_begin(ledger_observer(), mutant);
    if (world->faults.undisturbed)
        server_hurry();
    nodes_init(&world->nodes);
    for (uint32_t i = 0; i < world->faults.shards; i++)
        shard_node_start(i);
    for (uint32_t i = 0; i < world->faults.gateways; i++)
        gateway_node_start(i);
    clients_begin(&world->clients);
    faults_begin(&world->faults);
}

static void end(const struct world *world)
{
    clients_end();
    for (uint32_t i = 0; i < world->faults.gateways; i++) {
        if (gateway_node_lives(i))
            gateway_node_kill(i);
    }
    for (uint32_t i = 0; i < world->faults.shards; i++) {
        if (shard_node_lives(i))
            shard_node_kill(i);
    }
    server_end();
    net_fini();
    sim_end();
}

// ---- Quiet ---------------------------------------------------------------------------------------------------------

struct images {
    bool came, equal;
    uint32_t gateway;
};

static char difference[160];

static void on_images(int err, struct tile_image *const *images, size_t count, void *arg)
{
    struct images *of = arg;
    of->came = true;
    of->equal = err == 0;
    if (err != 0)
        snprintf(difference, sizeof difference, "G%u has no images: %d", of->gateway, err);
    for (size_t i = 0; i < count && err == 0; i++) {
        const struct db_tile *tile = &server_db()->tiles[db_tile_number(images[i]->tile)];
        if (!position_equal(images[i]->pos, tile->pos) || memcmp(images[i]->px, tile->px, DB_TILE_LEN) != 0) {
            of->equal = false;
            snprintf(difference, sizeof difference, "G%u: tile %u at (%llu, %u), store at (%llu, %u)", of->gateway,
                     db_tile_number(images[i]->tile), (unsigned long long)images[i]->pos.epoch, images[i]->pos.seq,
                     (unsigned long long)tile->pos.epoch, tile->pos.seq);
        }
        ledger_shows("a gateway", db_tile_number(images[i]->tile), images[i]->pos, images[i]->checksum);
        tile_image_unref(images[i]);
    }
}

static void run_until(int64_t until_us)
{
    while (sim_failure() == NULL && sim_step(until_us))
        continue;
}

static bool gateway_converged(const struct world *world, uint32_t number)
{
    struct tile tiles[DB_ACROSS];
    struct images images = {.gateway = number};
    if (!gateway_node_ready(number)) {
        snprintf(difference, sizeof difference, "G%u is not ready", number);
        return false;
    }
    for (uint32_t i = 0; i < world->clients.tiles; i++)
        tiles[i] = db_tile_at(i);
    struct hub_request *request = hub_images(gateway_node_hub(number), tiles, world->clients.tiles, on_images, &images);
    for (int i = 0; i < 50 && !images.came && sim_failure() == NULL; i++)
        run_until(sim_now_us() + LOOK_EVERY_US);
    if (!images.came)
        hub_images_cancel(request);
    if (!images.came)
        snprintf(difference, sizeof difference, "G%u does not load its tiles", number);
    return images.came && images.equal;
}

static bool converged(const struct world *world)
{
    const char *why;
    for (uint32_t i = 0; i < world->clients.count; i++) {
        if (!client_converged(i, &why)) {
            snprintf(difference, sizeof difference, "%s", why);
            return false;
        }
    }
    for (uint32_t i = 0; i < world->faults.gateways; i++) {
        if (!gateway_converged(world, i))
            return false;
    }
    return true;
}

static bool all_ready(const struct world *world)
{
    for (uint32_t i = 0; i < world->faults.gateways; i++) {
        if (!gateway_node_ready(i))
            return false;
    }
    return clients_quiet();
}

static void settle(const struct world *world, struct run_result *result)
{
    int64_t since_us = sim_now_us();
    faults_heal();
    clients_rest();
    while (!all_ready(world) && sim_failure() == NULL && sim_now_us() < since_us + READY_WITHIN_US)
        run_until(sim_now_us() + LOOK_EVERY_US);
    if (!all_ready(world))
        sim_fail("answered", "clients or gateways still wait after %d s of quiet", READY_WITHIN_US / 1000000);
    int64_t ready_us = sim_now_us();
    int64_t within_us = faults_dropped() ? FOUND_WITHIN_US : CONVERGED_WITHIN_US;
    while (sim_failure() == NULL && !converged(world)) {
        sim_trace("not yet: %s", difference);
        if (sim_now_us() > ready_us + within_us)
            sim_fail("converged", "%s", difference);
        run_until(sim_now_us() + LOOK_EVERY_US);
    }
    if (sim_failure() == NULL)
        ledger_settle();
    result->quiet_ms = (sim_now_us() - since_us) / 1000;
    result->converged_ms = (sim_now_us() - ready_us) / 1000;
}

void run_seed(const struct run_options *options, struct run_result *result)
{
    static struct world world;
    *result = (struct run_result){0};
    sim_begin(options->seed, options->trace);
    choose(&world, options->mutant);
    world.clients.record = options->record;
    begin(&world, options->mutant);
    while (sim_failure() == NULL && sim_events() < options->events && sim_step(INT64_MAX))
        continue;
    if (sim_failure() == NULL)
        settle(&world, result);
    result->events = sim_events();
    result->steps = sim_steps();
    result->virtual_ms = sim_now_us() / 1000;
    result->digest = sim_digest();
    result->counts = ledger_counts();
    result->failed = sim_failure() != NULL;
    if (result->failed) {
        snprintf(result->invariant, sizeof result->invariant, "%s", sim_failed_invariant());
        snprintf(result->failure, sizeof result->failure, "%s", sim_failure());
    }
    end(&world);
}
