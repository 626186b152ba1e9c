#include "hub_world_impl.h"

#define ALLOC_FAIL_NEVER
#include "alloc_fail.h"
#include "check.h"
#include "common/core/mix.h"
#include "fake_loop.h"
#include "gateway/held.h"

struct world world;

uint64_t world_random(uint64_t below)
{
    world.random += 0x9E3779B97F4A7C15u;
    return mix_final(world.random) % below;
}

struct hub *world_hub(void)
{
    return world.hub;
}

int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count)
{
    (void)metrics;
    memcpy(world.rows + world.row_count, rows, count * sizeof *rows);
    world.row_count += count;
    return 0;
}

uint64_t world_metric(const char *name, const char *labels)
{
    for (size_t i = 0; i < world.row_count; i++) {
        const struct metrics_row *row = &world.rows[i];
        if (strcmp(row->name, name) != 0 || (labels != NULL && strcmp(row->labels, labels) != 0))
            continue;
        if (row->read != NULL)
            return (uint64_t)row->read(row->arg);
        return row->type == METRICS_HIST ? ((const struct hist *)row->value)->count : *(const uint64_t *)row->value;
    }
    fail_msg("no metric %s", name);
    return 0;
}

struct hub_options world_options(bool tight)
{
    struct hub_options options = {
        .redis_address = "",
        .replica_memory = 1 << 24,
        .linger_ms = 300,
        .tick_min_ms = 2,
        .tick_max_ms = 40,
        .slice_clients = 3,
        .ring_updates = 64,
    };
    if (tight) {
        options.replica_memory = WORLD_TILES * held_cost(WORLD_TILE_LEN, options.ring_updates) + 1000;
        options.lane_clients = 1;
    }
    return options;
}

void world_begin(uint64_t seed, const struct hub_options *options)
{
    const struct canvas_config config = {
        .version = 1,
        .geom = {WORLD_ACROSS * WORLD_EDGE, WORLD_TILES / WORLD_ACROSS * WORLD_EDGE, WORLD_EDGE},
    };
    memset(&world, 0, sizeof world);
    world.random = seed;
    fake_loop_reset();
    for (unsigned i = 0; i < WORLD_TILES; i++)
        world.truths[i].entries = calloc(WORLD_ENTRIES_MAX, sizeof(struct world_entry *));
    world.hub = hub_new(fake_loop(), NULL, (struct store *)&world, NULL, options);
    assert_non_null(world.hub);
    hub_configure(world.hub, &config);
    world_clients_begin();
}

void world_end(void)
{
    world_clients_end();
    while (world_work())
        ;
    hub_free(world.hub);
    while (world.question_count > 0) {
        assert_null(world.questions[0]->arg);
        world.questions[0]->served = true;
        world_answer();
    }
    for (unsigned i = 0; i < WORLD_TILES; i++) {
        while (world.truths[i].count > 0)
            free(world.truths[i].entries[--world.truths[i].count]);
        free(world.truths[i].entries);
    }
}

void world_turn(int64_t us)
{
    fake_loop_turn(us);
}

void world_settle(void)
{
    alloc_fail_one_in(0, 0);
    world_drop_bus(0);
    world_bus(true);
    world_store(true);
    for (unsigned turn = 0; turn < 4000; turn++) {
        bool busy = false;
        for (unsigned i = 0; i < 64; i++)
            busy = world_deliver() || world_serve() || world_answer() || world_work() || busy;
        for (unsigned i = 0; i < WORLD_CLIENTS; i++)
            world_read(i, SIZE_MAX);
        // Long enough for a poll of every tile.
        world_turn(busy ? 1000 : 10000);
    }
}
