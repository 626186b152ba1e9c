// The whole hub in a made-up world: whatever is lost, cut, taken back or slow, clients that follow the protocol's rule
// end equal to Redis; those that only read never see a gap, nor anything twice.

#include <stdlib.h>

#include "alloc_fail.h"
#include "check.h"
#include "hub_world.h"

static uint64_t now_running;
static bool tight; // hardly any room for watches

static unsigned some_tiles(void)
{
    static const unsigned few[] = {3, 7, 60, 63};
    return tight ? few[world_random(4)] : (unsigned)world_random(1u << WORLD_TILES);
}

// Only want of memory or room is a reason to refuse.
static void check(int err)
{
    if (err != 0)
        assert_true(err == ERR_FULL && (tight || alloc_fail_count() > 0));
}

// The first half of the clients is strict: they watch what they watch, and read.
static void client_event(unsigned client)
{
    bool strict = client < WORLD_CLIENTS / 2;
    uint64_t what = world_random(20);
    if (!world_joined(client)) {
        if (world_random(3) == 0)
            world_forget(client);
        check(world_join(client, some_tiles(), strict, 200 + world_random(4000)));
    } else if (what < 12) {
        world_read(client, world_random(3000));
    } else if (what == 12) {
        world_leave(client);
    } else if ((what == 13 || (tight && what < 17)) && !strict) {
        check(world_watch(client, some_tiles()));
    } else if (what == 14 && !strict) {
        world_resume(client, (unsigned)world_random(WORLD_TILES), world_random(2));
    } else if (what == 17 && !strict) {
        check(world_keep(client, some_tiles()));
    }
}

static void trouble(void)
{
    unsigned tile = (unsigned)world_random(WORLD_TILES);
    switch (world_random(12)) {
    case 0:
        world_bus(false);
        break;
    case 1:
        world_store(false);
        break;
    case 2:
        world_crash(tile, (unsigned)world_random(5));
        break;
    case 3:
        world_trim(tile, (unsigned)world_random(4));
        break;
    case 4:
        world_corrupt_next();
        break;
    case 5:
        world_drop_bus((unsigned)world_random(40));
        break;
    default:
        world_bus(true);
        world_store(true);
        world_drop_bus(0);
        break;
    }
}

static void event(void)
{
    unsigned tile = (unsigned)world_random(WORLD_TILES);
    uint64_t what = world_random(100);
    if (what < 25)
        world_place(tile, 1 + (unsigned)world_random(world_random(10) == 0 ? 100 : 5));
    else if (what < 27)
        world_take(tile);
    else if (what < 29)
        world_beat(tile);
    else if (what < 45)
        world_deliver();
    else if (what < 50)
        world_serve();
    else if (what < 55)
        world_answer();
    else if (what < 60)
        world_work();
    else if (what < 80)
        client_event((unsigned)world_random(WORLD_CLIENTS));
    else if (what < 81)
        trouble();
    else
        world_turn((int64_t)world_random(6000));
}

static void run(uint64_t seed, unsigned events, unsigned fail_one_in)
{
    if (getenv("SEED") == NULL && seed % 20 == 0)
        print_message("up to seed %llu\n", (unsigned long long)seed);
    now_running = seed;
    const struct hub_options options = world_options(tight);
    world_begin(seed, &options);
    world_bus(true);
    world_store(true);
    alloc_fail_one_in(fail_one_in, (unsigned)seed);
    for (unsigned i = 0; i < events; i++) {
        event();
        world_bury();
    }
    assert_true(fail_one_in == 0 || alloc_fail_count() > 5);
    world_settle();
    for (unsigned i = 0; i < WORLD_TILES; i++)
        world_beat(i);
    world_settle();
    world_check_equal();
    assert_int_equal(world_metric("tessera_clients_lagging", NULL), 0);
    assert_true(world_reads_peak() <= 64);
    world_end();
}

// SEED=17: that one alone. SEEDS=1000: so many.
static void test_everything_converges(void **state)
{
    (void)state;
    const char *only = getenv("SEED"), *many = getenv("SEEDS");
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    uint64_t count = only != NULL ? 1 : many != NULL ? strtoull(many, NULL, 10) : 60;
    for (uint64_t seed = first; seed < first + count; seed++)
        run(seed, 2000, 0);
}

static void test_without_memory(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++)
        run(seed, 2000, 2 + (unsigned)seed);
}

// At the cap clients go where others are: from lane to lane, also those that lag.
static void test_without_room(void **state)
{
    (void)state;
    tight = true;
    for (uint64_t seed = 1; seed <= 60; seed++)
        run(seed, 2000, 0);
    tight = false;
}

static int say_seed(void **state)
{
    (void)state;
    print_message("last seed %llu\n", (unsigned long long)now_running);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_everything_converges, say_seed),
        cmocka_unit_test_teardown(test_without_memory, say_seed),
        cmocka_unit_test_teardown(test_without_room, say_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
