// The table of tiles by itself: how many are looked after, and what they may cost. Store, bus and fan-out are made up.

#include "gateway/tiles.h"

#include "check.h"
#include "common/io/log.h"
#include "fake_loop.h"

#define EDGE 64u
#define ACROSS 32u
#define HELD 500u

static uint32_t asked[ACROSS * ACROSS]; // positions read, by tile
static uint32_t asked_in_turn, asked_in_turn_max;
static struct tile opening[HELD];
static uint32_t opening_count;

// ---- What tiles.c needs --------------------------------------------------------------------------------------------

bool store_ready(const struct store *store)
{
    (void)store;
    return true;
}

void store_abandon(struct store *store, const void *arg)
{
    (void)store;
    (void)arg;
}

void store_snapshot(struct store *store, struct tile tile, store_snapshot_cb cb, void *arg)
{
    const struct store_snapshot snapshot = {.pos = {1, 1}};
    (void)store;
    (void)tile;
    cb(0, &snapshot, arg);
}

void store_position(struct store *store, struct tile tile, store_position_cb cb, void *arg)
{
    const struct store_position position = {.pos = {1, 1}};
    (void)store;
    asked[tile.ty * ACROSS + tile.tx]++;
    if (++asked_in_turn > asked_in_turn_max)
        asked_in_turn_max = asked_in_turn;
    cb(0, &position, arg);
}

void store_log(struct store *store, struct tile tile, uint32_t from, uint32_t max, store_log_cb cb, void *arg)
{
    (void)store;
    (void)tile;
    (void)from;
    (void)max;
    cb(ERR_CLOSED, NULL, 0, arg);
}

bool bus_is_up(const struct bus *bus)
{
    (void)bus;
    return true;
}

int bus_subscribe(struct bus *bus, struct tile tile)
{
    (void)bus;
    opening[opening_count++] = tile;
    return 0;
}

void bus_unsubscribe(struct bus *bus, struct tile tile)
{
    (void)bus;
    (void)tile;
}

void fanout_loaded(struct fanout *fanout, struct held *held)
{
    (void)fanout;
    (void)held;
}

void fanout_replaced(struct fanout *fanout, struct held *held, struct monotime now)
{
    (void)fanout;
    (void)held;
    (void)now;
}

void fanout_updated(struct fanout *fanout, struct held *held, struct monotime now)
{
    (void)fanout;
    (void)held;
    (void)now;
}

void fanout_forget(struct fanout *fanout, struct held *held)
{
    (void)fanout;
    (void)held;
}

void fanout_sweep(struct fanout *fanout, struct monotime now)
{
    (void)fanout;
    (void)now;
}

static void on_loaded(void *arg)
{
    (void)arg;
}

// ---- Tests ---------------------------------------------------------------------------------------------------------

static struct interest interest;
static struct fanout fanout;
static struct tiles tiles;

static int begin(void **state)
{
    const struct tiles_options options = {.memory = 64 << 20, .linger_ms = 1000, .ring_updates = 64};
    const struct geom geom = {EDGE * ACROSS, EDGE * ACROSS, EDGE};
    (void)state;
    fake_loop_reset();
    fanout = (struct fanout){.interest = &interest};
    tiles_init(&tiles, fake_loop(), NULL, &fanout, &options);
    tiles.on_loaded = on_loaded;
    tiles_configure(&tiles, &geom);
    return 0;
}

static int end(void **state)
{
    (void)state;
    tiles_fini(&tiles);
    return 0;
}

static void turn(int64_t us)
{
    asked_in_turn = 0;
    fake_loop_turn(us);
    while (opening_count > 0)
        tiles_bus_open(&tiles, opening[--opening_count]);
}

// However many there are, each is looked at in its time, and not all of them at once.
static void test_every_quiet_tile_is_polled(void **state)
{
    static struct tile wanted[HELD];
    static struct held *helds[HELD];
    (void)state;
    for (uint32_t i = 0; i < HELD; i++)
        wanted[i] = (struct tile){(uint16_t)(i % ACROSS), (uint16_t)(i / ACROSS)};
    assert_int_equal(tiles_hold(&tiles, wanted, HELD, 0, helds), 0);
    for (unsigned i = 0; i < 100; i++)
        turn(10000);
    memset(asked, 0, sizeof asked);
    asked_in_turn_max = 0;
    const int64_t round_ms = tiles_poll_ms(HELD);
    for (int64_t ms = 0; ms < 4 * round_ms; ms += 10)
        turn(10000);
    for (uint32_t i = 0; i < HELD; i++)
        assert_in_range(asked[i], 3, 4);
    assert_in_range(asked_in_turn_max, 1, HELD * TILES_SWEEP_MS / round_ms);
    tiles_release(&tiles, helds, HELD);
}

static void test_few_tiles_are_polled_sooner(void **state)
{
    (void)state;
    assert_int_equal(tiles_poll_ms(0), 1500);
    assert_int_equal(tiles_poll_ms(16), 1500);
    assert_int_equal(tiles_poll_ms(500), 2500);
    assert_int_equal(tiles_poll_ms(1000000), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_quiet_tile_is_polled, begin, end),
        cmocka_unit_test(test_few_tiles_are_polled_sooner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
