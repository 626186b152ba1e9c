// Clients of an address that has asked for too many tiles: who waits, for how long, and what does not wait with it.
// Everything behind the edge is faked.
#include "proto/limits.h"
#include "tests/unit/ws_client.h"

static struct bucket *tiles_of_the_address(void)
{
    return &ws_client.edge->conns->ws.address->tiles;
}

// The address may have so many tiles now, and no more for minutes.
static void allow(uint32_t tiles)
{
    struct bucket *bucket = tiles_of_the_address();
    bucket_init(bucket, 1, LIMIT_ADDRESS_TILES_BURST, loop_now(edge_fakes.loop));
    assert_true(bucket_take(bucket, loop_now(edge_fakes.loop), LIMIT_ADDRESS_TILES_BURST - tiles));
}

static void say_watch(enum ws_type type, uint16_t count)
{
    static uint8_t message[WS_WATCH_HEAD_LEN + LIMIT_WATCH_TILES * WS_ENTRY_LEN], bytes[sizeof message + 16];
    static struct ws_entry entries[LIMIT_WATCH_TILES];
    for (uint16_t i = 0; i < count; i++)
        entries[i] = (struct ws_entry){.tile = {i, 0}};
    size_t len = ws_encode_watch(message, type, entries, count);
    ws_client_say(bytes, ws_client_frame(bytes, 0x82, message, len));
}

static void say_draw(void)
{
    uint8_t draw[WS_DRAW_LEN];
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    ws_client_say_message(draw, sizeof draw);
}

// Time for whose turn has come, and turns of the loop for what follows from it, however late they are.
static void tick(void)
{
    const struct monotime began = loop_now(edge_fakes.loop);
    while (monotime_diff_ms(loop_now(edge_fakes.loop), began) < 250)
        loop_run_once(edge_fakes.loop, 20);
    edge_fakes_turn(5);
}

// One more client, which the ws_client functions then mean; returns the side of the one before.
static int another(void)
{
    int before = ws_client.far;
    unsigned joins = edge_fakes.joins;
    ws_client_connect();
    edge_fakes.user_at_once = true;
    ws_client_say_hello();
    assert_int_equal(edge_fakes.joins, joins + 1);
    return before;
}

static void test_draws_and_pings_pass_a_watch_that_waits(void **state)
{
    (void)state;
    uint8_t ping[16];
    struct ws_conn *ws = ws_client_join();
    bucket_init(&ws->tiles, 1, LIMIT_NEW_TILES_BURST, loop_now(edge_fakes.loop));
    allow(LIMIT_WATCH_TILES + 100);
    say_watch(WS_WATCH, 256);
    assert_int_equal(edge_fakes.watches, 1);
    say_watch(WS_WATCH, 200); // 100 are left: less than a whole watch
    assert_int_equal(edge_fakes.watches, 1);
    assert_int_equal(edge_fakes.keeps, 1);
    say_draw();
    assert_int_equal(edge_fakes.draws, 1);
    ws_client_say(ping, ws_client_frame(ping, 0x89, "x", 1));
    assert_true(ws_client_next() > 0);
    assert_int_equal(ws_client.packet[0], 0x8a);
    assert_int_equal(ws->pauses, 0);
    assert_int_equal(ws_client.edge->stats.turns, 1);
    allow(1000);
    tick();
    assert_int_equal(edge_fakes.watches, 2);
    assert_int_equal(edge_fakes.watched, 200);
    assert_null(ws->turn);
    assert_null(ws_client.edge->thirsty);
    // Both the client and its address have paid.
    assert_true(bucket_wait_ms(&ws->tiles, loop_now(edge_fakes.loop), LIMIT_NEW_TILES_BURST - 300) > 0);
    assert_true(bucket_wait_ms(tiles_of_the_address(), loop_now(edge_fakes.loop), 900) > 0);
    assert_int_equal(bucket_wait_ms(tiles_of_the_address(), loop_now(edge_fakes.loop), 800), 0);
}

static void test_the_last_watch_counts(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    allow(0);
    say_watch(WS_WATCH, 30);
    say_watch(WS_WATCH, 20);
    say_watch(WS_WATCH, 10);
    assert_int_equal(edge_fakes.keeps, 3);
    allow(1000);
    tick();
    assert_int_equal(edge_fakes.watches, 1);
    assert_int_equal(edge_fakes.watched, 10);
    // One that names nothing new is granted at once, and nothing waits any more.
    allow(0);
    say_watch(WS_WATCH, 30);
    edge_fakes.kept = 5;
    say_watch(WS_WATCH, 5);
    assert_null(ws->turn);
    allow(1000);
    tick();
    assert_int_equal(edge_fakes.watches, 1);
}

static void test_a_refusal_leaves_what_waits(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    allow(0);
    say_watch(WS_WATCH, 30);
    edge_fakes.keep_result = ERR_FULL;
    say_watch(WS_WATCH, 20);
    assert_int_equal(ws_client_next(), 2 + WS_ERROR_LEN);
    assert_int_equal(ws_client.packet[3], WS_ERROR_WATCH_LIMIT);
    allow(1000);
    tick();
    assert_int_equal(edge_fakes.watched, 30);
    allow(0);
    edge_fakes.keep_result = ERR_MALFORMED;
    say_watch(WS_WATCH, 20);
    assert_int_equal(ws_client_closed(), WS_CLOSE_MALFORMED);
    assert_null(ws->turn);
}

// The hub hears of it in the client's order: so nothing may follow a RESUME that waits.
static void test_a_resume_waits_behind_the_watch(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    allow(0);
    say_watch(WS_WATCH, 256);
    say_watch(WS_RESUME, 200);
    assert_int_equal(ws->pauses, WS_PAUSE_TURN);
    say_watch(WS_WATCH, 3);
    say_draw();
    assert_int_equal(edge_fakes.draws, 0);
    allow(256);
    tick();
    assert_int_equal(edge_fakes.watches, 1);
    assert_int_equal(edge_fakes.resumes, 0); // another turn
    allow(256);
    tick();
    assert_int_equal(edge_fakes.resumes, 1);
    assert_int_equal(edge_fakes.draws, 1);
    assert_int_equal(edge_fakes.watches, 1); // 56 are left: it waits for its turn
    allow(256);
    tick();
    assert_int_equal(edge_fakes.watches, 2);
    assert_int_equal(edge_fakes.watched, 3);
    assert_int_equal(ws->pauses, 0);
}

// Who asks again and again stands behind who has asked once.
static void test_first_come_first_served(void **state)
{
    (void)state;
    const struct hub_client *greedy = &ws_client_join()->hub;
    allow(0);
    say_watch(WS_WATCH, 256);
    int greedy_side = another();
    const struct hub_client *modest = &ws_client.edge->conns->prev->ws.hub;
    say_watch(WS_WATCH, 8);
    allow(256);
    tick();
    assert_ptr_equal(edge_fakes.last_watcher, greedy);
    int modest_side = ws_client.far;
    ws_client.far = greedy_side;
    say_watch(WS_WATCH, 256);
    allow(256);
    tick();
    assert_int_equal(edge_fakes.watches, 2);
    assert_ptr_equal(edge_fakes.last_watcher, modest);
    // What is at hand goes to who waits first, even if it is enough for a new one.
    ws_client.far = modest_side;
    allow(256);
    say_watch(WS_WATCH, 8);
    assert_int_equal(edge_fakes.watches, 2);
    tick();
    assert_ptr_equal(edge_fakes.last_watcher, greedy);
    assert_int_equal(edge_fakes.watches, 3);
    edge_fakes_hang_up(&greedy_side);
}

// WELCOME at once, so that its player can draw.
static void test_a_hello_gets_its_tiles_later(void **state)
{
    (void)state;
    struct ws_entry entries[2] = {{.tile = {0, 0}}, {.tile = {1, 0}}};
    uint8_t hello[WS_HELLO_HEAD_LEN + 2 * WS_ENTRY_LEN];
    edge_fakes.user_at_once = true;
    ws_client_connect();
    allow(0);
    ws_client_say_message(hello, ws_encode_hello(hello, 7, entries, 2));
    assert_int_equal(ws_client_next(), 2 + WS_WELCOME_LEN);
    assert_int_equal(edge_fakes.joins, 1);
    assert_int_equal(edge_fakes.watched, 0);
    say_draw();
    assert_int_equal(edge_fakes.draws, 1);
    allow(256);
    tick();
    assert_int_equal(edge_fakes.watches, 1);
    assert_int_equal(edge_fakes.watched, 2);
}

static void test_who_leaves_leaves_the_line(void **state)
{
    (void)state;
    ws_client_join();
    allow(0);
    say_watch(WS_WATCH, 256);
    say_watch(WS_RESUME, 256);
    int first_side = another();
    say_watch(WS_WATCH, 8);
    edge_fakes_hang_up(&first_side);
    allow(256);
    tick(); // nothing is read of it, so that its leaving is not seen; its turn comes all the same
    allow(256);
    tick();
    allow(256);
    tick();
    assert_int_equal(edge_fakes.watches, 2);
    assert_int_equal(edge_fakes.watched, 8);
    assert_ptr_equal(ws_client.edge->conns, ws_client.edge->conns->prev); // one is left
    allow(0);
    say_watch(WS_WATCH, 9);
    assert_non_null(ws_client.edge->thirsty);
    edge_fakes_hang_up(&ws_client.far);
    edge_fakes_turn(3);
    assert_null(ws_client.edge->conns);
    assert_null(ws_client.edge->thirsty);
    assert_int_equal(edge_fakes.watches, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WS_CLIENT_TEST(test_draws_and_pings_pass_a_watch_that_waits),
        WS_CLIENT_TEST(test_the_last_watch_counts),
        WS_CLIENT_TEST(test_a_refusal_leaves_what_waits),
        WS_CLIENT_TEST(test_a_resume_waits_behind_the_watch),
        WS_CLIENT_TEST(test_first_come_first_served),
        WS_CLIENT_TEST(test_a_hello_gets_its_tiles_later),
        WS_CLIENT_TEST(test_who_leaves_leaves_the_line),
    };
    return cmocka_run_group_tests_name("ws_tiles", tests, NULL, NULL);
}
