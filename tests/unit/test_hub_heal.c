// How replicas heal: gaps, epochs, what Redis lost, wrong pixels, a bus and a store that come back.
#include "gateway/tiles.h"
#include "tests/unit/hub_steps.h"

static uint64_t resyncs(const char *reason)
{
    return world_metric("tessera_resyncs_total", reason);
}

static void test_gap_is_read_from_the_log(void **state)
{
    (void)state;
    steps_watch_one();
    steps_place_and_lose(0, 60);
    world_place(0, 1);
    steps_assert_healed();
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 1);
    assert_int_equal(world_metric("tessera_gaps_total", NULL), 1);
    assert_int_equal(world_metric("tessera_heal_seconds", NULL), 1);
    assert_int_equal(world_snapshots(0), 0);
}

static void test_gap_over_epochs(void **state)
{
    (void)state;
    steps_watch_one();
    world_take(0);
    steps_place_and_lose(0, 2);
    world_take(0);
    world_place(0, 1);
    steps_assert_healed();
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 1);
}

static void test_too_far_and_trimmed_start_over(void **state)
{
    (void)state;
    steps_watch_one();
    steps_place_and_lose(0, 70);
    world_place(0, 1);
    steps_assert_healed();
    assert_int_equal(resyncs("reason=\"too_far\""), 1);
    steps_place_and_lose(0, 10);
    world_trim(0, 2);
    world_place(0, 1);
    steps_assert_healed();
    assert_int_equal(resyncs("reason=\"trimmed\""), 1);
}

// The bus ran ahead of the disk, and the disk lost it.
static void test_what_redis_lost_is_taken_back(void **state)
{
    (void)state;
    steps_watch_one();
    world_place(0, 2);
    steps_work();
    steps_read_all();
    world_crash(0, 1);
    world_bus(true);
    world_store(true);
    steps_assert_healed();
    assert_int_equal(resyncs("reason=\"rewound\""), 1);
    assert_int_equal(world_snapshots(0), 1);
    // And when others were placed in their stead, so that the numbers say nothing.
    world_place(0, 2);
    steps_work();
    world_crash(0, 1);
    world_place(0, 2);
    world_bus(true);
    world_store(true);
    steps_assert_healed();
    assert_int_equal(resyncs("reason=\"epoch\""), 1);
}

// However often it was away: what failed for want of it need not wait any longer.
static void test_reads_begin_anew_with_the_store(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    for (unsigned i = 0; i < 8; i++) {
        while (world_deliver())
            world_turn(1000);
        world_turn(1000);
        world_turn(1000);
        assert_true(world_serve());
        world_store(false);
        world_turn(1000);
        world_store(true);
    }
    steps_assert_healed();
}

static void test_wrong_pixels_are_found_by_the_beat(void **state)
{
    (void)state;
    world_corrupt_next();
    steps_watch_one();
    // One that lags at exactly the position at which the pixels are wrong has to be told as well.
    assert_int_equal(world_join(1, 3, true, 10), 0);
    steps_work();
    world_beat(0);
    world_place(1, 10);
    steps_assert_healed();
    assert_int_equal(resyncs("reason=\"checksum\""), 1);
    assert_int_equal(world_snapshots(0), 1);
    assert_int_equal(world_snapshots(1), 1);
}

static void test_lost_tail_is_found_unasked(void **state)
{
    (void)state;
    steps_watch_one();
    steps_place_and_lose(0, 3);
    world_beat(0);
    steps_assert_healed();
    steps_place_and_lose(0, 3);
    for (unsigned i = 0; i < 12 * 50; i++)
        steps_work(); // 12 s: without a beat the poll finds it
    steps_assert_healed();
    assert_true(world_metric("tessera_polls_total", NULL) >= 1);
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 2);
}

static void test_bus_comes_back(void **state)
{
    (void)state;
    steps_watch_one();
    assert_true(hub_holds(world_hub(), (struct tile){0, 0}));
    assert_false(hub_holds(world_hub(), (struct tile){1, 1}));
    world_bus(false);
    assert_false(hub_ready(world_hub()));
    world_place(0, 3);
    steps_work();
    world_bus(true);
    steps_assert_healed();
    assert_true(hub_ready(world_hub()));
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 1);
}

// What comes while the tile is read is kept; too much of it is not, and read from the log.
static void test_updates_while_loading(void **state)
{
    (void)state;
    world_place(0, 3);
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    while (!world_serve()) {
        world_deliver();
        world_turn(1000);
    }
    for (unsigned i = 0; i < 5; i++)
        world_place(0, 20);
    while (world_deliver())
        ;
    world_answer();
    assert_int_equal(world_metric("tessera_updates_total", NULL), 100);
    steps_assert_healed();
    assert_int_equal(world_metric("tessera_pending_overflows_total", NULL), 0);
}

static void test_too_many_updates_while_loading(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    while (!world_serve()) {
        world_deliver();
        world_turn(1000);
    }
    for (unsigned i = 0; i < 60; i++)
        world_place(0, 500);
    while (world_deliver())
        ;
    assert_true(world_metric("tessera_replica_bytes", NULL) < 3 * HELD_PENDING_MAX);
    world_answer();
    steps_assert_healed();
    assert_int_equal(world_metric("tessera_pending_overflows_total", NULL), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(test_gap_is_read_from_the_log),        STEPS(test_gap_over_epochs),
        STEPS(test_too_far_and_trimmed_start_over),  STEPS(test_what_redis_lost_is_taken_back),
        STEPS(test_reads_begin_anew_with_the_store), STEPS(test_wrong_pixels_are_found_by_the_beat),
        STEPS(test_lost_tail_is_found_unasked),      STEPS(test_bus_comes_back),
        STEPS(test_updates_while_loading),           STEPS(test_too_many_updates_while_loading),
    };
    return cmocka_run_group_tests_name("hub_heal", tests, NULL, NULL);
}
