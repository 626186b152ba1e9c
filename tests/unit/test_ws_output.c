// What a WebSocket connection writes: in few writes, in which order, and nothing that grows without bound. Everything
// behind the edge is faked.
#include "tests/unit/ws_client.h"

static void test_verdicts_of_a_turn_leave_in_one_write(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    for (uint32_t i = 0; i < 64; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    assert_int_equal(ws_client_next(), 64 * (2 + WS_VERDICT_LEN));
    assert_int_equal(ws_client.packet[0], 0x82);
    assert_int_equal(ws_client.packet[1], WS_VERDICT_LEN);
    assert_null(ws->outbox.bytes);
}

static void test_verdicts_and_a_shared_frame_leave_in_one_write(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(100, 0xaa);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(ws_conn_write_shared(ws, buf, 10), WS_WRITE_TAKEN);
    assert_int_equal(ws_client_next(), 2 + WS_VERDICT_LEN + 90);
    assert_int_equal(ws_client.packet[0], 0x82);
    assert_int_equal(ws_client.packet[2 + WS_VERDICT_LEN], 0xaa);
    assert_int_equal(buf->refs, 1);
    assert_int_equal(edge_fakes.writables, 0);
    shared_buf_unref(buf);
}

static void test_a_full_socket(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(20000, 0xbb);
    unsigned taken = ws_client_fill(ws, buf);
    assert_true(taken > 0);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_FULL);
    assert_int_equal(buf->refs, 1); // nothing of it is kept
    for (uint32_t i = 0; i < 10; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    edge_fakes_turn(3);
    assert_int_equal(ws->outbox.len, 10 * (2 + WS_VERDICT_LEN));
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(ws_client_next(), 20000);
    assert_int_equal(ws_client_next(), 10 * (2 + WS_VERDICT_LEN));
    assert_int_equal(edge_fakes.writables, 1);
    assert_null(ws->outbox.bytes);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_TAKEN);
    assert_int_equal(ws_client_next(), 20000);
    shared_buf_unref(buf);
}

static void test_a_cut_frame_goes_first(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct conn *conn = ws_client_conn();
    struct shared_buf *buf = ws_client_filled(1000, 0xcc);
    // As if the kernel had taken 400 bytes of it.
    ws->cut = shared_buf_ref(buf);
    ws->cut_at = 400;
    ws->hub_waits = true;
    conn_blocked(conn);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_FULL);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(ws_client_next(), 600);
    assert_int_equal(ws_client.packet[0], 0xcc);
    assert_int_equal(ws_client_next(), 2 + WS_VERDICT_LEN);
    assert_int_equal(edge_fakes.writables, 1);
    assert_int_equal(buf->refs, 1);
    shared_buf_unref(buf);
}

static void test_too_slow(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(20000, 0xdd);
    ws_client_fill(ws, buf);
    unsigned count = OUTBOX_MAX / (2 + WS_VERDICT_LEN);
    for (uint32_t i = 0; i < count; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    assert_int_equal(ws_client_conn()->state, CONN_WS);
    assert_true((ws->pauses & WS_PAUSE_OUTPUT) != 0);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(ws_client_conn()->state, CONN_WS_CLOSING);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_DEAD);
    assert_int_equal(edge_fakes.leaves, 0); // not within the call
    edge_fakes_turn(3);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_int_equal(edge_fakes.forgets, 1);
    size_t total = 0, last = 0;
    while ((last = ws_client_next()) == 20000)
        total += last;
    assert_true(total > 0);
    assert_true(last > OUTBOX_MAX - 100); // what had waited, and the close frame at its end
    assert_int_equal(ws_client.packet[last - 4], 0x88);
    assert_int_equal(ws_client.packet[last - 2] << 8 | ws_client.packet[last - 1], WS_CLOSE_SLOW);
    shared_buf_unref(buf);
}

static void test_one_pong_and_the_latest(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(20000, 0xef);
    uint8_t bytes[400];
    size_t len = 0;
    for (uint8_t i = 0; i < 50; i++)
        len += ws_client_frame(bytes + len, 0x89, &i, 1);
    ws_client_say(bytes, len);
    assert_int_equal(ws_client_next(), 3);
    assert_memory_equal(ws_client.packet, "\x8a\x01\x31", 3);
    ws_client_fill(ws, buf);
    for (uint8_t i = 0; i < 50; i++)
        ws_client_say(bytes, ws_client_frame(bytes, 0x89, &i, 1));
    assert_int_equal(ws->outbox.len, 0);
    size_t last = 0;
    for (size_t n; (n = ws_client_next()) > 0;)
        last = n;
    assert_int_equal(last, 3);
    assert_memory_equal(ws_client.packet, "\x8a\x01\x31", 3);
    shared_buf_unref(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WS_CLIENT_TEST(test_verdicts_of_a_turn_leave_in_one_write),
        WS_CLIENT_TEST(test_verdicts_and_a_shared_frame_leave_in_one_write),
        WS_CLIENT_TEST(test_a_full_socket),
        WS_CLIENT_TEST(test_a_cut_frame_goes_first),
        WS_CLIENT_TEST(test_too_slow),
        WS_CLIENT_TEST(test_one_pong_and_the_latest),
    };
    return cmocka_run_group_tests_name("ws_output", tests, NULL, NULL);
}
