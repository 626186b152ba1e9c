// The bus and the worker of hub_world.h.
#include "hub_world_impl.h"

#define ALLOC_FAIL_NEVER
#include "alloc_fail.h"
#include "check.h"

void world_publish(unsigned tile, const struct bus_message *message)
{
    if (!world.bus_up || !world.subscribed[tile] || world_random(100) < world.drop_percent)
        return;
    assert_true(world.item_count < WORLD_QUEUE_MAX);
    struct world_item *item = calloc(1, sizeof *item);
    item->kind = ITEM_MESSAGE;
    item->tile = tile;
    item->message = *message;
    if (message->type == BUS_UPDATE)
        memcpy(item->updates, message->updates, 3u * message->count);
    world.items[world.item_count++] = item;
}

struct bus *bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events)
{
    (void)loop;
    (void)options;
    world.events = *events;
    return (struct bus *)&world;
}

static void drop_items(void)
{
    while (world.item_count > 0)
        free(world.items[--world.item_count]);
}

void bus_free(struct bus *bus)
{
    (void)bus;
    drop_items();
}

bool bus_is_up(const struct bus *bus)
{
    (void)bus;
    return world.bus_up;
}

const struct bus_stats *bus_stats(const struct bus *bus)
{
    static const struct bus_stats stats;
    (void)bus;
    return &stats;
}

static unsigned confirmations(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < world.item_count; i++)
        count += world.items[i]->kind == ITEM_OPEN;
    return count;
}

// Only few at once, so that the queue for them is used.
int bus_subscribe(struct bus *bus, struct tile tile)
{
    (void)bus;
    if (!world.bus_up)
        return ERR_CLOSED;
    if (confirmations() >= 2)
        return ERR_FULL;
    struct world_item *item = calloc(1, sizeof *item);
    item->kind = ITEM_OPEN;
    item->tile = world_tile_index(tile);
    world.items[world.item_count++] = item;
    assert_false(world.subscribed[item->tile]);
    world.subscribed[item->tile] = true;
    return 0;
}

void bus_unsubscribe(struct bus *bus, struct tile tile)
{
    (void)bus;
    assert_true(world.subscribed[world_tile_index(tile)]);
    world.subscribed[world_tile_index(tile)] = false;
}

unsigned world_subscriptions(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < WORLD_TILES; i++)
        count += world.subscribed[i];
    return count;
}

void world_bus(bool up)
{
    if (world.bus_reachable == up)
        return;
    world.bus_reachable = up;
    if (up) {
        struct world_item *item = calloc(1, sizeof *item);
        item->kind = ITEM_UP;
        world.items[world.item_count++] = item;
        return;
    }
    drop_items();
    memset(world.subscribed, 0, sizeof world.subscribed);
    if (world.bus_up) {
        world.bus_up = false;
        world.events.on_down(world.events.arg);
    }
}

void world_drop_bus(unsigned percent)
{
    world.drop_percent = percent;
}

bool world_deliver(void)
{
    if (world.item_count == 0)
        return false;
    struct world_item *item = world.items[0];
    world.item_count--;
    memmove(world.items, world.items + 1, world.item_count * sizeof world.items[0]);
    item->message.updates = item->updates;
    switch (item->kind) {
    case ITEM_UP:
        world.bus_up = true;
        world.events.on_up(world.events.arg);
        break;
    case ITEM_OPEN:
        world.events.on_open(world_tile(item->tile), world.events.arg);
        break;
    case ITEM_MESSAGE:
        world.events.on_message(world_tile(item->tile), &item->message, world.events.arg);
        break;
    }
    free(item);
    return true;
}

// ---- The worker -----------------------------------------------------------------------------------------------------

int worker_submit(struct worker *worker, struct worker_job *job)
{
    (void)worker;
    if (world.job_count == 2)
        return ERR_FULL;
    world.jobs[world.job_count++] = job;
    return 0;
}

bool world_work(void)
{
    if (world.job_count == 0)
        return false;
    struct worker_job *job = world.jobs[0];
    world.job_count--;
    memmove(world.jobs, world.jobs + 1, world.job_count * sizeof world.jobs[0]);
    job->run(job);
    job->done(job);
    return true;
}
