// Where the hub ends: memory, subscriptions, tiles that nobody can be given, and what it refuses.
#include "gateway/tiles.h"
#include "proto/ws_proto.h"
#include "tests/unit/hub_steps.h"

static void test_watch_limit(void **state)
{
    (void)state;
    steps_options.replica_memory = 2 * held_cost(WORLD_TILE_LEN, steps_options.ring_updates) + 2048;
    steps_restart();
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    assert_int_equal(world_join(1, 7, false, STEPS_WIDE), ERR_FULL); // joined, watching nothing
    steps_work();
    assert_int_equal(world_watch(1, 2), 0);
    steps_work();
    assert_int_equal(world_watch(1, 6), ERR_FULL); // the old watch stays
    world_place(1, 1);
    steps_assert_healed();
    assert_int_equal(world_updates(1), 1);
    // The tile that nobody watches any more gives way at once, before it has lingered.
    world_leave(0);
    assert_int_equal(world_watch(1, 6), 0);
    steps_assert_healed();
    // And so do those that it gives up itself.
    assert_int_equal(world_watch(1, 24), 0);
    steps_assert_healed();
    assert_int_equal(world_watch(1, 25), ERR_FULL);
    assert_int_equal(world_metric("tessera_tiles_held", NULL), 2);
}

// Clients that all watch something else cost memory of their own: it is under the same cap.
static void test_watch_limit_of_watches(void **state)
{
    (void)state;
    steps_options.replica_memory = WORLD_TILES * held_cost(WORLD_TILE_LEN, steps_options.ring_updates) + 1800;
    steps_restart();
    unsigned full = 0;
    int err;
    while ((err = world_join(full, 63u ^ full, true, STEPS_WIDE)) == 0 && ++full < WORLD_CLIENTS)
        steps_assert_healed();
    assert_int_equal(err, ERR_FULL);
    assert_in_range(full, 3, WORLD_CLIENTS - 1);
    assert_true(world_metric("tessera_replica_bytes", NULL) <= steps_options.replica_memory);
    // It may watch what others do; or, when one of them goes, something of its own, and then another thing.
    assert_int_equal(world_watch(full, 63), 0);
    steps_assert_healed();
    assert_int_equal(world_watch(full, 63u ^ full), ERR_FULL);
    world_leave(1);
    assert_int_equal(world_watch(full, 63u ^ full), 0);
    steps_assert_healed();
    assert_int_equal(world_watch(full, 48), 0);
    steps_assert_healed();
}

// What others watch costs nothing more, whichever lane they are in.
static void test_watch_limit_and_lanes(void **state)
{
    (void)state;
    const size_t tiles = 2 * held_cost(WORLD_TILE_LEN, steps_options.ring_updates);
    steps_options.slice_clients = steps_options.lane_clients = 1;
    steps_options.replica_memory = tiles + 400; // an audience, not two
    steps_restart();
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_join(i, 3, true, STEPS_WIDE), 0);
    steps_assert_healed();
    assert_int_equal(world_metric("tessera_audiences", NULL), 1);
    world_place(0, 1);
    steps_assert_healed();
    assert_int_equal(world_join(5, 1, true, STEPS_WIDE), ERR_FULL); // something of its own
    // One that watches nothing is in a lane already, and gets into another.
    world_place(1, 1);
    assert_int_equal(world_watch(5, 3), 0);
    steps_assert_healed();
    assert_int_equal(world_updates(5), 2);
    world_place(0, 2);
    steps_assert_healed();
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(world_updates(i), 4);
}

// Whether a confirmation is of this subscription or of the one before could not be told.
static void test_waits_for_a_subscription_under_way(void **state)
{
    (void)state;
    steps_options.replica_memory = held_cost(WORLD_TILE_LEN, steps_options.ring_updates) + 2048;
    steps_restart();
    world_deliver(); // connected
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    world_turn(0);
    assert_int_equal(world_subscriptions(), 1);
    world_leave(0);
    assert_int_equal(world_join(1, 2, true, STEPS_WIDE), ERR_FULL);
    steps_work();
    assert_int_equal(world_watch(1, 2), 0);
    steps_assert_healed();
    assert_int_equal(world_subscriptions(), 1);
}

static void test_missing_tiles_are_named_once(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    steps_work();
    world_store(false);
    world_leave(0);
    assert_int_equal(world_join(0, 3, true, STEPS_WIDE), 0);
    for (unsigned i = 0; i < 48; i++)
        world_turn(100000);
    assert_int_equal(world_complaints(0), 0);
    for (unsigned i = 0; i < 100; i++)
        world_turn(100000);
    assert_int_equal(world_complaints(0), 1);
    world_place(0, 1); // what is there goes on
    steps_work();
    steps_read_all();
    assert_int_equal(world_client_position(0, 0).seq, 1);
    world_store(true);
    for (unsigned i = 0; i < 40; i++)
        world_turn(100000);
    steps_assert_healed();
}

static void test_lingers_and_goes(void **state)
{
    (void)state;
    steps_watch_one();
    for (unsigned i = 0; i < 20; i++) { // flapping costs no subscription
        world_leave(0);
        steps_work();
        assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
        steps_work();
    }
    world_place(0, 1);
    steps_assert_healed();
    world_leave(0);
    for (unsigned i = 0; i < 70; i++)
        steps_work();
    assert_int_equal(world_metric("tessera_tiles_held", NULL), 0);
    assert_int_equal(world_subscriptions(), 0);
    assert_int_equal(world_join(0, 1, true, STEPS_WIDE), 0);
    steps_assert_healed();
    assert_int_equal(world_subscriptions(), 1);
}

// A WATCH that cannot be granted yet: what both watches have in common goes on without a gap, the rest ends. So tiles
// that are named again later start from the position that the client says then.
static void test_keeps_what_a_later_watch_names(void **state)
{
    (void)state;
    assert_int_equal(world_join(0, 7, true, STEPS_WIDE), 0);
    steps_assert_healed();
    assert_int_equal(world_keep(0, 14), 0); // of tiles 0, 1, 2: 1 and 2; not yet: 3
    assert_int_equal(world_asked(0), 1);
    for (unsigned tile = 0; tile < 4; tile++)
        world_place(tile, 1);
    steps_assert_healed();
    assert_int_equal(world_updates(0), 2);
    assert_int_equal(world_keep(0, 6), 0); // all of it is there
    assert_int_equal(world_asked(0), 0);
    assert_int_equal(world_keep(0, 1), 0);
    assert_int_equal(world_asked(0), 1);
    assert_int_equal(world_watch(0, 9), 0);
    assert_int_equal(world_asked(0), 2);
    steps_assert_healed();
    assert_int_equal(world_gaps(0), 0);
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
    assert_int_equal(hub_keep(world_hub(), &client, message + WS_WATCH_HEAD_LEN, 2), ERR_MALFORMED);
    assert_int_equal(hub_resume(world_hub(), &client, message + WS_WATCH_HEAD_LEN, 2), ERR_MALFORMED);
    hub_leave(world_hub(), &client);
    hub_leave(world_hub(), &client); // harmless
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(test_watch_limit),
        STEPS(test_watch_limit_of_watches),
        STEPS(test_watch_limit_and_lanes),
        STEPS(test_keeps_what_a_later_watch_names),
        STEPS(test_waits_for_a_subscription_under_way),
        STEPS(test_missing_tiles_are_named_once),
        STEPS(test_lingers_and_goes),
        STEPS(test_refuses_what_is_not_there),
    };
    return cmocka_run_group_tests_name("hub_limits", tests, NULL, NULL);
}
