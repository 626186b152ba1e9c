// What goes to whom, and when: one write a client and tick, clients that lag, and those that come back.
#include "tests/unit/hub_steps.h"

static void test_quiet_means_at_once(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    steps_work();
    assert_int_equal(world_writes(0), 0); // nothing was ever placed
    world_place(0, 1);
    world_deliver();
    world_turn(0);
    assert_int_equal(world_writes(0), 1);
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_snapshots(0), 0);
}

static void test_one_write_per_client_and_tick(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_join(i, i < 3 ? 7 : 63, true, STEPS_WIDE), 0);
    steps_work();
    for (unsigned i = 0; i < 30; i++)
        world_place(i % 6, 3);
    while (world_deliver())
        ;
    world_turn(0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_writes(i), 1);
    assert_int_equal(world_metric("tessera_audiences", NULL), 2);
    assert_int_equal(world_metric("tessera_fanout_rounds_total", NULL), 1);
    steps_read_all();
    world_check_equal();
}

static void test_watching_less_gets_less(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    assert_int_equal(world_join(1, 2, true, STEPS_WIDE), 0);
    steps_work();
    for (unsigned i = 0; i < 10; i++) {
        world_place(0, 1);
        steps_work();
    }
    assert_int_equal(world_writes(0), 10);
    assert_int_equal(world_writes(1), 0);
}

static void test_joins_and_leaves_within_a_round(void **state)
{
    (void)state;
    steps_options.slice_clients = 1;
    steps_options.lane_clients = WORLD_CLIENTS;
    steps_restart();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_join(i, 3, true, STEPS_WIDE), 0);
    steps_work();
    world_place(0, 2);
    world_take(0);
    world_place(0, 2);
    world_place(1, 1);
    while (world_deliver())
        ;
    world_turn(0); // the first client has it
    assert_int_equal(world_writes(0), 1);
    assert_int_equal(world_writes(5), 0);
    world_leave(1);
    assert_int_equal(world_join(6, 3, true, STEPS_WIDE), 0);
    world_place(0, 1); // for the next round
    world_deliver();
    steps_work();
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_writes(5), 2);
    assert_int_equal(world_metric("tessera_clients_lagging", NULL), 0);
}

static void test_slow_client_gets_what_it_missed(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, 100), 0);
    assert_int_equal(world_join(1, 1, true, STEPS_WIDE), 0);
    steps_work();
    for (unsigned i = 0; i < 12; i++) {
        world_place(0, 4);
        steps_work();
    }
    assert_int_equal(world_metric("tessera_clients_lagging", NULL), 1);
    assert_int_equal(world_writes(1), 12);
    unsigned before = world_writes(0);
    steps_read_all();
    steps_work();
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_writes(0), before + 1); // all that it missed, at once
    assert_int_equal(world_snapshots(0), 0);
    assert_int_equal(world_updates(0), 48);
    assert_int_equal(world_metric("tessera_clients_lagging", NULL), 0);
}

static void test_very_slow_clients_share_one_snapshot(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_join(i, 1, true, 50), 0);
    steps_work();
    for (unsigned i = 0; i < 100; i++) {
        world_place(0, 10);
        steps_work();
    }
    steps_read_all();
    steps_work();
    steps_read_all();
    steps_work();
    steps_read_all();
    world_check_equal();
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_snapshots(i), 1);
    assert_int_equal(world_metric("tessera_snapshots_compressed_total", NULL), 1);
}

// More comes in one tick than the ring holds: everybody gets a snapshot, and nobody a gap.
static void test_more_than_the_ring_in_one_tick(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    steps_work();
    for (unsigned i = 0; i < 40; i++)
        world_place(0, 10);
    steps_work();
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_snapshots(0), 1);
}

static void test_comes_back_with_its_positions(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 3, true, STEPS_WIDE), 0);
    steps_work();
    world_place(0, 5);
    steps_work();
    steps_read_all();
    world_leave(0);
    world_place(0, 7);
    world_place(1, 1);
    steps_work();
    unsigned before = world_updates(0);
    assert_int_equal(world_join(0, 3, true, STEPS_WIDE), 0);
    steps_work();
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_updates(0) - before, 8);
    assert_int_equal(world_snapshots(0), 0);
    world_leave(0);
    assert_int_equal(world_join(0, 3, true, STEPS_WIDE), 0);
    steps_work();
    assert_int_equal(world_writes(0), 2); // the last time it had missed nothing
}

static void test_changes_what_it_watches(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    steps_work();
    for (unsigned i = 0; i < 6; i++)
        world_place(i, 3);
    assert_int_equal(world_asked(0), 1);
    assert_int_equal(world_watch(0, 7), 0);
    assert_int_equal(world_asked(0), 2);
    steps_work();
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_watch(0, 7), 0);
    assert_int_equal(world_asked(0), 0);
    assert_int_equal(world_watch(0, 32), 0);
    assert_int_equal(world_asked(0), 1);
    steps_work();
    world_place(0, 1);
    world_place(5, 1);
    steps_work();
    steps_read_all();
    world_check_equal();
}

static void test_resume_from_nothing_and_from_the_latest(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, false, STEPS_WIDE), 0);
    steps_work();
    world_place(0, 3);
    steps_work();
    steps_read_all();
    unsigned before = world_writes(0);
    world_resume(0, 0, false);
    steps_work();
    assert_int_equal(world_writes(0), before); // it has the latest
    assert_int_equal(world_asked(0), 1);
    world_resume(0, 0, true);
    world_resume(0, 4, true); // not watched: ignored
    assert_int_equal(world_asked(0), 0);
    steps_work();
    steps_read_all();
    world_check_equal();
    assert_int_equal(world_writes(0), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(test_quiet_means_at_once),
        STEPS(test_one_write_per_client_and_tick),
        STEPS(test_watching_less_gets_less),
        STEPS(test_joins_and_leaves_within_a_round),
        STEPS(test_slow_client_gets_what_it_missed),
        STEPS(test_very_slow_clients_share_one_snapshot),
        STEPS(test_more_than_the_ring_in_one_tick),
        STEPS(test_comes_back_with_its_positions),
        STEPS(test_changes_what_it_watches),
        STEPS(test_resume_from_nothing_and_from_the_latest),
    };
    return cmocka_run_group_tests_name("hub_fanout", tests, NULL, NULL);
}
