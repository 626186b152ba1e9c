#include "tests/unit/hub_steps.h"

struct hub_options steps_options;

int steps_begin(void **state)
{
    (void)state;
    steps_options = (struct hub_options){
        .redis_address = "",
        .replica_memory = 1 << 24,
        .linger_ms = 1000,
        .tick_min_ms = 5,
        .tick_max_ms = 200,
        .slice_clients = 64,
        .ring_updates = 64,
    };
    world_begin(1, &steps_options);
    world_bus(true);
    world_store(true);
    return 0;
}

int steps_end(void **state)
{
    (void)state;
    world_end();
    return 0;
}

void steps_restart(void)
{
    world_end();
    world_begin(1, &steps_options);
    world_bus(true);
    world_store(true);
}

void steps_work(void)
{
    for (unsigned turn = 0; turn < 20; turn++) {
        while (world_deliver() || world_serve() || world_answer() || world_work())
            ;
        world_turn(1000);
    }
}

void steps_read_all(void)
{
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        world_read(i, SIZE_MAX);
}

void steps_watch_one(void)
{
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    steps_work();
    world_place(0, 3);
    steps_work();
}

void steps_place_and_lose(unsigned tile, unsigned batches)
{
    steps_work();
    world_drop_bus(100);
    for (unsigned i = 0; i < batches; i++)
        world_place(tile, 1);
    world_drop_bus(0);
}

void steps_assert_healed(void)
{
    for (unsigned i = 0; i < 5; i++) {
        steps_work();
        steps_read_all();
    }
    world_check_equal();
}
