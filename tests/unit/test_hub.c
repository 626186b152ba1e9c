// The hub, step by step: what goes to whom, how it heals, where it ends.

#include <stdlib.h>

#include "check.h"
#include "fake_loop.h"
#include "gateway/tiles.h"
#include "hub_world.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"

#define WIDE 1000000u // a socket that never fills up

static struct hub_options options;

static int begin(void **state)
{
    (void)state;
    options = (struct hub_options){
        .redis_address = "",
        .replica_memory = 1 << 24,
        .linger_ms = 1000,
        .tick_min_ms = 5,
        .tick_max_ms = 200,
        .slice_clients = 64,
        .ring_updates = 64,
    };
    world_begin(1, &options);
    world_bus(true);
    world_store(true);
    return 0;
}

static int end(void **state)
{
    (void)state;
    world_end();
    return 0;
}

static void restart(void)
{
    world_end();
    world_begin(1, &options);
    world_bus(true);
    world_store(true);
}

// Bus, store and worker do all they have to; a few milliseconds pass.
static void work(void)
{
    for (unsigned turn = 0; turn < 20; turn++) {
        while (world_deliver() || world_serve() || world_answer() || world_work())
            ;
        world_turn(1000);
    }
}

static void read_all(void)
{
    for (unsigned i = 0; i < WORLD_CLIENTS; i++)
        world_read(i, SIZE_MAX);
}

static uint64_t resyncs(const char *reason)
{
    return world_metric("tessera_resyncs_total", reason);
}

static void place_and_lose(unsigned tile, unsigned batches)
{
    work();
    world_drop_bus(100);
    for (unsigned i = 0; i < batches; i++)
        world_place(tile, 1);
    world_drop_bus(0);
}

// ---- Fan-out -------------------------------------------------------------------------------------------------------

static void test_quiet_means_at_once(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    work();
    assert_int_equal(world_writes(0), 0); // nothing was ever placed
    world_place(0, 1);
    world_deliver();
    world_turn(0);
    assert_int_equal(world_writes(0), 1);
    read_all();
    world_check_equal();
    assert_int_equal(world_snapshots(0), 0);
}

static void test_one_write_per_client_and_tick(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_join(i, i < 3 ? 7 : 63, true, WIDE), 0);
    work();
    for (unsigned i = 0; i < 30; i++)
        world_place(i % 6, 3);
    while (world_deliver())
        ;
    world_turn(0);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_writes(i), 1);
    assert_int_equal(world_metric("tessera_audiences", NULL), 2);
    assert_int_equal(world_metric("tessera_fanout_rounds_total", NULL), 1);
    read_all();
    world_check_equal();
}

static void test_watching_less_gets_less(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    assert_int_equal(world_join(1, 2, true, WIDE), 0);
    work();
    for (unsigned i = 0; i < 10; i++) {
        world_place(0, 1);
        work();
    }
    assert_int_equal(world_writes(0), 10);
    assert_int_equal(world_writes(1), 0);
}

static void test_tick_grows_with_the_cost(void **state)
{
    (void)state;
    options.slice_clients = 2;
    options.lane_clients = 8;
    restart();
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(world_join(i, 1, true, WIDE), 0);
    work();
    world_place(0, 1);
    work();
    assert_int_equal(world_metric("tessera_fanout_tick_seconds", NULL), 5000);
    fake_loop_cost(7000); // four slices
    world_place(0, 1);
    work();
    assert_in_range(world_metric("tessera_fanout_tick_seconds", NULL), 4 * 7000 * 5 / 4, 5 * 7000 * 5 / 4);
    uint64_t rounds = world_metric("tessera_fanout_rounds_total", NULL);
    world_place(0, 1);
    world_deliver();
    world_turn(1000);
    assert_int_equal(world_metric("tessera_fanout_rounds_total", NULL), rounds); // too early
    fake_loop_cost(1000000);
    for (unsigned i = 0; i < 10; i++)
        work();
    assert_int_equal(world_metric("tessera_fanout_tick_seconds", NULL), 200000);
    fake_loop_cost(0);
    world_settle();
    world_check_equal();
}

static void begin_lanes(unsigned clients)
{
    options.slice_clients = options.lane_clients = 2;
    restart();
    for (unsigned i = 0; i < clients; i++)
        assert_int_equal(world_join(i, 1, true, WIDE), 0);
    work();
}

static uint64_t rounds_per_placement(void)
{
    uint64_t before = world_metric("tessera_fanout_rounds_total", NULL);
    world_place(0, 1);
    work();
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
    read_all();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_updates(i), 1 + i / 2);
    work();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_writes(i), i < 4 ? 2 : 1); // the last lane had it all
    read_all();
    world_check_equal();
}

// Lanes do not make frames more frequent: each client waits as long as if all were one lane.
static void test_tick_of_lanes_is_the_cost_of_all(void **state)
{
    (void)state;
    begin_lanes(8);
    fake_loop_cost(7000);
    world_place(0, 1);
    work();
    assert_in_range(world_metric("tessera_fanout_tick_seconds", NULL), 4 * 7000 * 5 / 4, 5 * 7000 * 5 / 4);
    for (unsigned i = 2; i < 8; i++)
        world_leave(i);
    world_place(0, 1);
    for (unsigned i = 0; i < 4; i++)
        work();
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
        assert_int_equal(world_join(i, 1, true, WIDE), 0);
    work();
    assert_int_equal(rounds_per_placement(), 4);
    read_all();
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
    work();
    world_place(0, 3);
    work();
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    assert_int_equal(world_join(1, 1, true, WIDE), 0);
    work();
    for (unsigned i = 0; i < 12; i++) { // over the lanes
        world_leave(i % 4);
        world_place(0, 1);
        work();
        assert_int_equal(world_join(i % 4, 1, true, WIDE), 0);
        work();
        world_place(0, 1);
        work();
        read_all();
        world_check_equal();
    }
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_snapshots(i), 0);
}

static void test_joins_and_leaves_within_a_round(void **state)
{
    (void)state;
    options.slice_clients = 1;
    options.lane_clients = WORLD_CLIENTS;
    restart();
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(world_join(i, 3, true, WIDE), 0);
    work();
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
    assert_int_equal(world_join(6, 3, true, WIDE), 0);
    world_place(0, 1); // for the next round
    world_deliver();
    work();
    read_all();
    world_check_equal();
    assert_int_equal(world_writes(5), 2);
    assert_int_equal(world_metric("tessera_clients_lagging", NULL), 0);
}

static void test_slow_client_gets_what_it_missed(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, 100), 0);
    assert_int_equal(world_join(1, 1, true, WIDE), 0);
    work();
    for (unsigned i = 0; i < 12; i++) {
        world_place(0, 4);
        work();
    }
    assert_int_equal(world_metric("tessera_clients_lagging", NULL), 1);
    assert_int_equal(world_writes(1), 12);
    unsigned before = world_writes(0);
    read_all();
    work();
    read_all();
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
    work();
    for (unsigned i = 0; i < 100; i++) {
        world_place(0, 10);
        work();
    }
    read_all();
    work();
    read_all();
    work();
    read_all();
    world_check_equal();
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(world_snapshots(i), 1);
    assert_int_equal(world_metric("tessera_snapshots_compressed_total", NULL), 1);
}

// More comes in one tick than the ring holds: everybody gets a snapshot, and nobody a gap.
static void test_more_than_the_ring_in_one_tick(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    work();
    for (unsigned i = 0; i < 40; i++)
        world_place(0, 10);
    work();
    read_all();
    world_check_equal();
    assert_int_equal(world_snapshots(0), 1);
}

static void test_comes_back_with_its_positions(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 3, true, WIDE), 0);
    work();
    world_place(0, 5);
    work();
    read_all();
    world_leave(0);
    world_place(0, 7);
    world_place(1, 1);
    work();
    unsigned before = world_updates(0);
    assert_int_equal(world_join(0, 3, true, WIDE), 0);
    work();
    read_all();
    world_check_equal();
    assert_int_equal(world_updates(0) - before, 8);
    assert_int_equal(world_snapshots(0), 0);
    world_leave(0);
    assert_int_equal(world_join(0, 3, true, WIDE), 0);
    work();
    assert_int_equal(world_writes(0), 2); // the last time it had missed nothing
}

static void test_changes_what_it_watches(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    work();
    for (unsigned i = 0; i < 6; i++)
        world_place(i, 3);
    assert_int_equal(world_asked(0), 1);
    assert_int_equal(world_watch(0, 7), 0);
    assert_int_equal(world_asked(0), 2);
    work();
    read_all();
    world_check_equal();
    assert_int_equal(world_watch(0, 7), 0);
    assert_int_equal(world_asked(0), 0);
    assert_int_equal(world_watch(0, 32), 0);
    assert_int_equal(world_asked(0), 1);
    work();
    world_place(0, 1);
    world_place(5, 1);
    work();
    read_all();
    world_check_equal();
}

static void test_resume_from_nothing_and_from_the_latest(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, false, WIDE), 0);
    work();
    world_place(0, 3);
    work();
    read_all();
    unsigned before = world_writes(0);
    world_resume(0, 0, false);
    work();
    assert_int_equal(world_writes(0), before); // it has the latest
    assert_int_equal(world_asked(0), 1);
    world_resume(0, 0, true);
    world_resume(0, 4, true); // not watched: ignored
    assert_int_equal(world_asked(0), 0);
    work();
    read_all();
    world_check_equal();
    assert_int_equal(world_writes(0), before + 1);
}

// ---- Healing -------------------------------------------------------------------------------------------------------

static void watch_one(void)
{
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    work();
    world_place(0, 3);
    work();
}

static void assert_healed(void)
{
    for (unsigned i = 0; i < 5; i++) {
        work();
        read_all();
    }
    world_check_equal();
}

static void test_gap_is_read_from_the_log(void **state)
{
    (void)state;
    watch_one();
    place_and_lose(0, 60);
    world_place(0, 1);
    assert_healed();
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 1);
    assert_int_equal(world_metric("tessera_gaps_total", NULL), 1);
    assert_int_equal(world_metric("tessera_heal_seconds", NULL), 1);
    assert_int_equal(world_snapshots(0), 0);
}

static void test_gap_over_epochs(void **state)
{
    (void)state;
    watch_one();
    world_take(0);
    place_and_lose(0, 2);
    world_take(0);
    world_place(0, 1);
    assert_healed();
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 1);
}

static void test_too_far_and_trimmed_start_over(void **state)
{
    (void)state;
    watch_one();
    place_and_lose(0, 70);
    world_place(0, 1);
    assert_healed();
    assert_int_equal(resyncs("reason=\"too_far\""), 1);
    place_and_lose(0, 10);
    world_trim(0, 2);
    world_place(0, 1);
    assert_healed();
    assert_int_equal(resyncs("reason=\"trimmed\""), 1);
}

// The bus ran ahead of the disk, and the disk lost it.
static void test_what_redis_lost_is_taken_back(void **state)
{
    (void)state;
    watch_one();
    world_place(0, 2);
    work();
    read_all();
    world_crash(0, 1);
    world_bus(true);
    world_store(true);
    assert_healed();
    assert_int_equal(resyncs("reason=\"rewound\""), 1);
    assert_int_equal(world_snapshots(0), 1);
    // And when others were placed in their stead, so that the numbers say nothing.
    world_place(0, 2);
    work();
    world_crash(0, 1);
    world_place(0, 2);
    world_bus(true);
    world_store(true);
    assert_healed();
    assert_int_equal(resyncs("reason=\"epoch\""), 1);
}

// However often it was away: what failed for want of it need not wait any longer.
static void test_reads_begin_anew_with_the_store(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
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
    assert_healed();
}

static void test_wrong_pixels_are_found_by_the_beat(void **state)
{
    (void)state;
    world_corrupt_next();
    watch_one();
    // One that lags at exactly the position at which the pixels are wrong has to be told as well.
    assert_int_equal(world_join(1, 3, true, 10), 0);
    work();
    world_beat(0);
    world_place(1, 10);
    assert_healed();
    assert_int_equal(resyncs("reason=\"checksum\""), 1);
    assert_int_equal(world_snapshots(0), 1);
    assert_int_equal(world_snapshots(1), 1);
}

static void test_lost_tail_is_found_unasked(void **state)
{
    (void)state;
    watch_one();
    place_and_lose(0, 3);
    world_beat(0);
    assert_healed();
    place_and_lose(0, 3);
    for (unsigned i = 0; i < 12 * 50; i++)
        work(); // 12 s: without a beat the poll finds it
    assert_healed();
    assert_true(world_metric("tessera_polls_total", NULL) >= 1);
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 2);
}

static void test_bus_comes_back(void **state)
{
    (void)state;
    watch_one();
    assert_true(hub_holds(world_hub(), (struct tile){0, 0}));
    assert_false(hub_holds(world_hub(), (struct tile){1, 1}));
    world_bus(false);
    assert_false(hub_ready(world_hub()));
    world_place(0, 3);
    work();
    world_bus(true);
    assert_healed();
    assert_true(hub_ready(world_hub()));
    assert_int_equal(world_metric("tessera_repairs_total", NULL), 1);
}

// What comes while the tile is read is kept; too much of it is not, and read from the log.
static void test_updates_while_loading(void **state)
{
    (void)state;
    world_place(0, 3);
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
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
    assert_healed();
    assert_int_equal(world_metric("tessera_pending_overflows_total", NULL), 0);
}

static void test_too_many_updates_while_loading(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
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
    assert_healed();
    assert_int_equal(world_metric("tessera_pending_overflows_total", NULL), 1);
}

// ---- Bounds --------------------------------------------------------------------------------------------------------

static void test_watch_limit(void **state)
{
    (void)state;
    options.replica_memory = 2 * held_cost(WORLD_TILE_LEN, options.ring_updates) + 2048;
    restart();
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    assert_int_equal(world_join(1, 7, false, WIDE), ERR_FULL); // joined, watching nothing
    work();
    assert_int_equal(world_watch(1, 2), 0);
    work();
    assert_int_equal(world_watch(1, 6), ERR_FULL); // the old watch stays
    world_place(1, 1);
    assert_healed();
    assert_int_equal(world_updates(1), 1);
    // The tile that nobody watches any more gives way at once, before it has lingered.
    world_leave(0);
    assert_int_equal(world_watch(1, 6), 0);
    assert_healed();
    // And so do those that it gives up itself.
    assert_int_equal(world_watch(1, 24), 0);
    assert_healed();
    assert_int_equal(world_watch(1, 25), ERR_FULL);
    assert_int_equal(world_metric("tessera_tiles_held", NULL), 2);
}

// Clients that all watch something else cost memory of their own: it is under the same cap.
static void test_watch_limit_of_watches(void **state)
{
    (void)state;
    options.replica_memory = WORLD_TILES * held_cost(WORLD_TILE_LEN, options.ring_updates) + 1800;
    restart();
    unsigned full = 0;
    int err;
    while ((err = world_join(full, 63u ^ full, true, WIDE)) == 0 && ++full < WORLD_CLIENTS)
        assert_healed();
    assert_int_equal(err, ERR_FULL);
    assert_in_range(full, 3, WORLD_CLIENTS - 1);
    assert_true(world_metric("tessera_replica_bytes", NULL) <= options.replica_memory);
    // It may watch what others do; or, when one of them goes, something of its own, and then another thing.
    assert_int_equal(world_watch(full, 63), 0);
    assert_healed();
    assert_int_equal(world_watch(full, 63u ^ full), ERR_FULL);
    world_leave(1);
    assert_int_equal(world_watch(full, 63u ^ full), 0);
    assert_healed();
    assert_int_equal(world_watch(full, 48), 0);
    assert_healed();
}

// What others watch costs nothing more, whichever lane they are in.
static void test_watch_limit_and_lanes(void **state)
{
    (void)state;
    const size_t tiles = 2 * held_cost(WORLD_TILE_LEN, options.ring_updates);
    options.slice_clients = options.lane_clients = 1;
    options.replica_memory = tiles + 400; // an audience, not two
    restart();
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_join(i, 3, true, WIDE), 0);
    assert_healed();
    assert_int_equal(world_metric("tessera_audiences", NULL), 1);
    world_place(0, 1);
    assert_healed();
    assert_int_equal(world_join(5, 1, true, WIDE), ERR_FULL); // something of its own
    // One that watches nothing is in a lane already, and gets into another.
    world_place(1, 1);
    assert_int_equal(world_watch(5, 3), 0);
    assert_healed();
    assert_int_equal(world_updates(5), 2);
    world_place(0, 2);
    assert_healed();
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_updates(i), 4);
}

// Whether a confirmation is of this subscription or of the one before could not be told.
static void test_waits_for_a_subscription_under_way(void **state)
{
    (void)state;
    options.replica_memory = held_cost(WORLD_TILE_LEN, options.ring_updates) + 2048;
    restart();
    world_deliver(); // connected
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    world_turn(0);
    assert_int_equal(world_subscriptions(), 1);
    world_leave(0);
    assert_int_equal(world_join(1, 2, true, WIDE), ERR_FULL);
    work();
    assert_int_equal(world_watch(1, 2), 0);
    assert_healed();
    assert_int_equal(world_subscriptions(), 1);
}

static void test_missing_tiles_are_named_once(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    work();
    world_store(false);
    world_leave(0);
    assert_int_equal(world_join(0, 3, true, WIDE), 0);
    for (unsigned i = 0; i < 48; i++)
        world_turn(100000);
    assert_int_equal(world_complaints(0), 0);
    for (unsigned i = 0; i < 100; i++)
        world_turn(100000);
    assert_int_equal(world_complaints(0), 1);
    world_place(0, 1); // what is there goes on
    work();
    read_all();
    assert_int_equal(world_client_position(0, 0).seq, 1);
    world_store(true);
    for (unsigned i = 0; i < 40; i++)
        world_turn(100000);
    assert_healed();
}

static void test_lingers_and_goes(void **state)
{
    (void)state;
    watch_one();
    for (unsigned i = 0; i < 20; i++) { // flapping costs no subscription
        world_leave(0);
        work();
        assert_int_equal(world_join(0, 1, true, WIDE), 0);
        work();
    }
    world_place(0, 1);
    assert_healed();
    world_leave(0);
    for (unsigned i = 0; i < 70; i++)
        work();
    assert_int_equal(world_metric("tessera_tiles_held", NULL), 0);
    assert_int_equal(world_subscriptions(), 0);
    assert_int_equal(world_join(0, 1, true, WIDE), 0);
    assert_healed();
    assert_int_equal(world_subscriptions(), 1);
}

static void test_refuses_what_is_not_there(void **state)
{
    (void)state;
    static const struct ws_entry outside = {{3, 0}, {0, 0}};
    static const struct ws_entry twice[] = {{{1, 0}, {0, 0}}, {{1, 0}, {0, 0}}};
    uint8_t message[64];
    struct hub_client client = {0};
    ws_encode_watch(message, WS_WATCH, &outside, 1);
    assert_int_equal(hub_join(world_hub(), &client, message + WS_WATCH_HEAD_LEN, 1), ERR_RANGE);
    ws_encode_watch(message, WS_WATCH, twice, 2);
    assert_int_equal(hub_join(world_hub(), &client, message + WS_WATCH_HEAD_LEN, 2), ERR_MALFORMED);
    assert_int_equal(hub_join(world_hub(), &client, message, 0), 0);
    assert_int_equal(hub_watch(world_hub(), &client, message + WS_WATCH_HEAD_LEN, 2), ERR_MALFORMED);
    assert_int_equal(hub_resume(world_hub(), &client, message + WS_WATCH_HEAD_LEN, 2), ERR_MALFORMED);
    hub_leave(world_hub(), &client);
    hub_leave(world_hub(), &client); // harmless
}

// ---- Images --------------------------------------------------------------------------------------------------------

struct images_seen {
    unsigned calls;
    int err;
    size_t count;
};

static void on_images(int err, struct tile_image *const *images, size_t count, void *arg)
{
    struct images_seen *seen = arg;
    *seen = (struct images_seen){seen->calls + 1, err, count};
    for (size_t i = 0; i < count; i++) {
        unsigned tile = images[i]->tile.ty * WORLD_ACROSS + images[i]->tile.tx;
        assert_true(position_equal(images[i]->pos, world_position(tile)));
        assert_memory_equal(images[i]->px, world_pixels(tile), WORLD_TILE_LEN);
        tile_image_unref(images[i]);
    }
}

static struct hub_request *ask_images(struct images_seen *seen)
{
    const struct tile tiles[] = {world_tile(4), world_tile(0)};
    return hub_images(world_hub(), tiles, 2, on_images, seen);
}

static void test_images(void **state)
{
    (void)state;
    struct images_seen seen = {0}, again = {0};
    world_place(0, 9);
    assert_non_null(ask_images(&seen));
    work();
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.err, 0);
    assert_int_equal(seen.count, 2);
    assert_null(ask_images(&again)); // they are there
    assert_int_equal(again.calls, 1);
}

static void test_images_that_do_not_come(void **state)
{
    (void)state;
    struct images_seen late = {0}, cancelled = {0}, closed = {0}, full = {0};
    assert_non_null(ask_images(&late));
    hub_images_cancel(ask_images(&cancelled));
    world_bus(false);
    for (unsigned i = 0; i < 51; i++)
        world_turn(100000);
    assert_int_equal(late.err, ERR_TIMEOUT);
    assert_int_equal(late.calls, 1);
    assert_int_equal(cancelled.calls, 0);
    world_store(false);
    assert_null(ask_images(&closed));
    assert_int_equal(closed.err, ERR_CLOSED);
    options.replica_memory = 100;
    restart();
    assert_null(ask_images(&full));
    assert_int_equal(full.err, ERR_FULL);
}

static void test_few_images_wait(void **state)
{
    (void)state;
    struct images_seen seen = {0}, full = {0};
    world_bus(false);
    for (unsigned i = 0; i < 64; i++)
        assert_non_null(ask_images(&seen));
    assert_null(ask_images(&full));
    assert_int_equal(full.err, ERR_FULL);
    world_bus(true);
    work();
    for (unsigned i = 0; i < 64; i++)
        world_turn(10);
    assert_int_equal(seen.calls, 64);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_quiet_means_at_once),
        TEST(test_one_write_per_client_and_tick),
        TEST(test_watching_less_gets_less),
        TEST(test_tick_grows_with_the_cost),
        TEST(test_a_lane_takes_all_that_has_come),
        TEST(test_tick_of_lanes_is_the_cost_of_all),
        TEST(test_lanes_fill_up),
        TEST(test_lane_that_did_not_watch),
        TEST(test_joins_and_leaves_within_a_round),
        TEST(test_slow_client_gets_what_it_missed),
        TEST(test_very_slow_clients_share_one_snapshot),
        TEST(test_more_than_the_ring_in_one_tick),
        TEST(test_comes_back_with_its_positions),
        TEST(test_changes_what_it_watches),
        TEST(test_resume_from_nothing_and_from_the_latest),
        TEST(test_gap_is_read_from_the_log),
        TEST(test_gap_over_epochs),
        TEST(test_too_far_and_trimmed_start_over),
        TEST(test_what_redis_lost_is_taken_back),
        TEST(test_reads_begin_anew_with_the_store),
        TEST(test_wrong_pixels_are_found_by_the_beat),
        TEST(test_lost_tail_is_found_unasked),
        TEST(test_bus_comes_back),
        TEST(test_updates_while_loading),
        TEST(test_too_many_updates_while_loading),
        TEST(test_watch_limit),
        TEST(test_watch_limit_of_watches),
        TEST(test_watch_limit_and_lanes),
        TEST(test_waits_for_a_subscription_under_way),
        TEST(test_missing_tiles_are_named_once),
        TEST(test_lingers_and_goes),
        TEST(test_refuses_what_is_not_there),
        TEST(test_images),
        TEST(test_images_that_do_not_come),
        TEST(test_few_images_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
