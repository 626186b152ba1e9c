// How much of a WebSocket client is read, and how fast: rates, pauses, draws under way. Everything behind the edge is
// faked.
#include <sys/socket.h>

#include "proto/limits.h"
#include "tests/unit/ws_client.h"

static void test_stays_paused_until_the_answers_are_gone(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(20000, 0xee);
    uint8_t draw[WS_DRAW_LEN];
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    ws_client_fill(ws, buf);
    for (uint32_t i = 0; i < 200; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    ws_client_say_message(draw, sizeof draw);
    assert_int_equal(edge_fakes.draws, 0);
    while (ws_client_next() > 0)
        continue;
    assert_int_equal(edge_fakes.draws, 1);
    shared_buf_unref(buf);
}

// Whatever costs a turn is held to the rate, also what has no answer.
static void test_pongs_count(void **state)
{
    (void)state;
    uint8_t bytes[100 * 6];
    size_t len = 0;
    struct ws_conn *ws = ws_client_join();
    ws_client.edge->options.message_rate = 10;
    bucket_init(&ws->bucket, 10, 20, loop_now(edge_fakes.loop));
    for (unsigned i = 0; i < 100; i++)
        len += ws_client_frame(bytes + len, 0x8a, NULL, 0);
    ws_client_say(bytes, len);
    assert_int_equal(ws->pauses, WS_PAUSE_RATE);
    assert_true(ws_client.edge->stats.messages < 50);
}

// A whole watch of new tiles, again and again: as many as the burst allows, then as many as the rate. Draws wait with
// it.
static void test_new_tiles_are_rationed(void **state)
{
    (void)state;
    static uint8_t message[WS_WATCH_HEAD_LEN + LIMIT_WATCH_TILES * WS_ENTRY_LEN], bytes[sizeof message + 16];
    static struct ws_entry entries[LIMIT_WATCH_TILES];
    struct ws_conn *ws = ws_client_join();
    uint8_t draw[WS_DRAW_LEN];
    for (uint16_t i = 0; i < LIMIT_WATCH_TILES; i++)
        entries[i] = (struct ws_entry){.tile = {i, 0}};
    size_t len = ws_encode_watch(message, WS_WATCH, entries, LIMIT_WATCH_TILES);
    unsigned most = LIMIT_NEW_TILES_BURST / LIMIT_WATCH_TILES;
    for (unsigned i = 0; i < most + 2; i++)
        ws_client_say(bytes, ws_client_frame(bytes, 0x82, message, len));
    assert_in_range(edge_fakes.watches, most, most + 1); // the clock runs
    assert_true((ws->pauses & WS_PAUSE_RATE) != 0);
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    ws_client_say_message(draw, sizeof draw);
    assert_int_equal(edge_fakes.draws, 0);
    // As if time had passed.
    bucket_init(&ws->tiles, LIMIT_NEW_TILES_PER_S, LIMIT_NEW_TILES_BURST, loop_now(edge_fakes.loop));
    for (unsigned i = 0; i < 50 && edge_fakes.draws == 0; i++)
        loop_run_once(edge_fakes.loop, 20);
    assert_int_equal(edge_fakes.watches, most + 2);
    assert_int_equal(edge_fakes.draws, 1);
    // Watching what is watched already costs nothing: the hub says so.
    assert_true(bucket_wait_ms(&ws->tiles, loop_now(edge_fakes.loop), LIMIT_NEW_TILES_BURST) > 0);
}

// What it has said lies here, and is not read because others of its address have said much: it is not late.
static void test_a_hello_that_waits_for_the_address_is_in_time(void **state)
{
    (void)state;
    ws_client.edge->lists[CONN_LIST_HELLO].after_ms = 50;
    edge_fakes.user_at_once = true;
    ws_client_connect();
    struct conn *conn = ws_client_conn();
    conn->ws.pauses |= WS_PAUSE_RATE;
    ws_client_say_hello();
    const struct monotime began = loop_now(edge_fakes.loop);
    while (monotime_diff_ms(loop_now(edge_fakes.loop), began) < 300)
        loop_run_once(edge_fakes.loop, 20);
    assert_int_equal(conn->state, CONN_WS);
    assert_int_equal(edge_fakes.joins, 0);
    ws_input_resume(conn, WS_PAUSE_RATE);
    edge_fakes_turn(3);
    assert_int_equal(edge_fakes.joins, 1);
    assert_false(deadline_armed(&conn->deadline));
}

static void pass(int64_t ms)
{
    const struct monotime began = loop_now(edge_fakes.loop);
    while (monotime_diff_ms(loop_now(edge_fakes.loop), began) < ms)
        loop_run_once(edge_fakes.loop, 20);
}

// A parser and a message are kept as long as one is in pieces: whoever sends byte after byte, with pings between, does
// not keep them for ever.
static void test_a_message_that_trickles_is_not_awaited_for_ever(void **state)
{
    (void)state;
    uint8_t bytes[32], ping[16];
    struct ws_conn *ws = ws_client_join();
    ws_client.edge->lists[CONN_LIST_MESSAGE].after_ms = 300;
    ws_client.edge->lists[CONN_LIST_CLOSING].after_ms = 60000; // it is looked at when it has ended
    ws_client.edge->lists[CONN_LIST_LINGER].after_ms = 60000;
    ws_client_say(bytes, ws_client_frame(bytes, 0x02, "\2", 1)); // the beginning of a DRAW
    assert_non_null(ws->recv);
    for (unsigned i = 0; i < 100 && conn_of_ws(ws)->state == CONN_WS; i++) {
        ws_client_say(ping, ws_client_frame(ping, 0x89, "x", 1));
        pass(20);
    }
    assert_int_equal(ws_client_closed(), WS_CLOSE_SLOW);
}

// The time is of one message: of many that each end late in a segment, none is late.
static void test_messages_cut_anywhere_are_in_time(void **state)
{
    (void)state;
    uint8_t bytes[64], draw[WS_DRAW_LEN];
    edge_fakes.answer_at_once = true;
    struct ws_conn *ws = ws_client_join();
    ws_client.edge->lists[CONN_LIST_MESSAGE].after_ms = 60000;
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    size_t len = ws_client_frame(bytes, 0x82, draw, sizeof draw);
    memcpy(bytes + len, bytes, len);
    ws_client_say(bytes, 5);
    struct monotime first = ws_recv_late(ws->recv)->deadline.at;
    pass(5);
    ws_client_say(bytes + 5, 1);
    assert_true(ws_recv_late(ws->recv)->deadline.at.us == first.us); // the same message
    for (unsigned i = 0; i < 3; i++) {
        ws_client_say(bytes + 6, len);
        assert_int_equal(edge_fakes.draws, i + 1);
        assert_non_null(ws->recv);
        assert_true(ws_recv_late(ws->recv)->deadline.at.us > first.us);
        first = ws_recv_late(ws->recv)->deadline.at;
        pass(5);
    }
    ws_client_say(bytes + 6, len - 6);
    assert_null(ws->recv);
    assert_ptr_equal(ws_client.edge->lists[CONN_LIST_MESSAGE].head.next,
                     &ws_client.edge->lists[CONN_LIST_MESSAGE].head);
}

// As long as the rest may lie here unread it is given more time, but not for ever.
static void test_a_message_in_pieces_that_is_not_read_gets_more_time(void **state)
{
    (void)state;
    uint8_t bytes[32];
    struct ws_conn *ws = ws_client_join();
    ws_client.edge->lists[CONN_LIST_MESSAGE].after_ms = 60000;
    ws_client_say(bytes, ws_client_frame(bytes, 0x02, "\2", 1));
    struct ws_recv_late *late = ws_recv_late(ws->recv);
    ws->pauses |= WS_PAUSE_OUTPUT;
    for (unsigned i = 0; i < 5; i++) {
        deadline_cancel(&late->deadline); // it comes
        conn_on_deadline(conn_of_ws(ws), CONN_LIST_MESSAGE);
        assert_int_equal(conn_of_ws(ws)->state, CONN_WS);
        assert_true(deadline_armed(&late->deadline));
    }
    deadline_cancel(&late->deadline);
    conn_on_deadline(conn_of_ws(ws), CONN_LIST_MESSAGE);
    assert_int_equal(ws_client_closed(), WS_CLOSE_SLOW);
}

// Its pause ends in the tick in which its time is over: it is read before it is judged.
static void test_a_message_in_pieces_may_be_read_again_in_the_tick_in_which_it_is_late(void **state)
{
    (void)state;
    uint8_t bytes[32], draw[WS_DRAW_LEN];
    edge_fakes.answer_at_once = true;
    struct ws_conn *ws = ws_client_join();
    struct deadlines *lists = ws_client.edge->lists;
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    size_t len = ws_client_frame(bytes, 0x82, draw, sizeof draw);
    lists[CONN_LIST_MESSAGE].after_ms = 60000;
    ws_client_say(bytes, 5);
    ws->pauses |= WS_PAUSE_RATE;
    ws_client_say(bytes + 5, len - 5);
    assert_int_equal(edge_fakes.draws, 0);
    lists[CONN_LIST_MESSAGE].after_ms = lists[CONN_LIST_PAUSE].after_ms = 1; // both are due in the next tick
    deadline_arm(&lists[CONN_LIST_MESSAGE], &ws_recv_late(ws->recv)->deadline, loop_now(edge_fakes.loop));
    deadline_arm(&lists[CONN_LIST_PAUSE], &ws->pause, loop_now(edge_fakes.loop));
    pass(300);
    assert_int_equal(conn_of_ws(ws)->state, CONN_WS);
    assert_int_equal(edge_fakes.draws, 1);
    assert_null(ws->recv);
}

static void test_draws_in_flight(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    uint8_t bytes[400], draw[WS_DRAW_LEN];
    size_t len = 0;
    for (uint32_t i = 0; i < 6; i++) {
        ws_encode_draw(draw, &(struct ws_draw){1, (uint16_t)i, 3, i + 1});
        len += ws_client_frame(bytes + len, 0x82, draw, sizeof draw);
    }
    ws_client_say(bytes, len);
    assert_int_equal(edge_fakes.draws, 4);
    assert_int_equal(edge_fakes.last_draw.x, 3);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(edge_fakes.draws, 4); // not within the callback
    edge_fakes_turn(3);
    assert_int_equal(edge_fakes.draws, 5);
    edge_fakes_answer_draw(&ws->cluster, 2);
    edge_fakes_answer_draw(&ws->cluster, 3);
    edge_fakes_turn(3);
    assert_int_equal(edge_fakes.draws, 6);
    assert_null(ws->stash.bytes);
}

static void test_many_draws_in_one_segment(void **state)
{
    (void)state;
    static uint8_t bytes[900 * (6 + WS_DRAW_LEN)];
    uint8_t draw[WS_DRAW_LEN];
    size_t len = 0;
    edge_facts.config.cooldown_ms = 0;
    edge_fakes.answer_at_once = true;
    ws_client_join();
    for (uint32_t i = 0; i < 900; i++) {
        ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, i + 1});
        len += ws_client_frame(bytes + len, 0x82, draw, sizeof draw);
    }
    assert_int_equal(send(ws_client.far, bytes, len, MSG_NOSIGNAL), len);
    loop_run_once(edge_fakes.loop, 10);
    assert_true(edge_fakes.draws <= 512); // others have their turn
    edge_fakes_turn(10);
    assert_int_equal(edge_fakes.draws, 900);
    size_t got = 0;
    for (size_t n; (n = ws_client_next()) > 0;)
        got += n;
    assert_int_equal(got, 900 * (2 + WS_VERDICT_LEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WS_CLIENT_TEST(test_stays_paused_until_the_answers_are_gone),
        WS_CLIENT_TEST(test_pongs_count),
        WS_CLIENT_TEST(test_new_tiles_are_rationed),
        WS_CLIENT_TEST(test_a_hello_that_waits_for_the_address_is_in_time),
        WS_CLIENT_TEST(test_a_message_that_trickles_is_not_awaited_for_ever),
        WS_CLIENT_TEST(test_messages_cut_anywhere_are_in_time),
        WS_CLIENT_TEST(test_a_message_in_pieces_that_is_not_read_gets_more_time),
        WS_CLIENT_TEST(test_a_message_in_pieces_may_be_read_again_in_the_tick_in_which_it_is_late),
        WS_CLIENT_TEST(test_draws_in_flight),
        WS_CLIENT_TEST(test_many_draws_in_one_segment),
    };
    return cmocka_run_group_tests_name("ws_input", tests, NULL, NULL);
}
