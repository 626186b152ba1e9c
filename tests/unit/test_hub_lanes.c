// Clients in lanes, and the tick that grows with what a round costs.
#include "fake_loop.h"
#include "tests/unit/hub_steps.h"

static void test_tick_grows_with_the_cost(void **state)
{
    (void)state;
    steps_options.slice_clients = 2;
    steps_options.lane_clients = 8;
    steps_restart();
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(world_join(i, 1, true, STEPS_WIDE), 0);
    steps_work();
    world_place(0, 1);
    steps_work();
    assert_int_equal(world_metric("tessera_fanout_tick_seconds", NULL), 5000);
    fake_loop_cost(7000); // four slices
    world_place(0, 1);
    steps_work();
    assert_in_range(world_metric("tessera_fanout_tick_seconds", NULL), 4 * 7000 * 5 / 4, 5 * 7000 * 5 / 4);
    uint64_t rounds = world_metric("tessera_fanout_rounds_total", NULL);
    world_place(0, 1);
    world_deliver();
    world_turn(1000);
    assert_int_equal(world_metric("tessera_fanout_rounds_total", NULL), rounds); // too early
    fake_loop_cost(1000000);
    for (unsigned i = 0; i < 10; i++)
        steps_work();
    assert_int_equal(world_metric("tessera_fanout_tick_seconds", NULL), 200000);
    fake_loop_cost(0);
    world_settle();
    world_check_equal();
}

static void begin_lanes(unsigned clients)
{
    steps_options.slice_clients = steps_options.lane_clients = 2;
    steps_restart();
    for (unsigned i = 0; i < clients; i++)
        assert_int_equal(world_join(i, 1, true, STEPS_WIDE), 0);
    steps_work();
}

static uint64_t rounds_per_placement(void)
{
    uint64_t before = world_metric("tessera_fanout_rounds_total", NULL);
    world_place(0, 1);
    steps_work();
    return world_metric("tessera_fanout_rounds_total", NULL) - before;
}

// What comes while others are served leaves with the next lane, not when all have been served.
static void test_a_lane_takes_all_that_has_come(void **state)
{
    (void)state;
    begin_lanes(6);
    for (unsigned lane = 0; lane < 3; lane++) {
        world_place(0, 1);
        world_deliver();
        world_turn(100);
        for (unsigned i = 0; i < 6; i++)
            assert_int_equal(world_writes(i), i / 2 <= lane);
    }
    steps_read_all();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_updates(i), 1 + i / 2);
    steps_work();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_writes(i), i < 4 ? 2 : 1); // the last lane had it all
    steps_read_all();
    world_check_equal();
}

// Lanes do not make frames more frequent: each client waits as long as if all were one lane.
static void test_tick_of_lanes_is_the_cost_of_all(void **state)
{
    (void)state;
    begin_lanes(8);
    fake_loop_cost(7000);
    world_place(0, 1);
    steps_work();
    assert_in_range(world_metric("tessera_fanout_tick_seconds", NULL), 4 * 7000 * 5 / 4, 5 * 7000 * 5 / 4);
    for (unsigned i = 2; i < 8; i++)
        world_leave(i);
    world_place(0, 1);
    for (unsigned i = 0; i < 4; i++)
        steps_work();
    assert_in_range(world_metric("tessera_fanout_tick_seconds", NULL), 7000 * 5 / 4, 2 * 7000 * 5 / 4);
    fake_loop_cost(0);
    world_settle();
    world_check_equal();
}

// Those that lost clients get them back.
static void test_lanes_fill_up(void **state)
{
    (void)state;
    begin_lanes(8);
    assert_int_equal(rounds_per_placement(), 4);
    for (unsigned i = 0; i < 6; i++)
        world_leave(i);
    assert_int_equal(rounds_per_placement(), 1);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_join(i, 1, true, STEPS_WIDE), 0);
    steps_work();
    assert_int_equal(rounds_per_placement(), 4);
    steps_read_all();
    world_check_equal();
}

// A lane that saw nothing of a tile for a while begins where the tile is.
static void test_lane_that_did_not_watch(void **state)
{
    (void)state;
    begin_lanes(4);
    world_place(0, 3);
    world_leave(0);
    world_leave(1);
    steps_work();
    world_place(0, 3);
    steps_work();
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    assert_int_equal(world_join(1, 1, true, STEPS_WIDE), 0);
    steps_work();
    for (unsigned i = 0; i < 12; i++) { // over the lanes
        world_leave(i % 4);
        world_place(0, 1);
        steps_work();
        assert_int_equal(world_join(i % 4, 1, true, STEPS_WIDE), 0);
        steps_work();
        world_place(0, 1);
        steps_work();
        steps_read_all();
        world_check_equal();
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_snapshots(i), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(test_tick_grows_with_the_cost),         STEPS(test_a_lane_takes_all_that_has_come),
        STEPS(test_tick_of_lanes_is_the_cost_of_all), STEPS(test_lanes_fill_up),
        STEPS(test_lane_that_did_not_watch),
    };
    return cmocka_run_group_tests_name("hub_lanes", tests, NULL, NULL);
}
