// What the edge tells all clients: configuration, news, status, and that they are to move. Everything behind it is
// faked.
#include <sys/socket.h>

#include "tests/unit/ws_client.h"

static void test_config_is_told(void **state)
{
    (void)state;
    struct ws_config config;
    ws_client_join();
    edge_facts.config.version = 4;
    edge_facts.config.geom.width = 2000;
    edge_fakes.events.on_config(&edge_facts.config, edge_fakes.events.arg);
    assert_int_equal(ws_client_next(), 2 + WS_CONFIG_LEN);
    assert_int_equal(ws_decode_config(ws_client.packet + 2, WS_CONFIG_LEN, &config), 0);
    assert_int_equal(config.version, 4);
    assert_int_equal(config.width, 2000);
}

static void change_config(uint32_t version)
{
    edge_facts.config.version = version;
    edge_fakes.events.on_config(&edge_facts.config, edge_fakes.events.arg);
}

// Palette and announcement go out when they changed since the client was told last, before CONFIG; not without need.
static void test_news_come_before_config(void **state)
{
    (void)state;
    struct ws_announcement announcement;
    struct palette palette;
    edge_facts.config.palette = *palette_default();
    edge_facts.config.palette.count = 3;
    change_config(4);
    ws_client_join();
    edge_facts.config.palette.count = 4;
    change_config(5);
    memcpy(edge_facts.config.announced, "hello", 5);
    edge_facts.config.announced_len = 5;
    change_config(6); // before the first round has begun: one is enough
    size_t len = ws_client_next();
    const uint8_t *at = ws_client.packet;
    assert_int_equal(at[2], WS_PALETTE);
    assert_int_equal(ws_decode_palette(at + 2, at[1], &palette), 0);
    assert_int_equal(palette.count, 4);
    at += 2 + at[1];
    assert_int_equal(ws_decode_announcement(at + 2, at[1], &announcement), 0);
    assert_memory_equal(announcement.text, "hello", 5);
    at += 2 + at[1];
    assert_int_equal(at[2], WS_CONFIG);
    assert_int_equal((size_t)(at + 2 + WS_CONFIG_LEN - ws_client.packet), len);
    edge_facts.config.cooldown_ms = 77;
    change_config(7);
    assert_int_equal(ws_client_next(), 2 + WS_CONFIG_LEN);
}

// What has come, without a turn of the loop; -1: nothing.
static ssize_t take(void)
{
    return recv(ws_client.far, ws_client.packet, sizeof ws_client.packet, MSG_DONTWAIT);
}

// Whether STATUS comes when the last one was so long ago.
static bool told_after(int64_t ms)
{
    edge_fakes_turn(3);
    while (take() > 0)
        continue;
    ws_client.edge->status_last = monotime_add_ms(loop_now(edge_fakes.loop), -ms);
    edge_broadcast_tick(ws_client.edge);
    edge_fakes_turn(1);
    assert_int_equal(take(), -1); // it waits for company
    ws_client.edge->status_last = monotime_add_ms(loop_now(edge_fakes.loop), -1000);
    edge_broadcast_tick(ws_client.edge);
    edge_fakes_turn(5);
    ssize_t n = take();
    return n == 2 + WS_STATUS_LEN && ws_client.packet[2] == WS_STATUS;
}

static void test_when_status_comes(void **state)
{
    (void)state;
    ws_client_join();
    loop_timer_disarm(&ws_client.edge->tick);
    edge_fakes.events.on_status(5, false, ws_client.edge);
    assert_false(told_after(1900));
    assert_true(told_after(2001));
    assert_int_equal(ws_client.packet[6], 5);
    assert_false(told_after(12000)); // nothing new
    assert_true(told_after(13100));
    edge_fakes.events.on_status(5, false, ws_client.edge);
    assert_false(told_after(5000));
}

// A STATUS that was made while draws were taken never comes after it was told that they are not, nor the other way
// round.
static void test_flags_that_turn_are_told_at_once(void **state)
{
    (void)state;
    ws_client_join();
    loop_timer_disarm(&ws_client.edge->tick);
    edge_fakes.events.on_status(5, true, ws_client.edge);
    assert_int_equal(ws_client_next(), 2 + WS_STATUS_LEN);
    assert_int_equal(ws_client.packet[3], WS_FLAG_READ_ONLY);
    edge_fakes.events.on_status(6, true, ws_client.edge);
    ws_client.edge->status_last = monotime_add_ms(loop_now(edge_fakes.loop), -2001);
    edge_broadcast_tick(ws_client.edge); // it waits for company
    edge_fakes.events.on_status(6, false, ws_client.edge);
    assert_int_equal(ws_client_next(), 2 + WS_STATUS_LEN);
    assert_int_equal(ws_client.packet[3], 0);
    ws_client.edge->status_last = monotime_add_ms(loop_now(edge_fakes.loop), -1000);
    edge_broadcast_tick(ws_client.edge);
    edge_fakes_turn(5);
    assert_int_equal(take(), -1); // what waited is gone
}

static void test_status_goes_along_with_a_frame(void **state)
{
    (void)state;
    struct ws_conn *ws = ws_client_join();
    struct shared_buf *buf = ws_client_filled(50, 0xcc);
    loop_timer_disarm(&ws_client.edge->tick);
    edge_fakes.events.on_status(7, false, ws_client.edge);
    ws_client.edge->status_last = monotime_add_ms(loop_now(edge_fakes.loop), -2001);
    edge_broadcast_tick(ws_client.edge);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_TAKEN);
    assert_int_equal(ws_client_next(), 2 + WS_STATUS_LEN + 50); // as one
    assert_int_equal(ws_client.packet[2], WS_STATUS);
    assert_int_equal(ws_client.packet[6], 7);
    assert_null(ws->outbox.bytes);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_TAKEN);
    assert_int_equal(ws_client_next(), 50); // once
    ws_client.edge->status_last = monotime_add_ms(loop_now(edge_fakes.loop), -1000);
    edge_broadcast_tick(ws_client.edge);
    edge_fakes_turn(5);
    assert_int_equal(take(), -1); // the round passes it by
    shared_buf_unref(buf);
}

static void test_drain_moves_and_ends(void **state)
{
    (void)state;
    uint32_t delay_ms;
    ws_client_join();
    edge_drain(ws_client.edge, NULL, NULL);
    assert_int_equal(ws_client_next(), 2 + WS_MOVE_LEN);
    assert_int_equal(ws_decode_move(ws_client.packet + 2, WS_MOVE_LEN, &delay_ms), 0);
    assert_int_equal(delay_ms, 0);
    assert_string_equal(edge_not_ready(ws_client.edge), "draining");
}

static void test_places_of_clients(void **state)
{
    (void)state;
    static struct conn conns[1000];
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(edge_add_client(ws_client.edge, &conns[i], 7000 + i), 0);
    ws_client.edge->status_round = (struct broadcast){.running = true, .at = 601};
    for (unsigned i = 0; i < 1000; i++)
        if (i % 3 != 0)
            edge_remove_client(ws_client.edge, &conns[i]);
    // In their order still, without more holes than clients, and the round has the same clients before it as before.
    uint32_t last = 0, seen = 0, before_round = 0;
    for (uint32_t at = 0; at < ws_client.edge->places; at++) {
        if (ws_client.edge->clients[at] == NULL)
            continue;
        uint32_t number = (uint32_t)(ws_client.edge->clients[at] - conns);
        assert_int_equal(ws_client.edge->clients[at]->ws.index, at);
        assert_int_equal(ws_client.edge->users[at], 7000 + number);
        assert_true(seen == 0 || number > last);
        last = number;
        seen++;
        before_round += at < ws_client.edge->status_round.at;
    }
    assert_int_equal(seen, 334);
    assert_int_equal(before_round, 201); // 0, 3 … 600
    assert_true(ws_client.edge->holes <= ws_client.edge->places / 2 + 64);
    for (unsigned i = 0; i < 1000; i += 3)
        edge_remove_client(ws_client.edge, &conns[i]);
    assert_int_equal(ws_client.edge->stats.clients, 0);
}

static void test_who_is_erased_leaves(void **state)
{
    (void)state;
    ws_client_join();
    edge_on_erased(EDGE_FAKES_USER + 1, ws_client.edge);
    assert_int_equal(ws_client_next(), 0);
    edge_on_erased(EDGE_FAKES_USER, ws_client.edge);
    assert_int_equal(ws_client_closed(), 4007);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WS_CLIENT_TEST(test_config_is_told),
        WS_CLIENT_TEST(test_news_come_before_config),
        WS_CLIENT_TEST(test_when_status_comes),
        WS_CLIENT_TEST(test_flags_that_turn_are_told_at_once),
        WS_CLIENT_TEST(test_status_goes_along_with_a_frame),
        WS_CLIENT_TEST(test_drain_moves_and_ends),
        WS_CLIENT_TEST(test_places_of_clients),
        WS_CLIENT_TEST(test_who_is_erased_leaves),
    };
    return cmocka_run_group_tests_name("ws_broadcast", tests, NULL, NULL);
}
