// A WebSocket connection from HELLO to its end, with everything behind the edge faked.
#include "proto/limits.h"
#include "tests/unit/ws_client.h"

static void test_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct conn) <= 640);
}

static void test_hello_to_welcome(void **state)
{
    (void)state;
    struct ws_welcome welcome;
    ws_client_connect();
    ws_client_say_hello();
    assert_int_equal(edge_fakes.joins, 0); // the user is being read
    edge_facts.online = 12;
    edge_fakes_answer_user(0, 8, 100000, 102000);
    assert_int_equal(ws_client_next(), 2 + WS_WELCOME_LEN);
    assert_int_equal(ws_decode_welcome(ws_client.packet + 2, WS_WELCOME_LEN, &welcome), 0);
    assert_int_equal(welcome.user, EDGE_FAKES_USER);
    assert_int_equal(welcome.next_nonce, 9);
    assert_int_equal(welcome.wait_ms, 3000);
    assert_int_equal(welcome.online, 12);
    assert_int_equal(welcome.version, 3);
    assert_int_equal(edge_fakes.joins, 1);
    assert_int_equal(edge_facts.connections, 1);
}

static void test_wait_is_never_above_the_cooldown(void **state)
{
    (void)state;
    struct ws_welcome welcome;
    ws_client_connect();
    ws_client_say_hello();
    edge_fakes_answer_user(0, 8, 200000, 100000); // landed in the future: the clock was set back
    assert_int_equal(ws_client_next(), 2 + WS_WELCOME_LEN);
    assert_int_equal(ws_decode_welcome(ws_client.packet + 2, WS_WELCOME_LEN, &welcome), 0);
    assert_int_equal(welcome.wait_ms, 5000);
}

static void test_without_a_cooldown_nobody_is_read(void **state)
{
    (void)state;
    struct ws_welcome welcome;
    edge_facts.config.cooldown_ms = 0;
    ws_client_connect();
    ws_client_say_hello();
    assert_int_equal(ws_client_next(), 2 + WS_WELCOME_LEN);
    assert_int_equal(ws_decode_welcome(ws_client.packet + 2, WS_WELCOME_LEN, &welcome), 0);
    assert_int_equal(welcome.next_nonce, NONCE_COUNTED_FIRST);
    assert_null(edge_fakes.user_cb);
}

static void test_user_that_cannot_be_read(void **state)
{
    (void)state;
    ws_client_connect();
    ws_client_say_hello();
    edge_fakes_answer_user(ERR_CLOSED, 0, 0, 0);
    assert_int_equal(ws_client_closed(), WS_CLOSE_FULL);
    assert_int_equal(edge_fakes.joins, 0);
}

static void test_user_that_comes_too_late(void **state)
{
    (void)state;
    ws_client_connect();
    ws_client_say_hello();
    edge_fakes_hang_up(&ws_client.far);
    // The connection is not read now, so its end is noticed by a write; here, by the gateway's own.
    ws_conn_close(&ws_client_conn()->ws, WS_CLOSE_GOING_AWAY, "test");
    edge_fakes_turn(5);
    assert_null(ws_client.edge->conns);
    edge_fakes_answer_user(0, 1, 0, 0);
    assert_int_equal(edge_fakes.joins, 0);
}

static void test_join_results(void **state)
{
    (void)state;
    uint8_t error[WS_ERROR_LEN] = {WS_ERROR, WS_ERROR_WATCH_LIMIT};
    edge_fakes.join_result = ERR_FULL;
    edge_fakes.user_at_once = true;
    ws_client_connect();
    ws_client_say_hello();
    assert_int_equal(ws_client_next(), 2 + WS_WELCOME_LEN + 2 + WS_ERROR_LEN); // one write
    assert_memory_equal(ws_client.packet + 2 + WS_WELCOME_LEN + 2, error, sizeof error);
}

static void test_malformed_join(void **state)
{
    (void)state;
    edge_fakes.join_result = ERR_MALFORMED;
    edge_fakes.user_at_once = true;
    ws_client_connect();
    ws_client_say_hello();
    assert_int_equal(ws_client_closed(), WS_CLOSE_MALFORMED);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_int_equal(edge_fakes.forgets, 1);
}

static void test_hello_of_an_erased_user(void **state)
{
    (void)state;
    ws_client_connect();
    edge_fakes.user_at_once = edge_fakes.user_erased = true;
    ws_client_say_hello();
    assert_int_equal(ws_client_closed(), WS_CLOSE_ERASED);
    assert_int_equal(edge_fakes.joins, 0);
}

static void test_erased(void **state)
{
    (void)state;
    ws_client_join();
    edge_fakes.events.on_erased(ws_client_conn()->ws.user + 1, ws_client.edge);
    edge_fakes_turn(2);
    assert_int_equal(ws_client_conn()->state, CONN_WS);
    edge_fakes.events.on_erased(ws_client_conn()->ws.user, ws_client.edge);
    edge_fakes_turn(2);
    assert_int_equal(ws_client_closed(), WS_CLOSE_ERASED);
    assert_int_equal(ws_client_conn()->reason, CONN_REASON_WS_ERASED);
}

static void test_client_that_vanishes(void **state)
{
    (void)state;
    ws_client_join();
    edge_fakes_hang_up(&ws_client.far);
    edge_fakes_turn(5);
    assert_null(ws_client.edge->conns);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_int_equal(edge_fakes.forgets, 1);
    assert_int_equal(edge_facts.connections, 0);
    assert_int_equal(ws_client.edge->stats.disconnects[CONN_REASON_PEER], 1);
}

static void test_client_that_closes(void **state)
{
    (void)state;
    uint8_t bytes[16];
    ws_client_join();
    ws_client_say(bytes, ws_client_frame(bytes, 0x88, "\x03\xe8", 2));
    assert_int_equal(ws_client_closed(), 1000);
    assert_int_equal(ws_client_next(), 0); // end of stream
    edge_fakes_hang_up(&ws_client.far);
    edge_fakes_turn(5);
    assert_null(ws_client.edge->conns);
    assert_int_equal(ws_client.edge->stats.disconnects[CONN_REASON_WS_NORMAL], 1);
}

static void test_write_to_a_client_that_vanished(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(100, 1);
    edge_fakes_hang_up(&ws_client.far);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_DEAD);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_DEAD);
    ws_conn_send(ws, (const uint8_t *)"x", 1);
    ws_conn_close(ws, WS_CLOSE_NORMAL, "again");
    assert_int_equal(edge_fakes.leaves, 0);
    edge_fakes_turn(3);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_null(ws_client.edge->conns);
    assert_int_equal(buf->refs, 1);
    shared_buf_unref(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WS_CLIENT_TEST(test_is_small),
        WS_CLIENT_TEST(test_hello_to_welcome),
        WS_CLIENT_TEST(test_wait_is_never_above_the_cooldown),
        WS_CLIENT_TEST(test_without_a_cooldown_nobody_is_read),
        WS_CLIENT_TEST(test_user_that_cannot_be_read),
        WS_CLIENT_TEST(test_user_that_comes_too_late),
        WS_CLIENT_TEST(test_join_results),
        WS_CLIENT_TEST(test_malformed_join),
        WS_CLIENT_TEST(test_hello_of_an_erased_user),
        WS_CLIENT_TEST(test_erased),
        WS_CLIENT_TEST(test_client_that_vanishes),
        WS_CLIENT_TEST(test_client_that_closes),
        WS_CLIENT_TEST(test_write_to_a_client_that_vanished),
    };
    return cmocka_run_group_tests_name("ws_conn", tests, NULL, NULL);
}
