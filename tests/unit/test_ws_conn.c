// A WebSocket connection from the upgrade to its end, with everything behind the edge faked. The client's side is a
// SOCK_SEQPACKET socket: one packet there is one write of the gateway.
#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/core/token.h"
#include "gateway/edge_internal.h"
#include "proto/limits.h"
#include "tests/unit/edge_fakes.h"

static struct loop *loop;
static struct metrics metrics;
static struct token_keys keys;
static struct edge *edge;
static char token[TOKEN_TEXT_SIZE];
static int client = -1; // the far end
static uint8_t packet[70000];

// ---- Tools ---------------------------------------------------------------------------------------------------------

static void turn(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        loop_run_once(loop, 1);
}

// The next write of the gateway; 0 when there is none.
static size_t next_packet(void)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        ssize_t n = recv(client, packet, sizeof packet, MSG_DONTWAIT);
        if (n >= 0)
            return (size_t)n;
        assert_int_equal(errno, EAGAIN);
        turn(1);
    }
    return 0;
}

static void say(const void *data, size_t len)
{
    assert_int_equal(send(client, data, len, MSG_NOSIGNAL), len);
    turn(3);
}

static size_t frame(uint8_t *to, uint8_t first, const void *payload, size_t len)
{
    size_t head = len < 126 ? 2 : 4;
    to[0] = first;
    to[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (head == 4) {
        to[2] = (uint8_t)(len >> 8);
        to[3] = (uint8_t)(len & 0xff);
    }
    memset(to + head, 0, 4); // a mask of zeros leaves the payload as it is
    if (len > 0)
        memcpy(to + head + 4, payload, len);
    return head + 4 + len;
}

static void say_message(const void *payload, size_t len)
{
    uint8_t bytes[200];
    say(bytes, frame(bytes, 0x82, payload, len));
}

static void say_hello(void)
{
    uint8_t hello[WS_HELLO_HEAD_LEN];
    say_message(hello, ws_encode_hello(hello, 7, NULL, 0));
}

static struct conn *only_conn(void)
{
    assert_non_null(edge->conns);
    assert_null(edge->conns->next);
    return edge->conns;
}

static void connect_client(void)
{
    int pair[2];
    char text[512];
    const struct addr loopback = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
    client = pair[1];
    conn_start(edge, pair[0], &loopback, false);
    snprintf(text, sizeof text,
             "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tessera.v1\r\nAuthorization: "
             "Bearer %s\r\n\r\n",
             token);
    say(text, strlen(text));
    assert_true(next_packet() > 0);
    assert_memory_equal(packet, "HTTP/1.1 101 ", 13);
}

// Joined, WELCOME read.
static struct ws_conn *joined_client(void)
{
    connect_client();
    edge_fakes.user_at_once = true;
    say_hello();
    assert_int_equal(next_packet(), 2 + WS_WELCOME_LEN);
    assert_int_equal(edge_fakes.joins, 1);
    return &only_conn()->ws;
}

static struct shared_buf *filled(size_t len, uint8_t value)
{
    struct shared_buf *buf = shared_buf_new(len);
    assert_non_null(buf);
    memset(buf->bytes, value, len);
    return buf;
}

// Fills the socket until it takes nothing more; returns how many writes it took.
static unsigned fill(struct ws_conn *ws, struct shared_buf *buf)
{
    unsigned taken = 0;
    while (ws_conn_write_shared(ws, buf, 0) == WS_WRITE_TAKEN && ws->cut == NULL)
        assert_true(++taken < 10000);
    return taken;
}

static uint16_t expect_close(void)
{
    for (size_t n; (n = next_packet()) > 0;)
        for (size_t at = 0; at + 2 <= n; at += 2u + packet[at + 1])
            if (packet[at] == 0x88)
                return (uint16_t)(packet[at + 2] << 8 | packet[at + 3]);
    fail_msg("no close frame");
    return 0;
}

static int setup(void **state)
{
    (void)state;
    static const struct addr_list nobody;
    static const struct static_files no_files;
    char error[128];
    struct session_token {
        struct token token;
    } session = {{.kind = TOKEN_GUEST, .user = 42, .issued = 0, .expires = UINT32_MAX}};
    const char *text = "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    memset(&edge_fakes, 0, sizeof edge_fakes);
    edge_fakes.config = (struct canvas_config){.version = 3, .geom = {1000, 1000, 256}, .cooldown_ms = 5000};
    edge_fakes.config_known = true;
    loop = loop_new();
    metrics_init(&metrics);
    if (token_keys_parse(&keys, text, strlen(text), error, sizeof error) != 0 ||
        token_sign(&keys, &session.token, token) < 0)
        return 1;
    edge = edge_new(loop, &metrics,
                    &(struct edge_options){.listen = "",
                                           .proxy_listen = "",
                                           .proxy_networks = &nobody,
                                           .keys = &keys,
                                           .files = &no_files,
                                           .allowed_origins = "",
                                           .public_origin = "",
                                           .message_rate = 0,
                                           .max_connections = 100,
                                           .max_sockets = 100});
    if (edge == NULL)
        return 1;
    edge_attach(edge, &(struct edge_parts){0});
    edge_fakes.events = edge_cluster_events(edge);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (client >= 0)
        close(client);
    client = -1;
    turn(3);
    edge_close(edge);
    edge_free(edge);
    loop_free(loop);
    return 0;
}

// ---- Tests ---------------------------------------------------------------------------------------------------------

static void test_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct conn) <= 640);
}

static void test_hello_to_welcome(void **state)
{
    (void)state;
    struct ws_welcome welcome;
    connect_client();
    say_hello();
    assert_int_equal(edge_fakes.joins, 0); // the user is being read
    edge_fakes.online = 12;
    edge_fakes_answer_user(0, 8, 100000, 102000);
    assert_int_equal(next_packet(), 2 + WS_WELCOME_LEN);
    assert_int_equal(ws_decode_welcome(packet + 2, WS_WELCOME_LEN, &welcome), 0);
    assert_int_equal(welcome.user, 42);
    assert_int_equal(welcome.next_nonce, 9);
    assert_int_equal(welcome.wait_ms, 3000);
    assert_int_equal(welcome.online, 12);
    assert_int_equal(welcome.version, 3);
    assert_int_equal(edge_fakes.joins, 1);
    assert_int_equal(edge_fakes.connections, 1);
}

static void test_wait_is_never_above_the_cooldown(void **state)
{
    (void)state;
    struct ws_welcome welcome;
    connect_client();
    say_hello();
    edge_fakes_answer_user(0, 8, 200000, 100000); // landed in the future: the clock was set back
    assert_int_equal(next_packet(), 2 + WS_WELCOME_LEN);
    assert_int_equal(ws_decode_welcome(packet + 2, WS_WELCOME_LEN, &welcome), 0);
    assert_int_equal(welcome.wait_ms, 5000);
}

static void test_without_a_cooldown_nobody_is_read(void **state)
{
    (void)state;
    struct ws_welcome welcome;
    edge_fakes.config.cooldown_ms = 0;
    connect_client();
    say_hello();
    assert_int_equal(next_packet(), 2 + WS_WELCOME_LEN);
    assert_int_equal(ws_decode_welcome(packet + 2, WS_WELCOME_LEN, &welcome), 0);
    assert_int_equal(welcome.next_nonce, NONCE_COUNTED_FIRST);
    assert_null(edge_fakes.user_cb);
}

static void test_user_that_cannot_be_read(void **state)
{
    (void)state;
    connect_client();
    say_hello();
    edge_fakes_answer_user(ERR_CLOSED, 0, 0, 0);
    assert_int_equal(expect_close(), WS_CLOSE_FULL);
    assert_int_equal(edge_fakes.joins, 0);
}

static void test_user_that_comes_too_late(void **state)
{
    (void)state;
    connect_client();
    say_hello();
    close(client);
    client = -1;
    // The connection is not read now, so its end is noticed by a write; here, by the gateway's own.
    ws_conn_close(&only_conn()->ws, WS_CLOSE_GOING_AWAY, "test");
    turn(5);
    assert_null(edge->conns);
    edge_fakes_answer_user(0, 1, 0, 0);
    assert_int_equal(edge_fakes.joins, 0);
}

static void test_join_results(void **state)
{
    (void)state;
    uint8_t error[WS_ERROR_LEN] = {WS_ERROR, WS_ERROR_WATCH_LIMIT};
    edge_fakes.join_result = ERR_FULL;
    edge_fakes.user_at_once = true;
    connect_client();
    say_hello();
    assert_int_equal(next_packet(), 2 + WS_WELCOME_LEN + 2 + WS_ERROR_LEN); // one write
    assert_memory_equal(packet + 2 + WS_WELCOME_LEN + 2, error, sizeof error);
}

static void test_malformed_join(void **state)
{
    (void)state;
    edge_fakes.join_result = ERR_MALFORMED;
    edge_fakes.user_at_once = true;
    connect_client();
    say_hello();
    assert_int_equal(expect_close(), WS_CLOSE_MALFORMED);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_int_equal(edge_fakes.forgets, 1);
}

static void test_verdicts_of_a_turn_leave_in_one_write(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    for (uint32_t i = 0; i < 64; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    assert_int_equal(next_packet(), 64 * (2 + WS_VERDICT_LEN));
    assert_int_equal(packet[0], 0x82);
    assert_int_equal(packet[1], WS_VERDICT_LEN);
    assert_null(ws->outbox.bytes);
}

static void test_verdicts_and_a_shared_frame_leave_in_one_write(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(100, 0xaa);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(ws_conn_write_shared(ws, buf, 10), WS_WRITE_TAKEN);
    assert_int_equal(next_packet(), 2 + WS_VERDICT_LEN + 90);
    assert_int_equal(packet[0], 0x82);
    assert_int_equal(packet[2 + WS_VERDICT_LEN], 0xaa);
    assert_int_equal(buf->refs, 1);
    assert_int_equal(edge_fakes.writables, 0);
    shared_buf_unref(buf);
}

static void test_a_full_socket(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(20000, 0xbb);
    unsigned taken = fill(ws, buf);
    assert_true(taken > 0);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_FULL);
    assert_int_equal(buf->refs, 1); // nothing of it is kept
    for (uint32_t i = 0; i < 10; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    turn(3);
    assert_int_equal(ws->outbox.len, 10 * (2 + WS_VERDICT_LEN));
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(next_packet(), 20000);
    assert_int_equal(next_packet(), 10 * (2 + WS_VERDICT_LEN));
    assert_int_equal(edge_fakes.writables, 1);
    assert_null(ws->outbox.bytes);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_TAKEN);
    assert_int_equal(next_packet(), 20000);
    shared_buf_unref(buf);
}

static void test_a_cut_frame_goes_first(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct conn *conn = only_conn();
    struct shared_buf *buf = filled(1000, 0xcc);
    // As if the kernel had taken 400 bytes of it.
    ws->cut = shared_buf_ref(buf);
    ws->cut_at = 400;
    ws->hub_waits = true;
    conn_blocked(conn);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_FULL);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(next_packet(), 600);
    assert_int_equal(packet[0], 0xcc);
    assert_int_equal(next_packet(), 2 + WS_VERDICT_LEN);
    assert_int_equal(edge_fakes.writables, 1);
    assert_int_equal(buf->refs, 1);
    shared_buf_unref(buf);
}

static void test_too_slow(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(20000, 0xdd);
    fill(ws, buf);
    unsigned count = OUTBOX_MAX / (2 + WS_VERDICT_LEN);
    for (uint32_t i = 0; i < count; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    assert_int_equal(only_conn()->state, CONN_WS);
    assert_true((ws->pauses & WS_PAUSE_OUTPUT) != 0);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(only_conn()->state, CONN_WS_CLOSING);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_DEAD);
    assert_int_equal(edge_fakes.leaves, 0); // not within the call
    turn(3);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_int_equal(edge_fakes.forgets, 1);
    size_t total = 0, last = 0;
    while ((last = next_packet()) == 20000)
        total += last;
    assert_true(total > 0);
    assert_true(last > OUTBOX_MAX - 100); // what had waited, and the close frame at its end
    assert_int_equal(packet[last - 4], 0x88);
    assert_int_equal(packet[last - 2] << 8 | packet[last - 1], WS_CLOSE_SLOW);
    shared_buf_unref(buf);
}

static void test_one_pong_and_the_latest(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(20000, 0xef);
    uint8_t bytes[400];
    size_t len = 0;
    for (uint8_t i = 0; i < 50; i++)
        len += frame(bytes + len, 0x89, &i, 1);
    say(bytes, len);
    assert_int_equal(next_packet(), 3);
    assert_memory_equal(packet, "\x8a\x01\x31", 3);
    fill(ws, buf);
    for (uint8_t i = 0; i < 50; i++)
        say(bytes, frame(bytes, 0x89, &i, 1));
    assert_int_equal(ws->outbox.len, 0);
    size_t last = 0;
    for (size_t n; (n = next_packet()) > 0;)
        last = n;
    assert_int_equal(last, 3);
    assert_memory_equal(packet, "\x8a\x01\x31", 3);
    shared_buf_unref(buf);
}

static void test_stays_paused_until_the_answers_are_gone(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(20000, 0xee);
    uint8_t draw[WS_DRAW_LEN];
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    fill(ws, buf);
    for (uint32_t i = 0; i < 200; i++)
        edge_fakes_answer_draw(&ws->cluster, i + 1);
    say_message(draw, sizeof draw);
    assert_int_equal(edge_fakes.draws, 0);
    while (next_packet() > 0)
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
    struct ws_conn *ws = joined_client();
    edge->options.message_rate = 10;
    bucket_init(&ws->bucket, 10, 20, loop_now(loop));
    for (unsigned i = 0; i < 100; i++)
        len += frame(bytes + len, 0x8a, NULL, 0);
    say(bytes, len);
    assert_int_equal(ws->pauses, WS_PAUSE_RATE);
    assert_true(edge->stats.messages < 50);
}

// A whole watch of new tiles, again and again: as many as the burst allows, then as many as the rate. Draws wait with
// it.
static void test_new_tiles_are_rationed(void **state)
{
    (void)state;
    static uint8_t message[WS_WATCH_HEAD_LEN + LIMIT_WATCH_TILES * WS_ENTRY_LEN], bytes[sizeof message + 16];
    static struct ws_entry entries[LIMIT_WATCH_TILES];
    struct ws_conn *ws = joined_client();
    uint8_t draw[WS_DRAW_LEN];
    for (uint16_t i = 0; i < LIMIT_WATCH_TILES; i++)
        entries[i] = (struct ws_entry){.tile = {i, 0}};
    size_t len = ws_encode_watch(message, WS_WATCH, entries, LIMIT_WATCH_TILES);
    unsigned most = LIMIT_NEW_TILES_BURST / LIMIT_WATCH_TILES;
    for (unsigned i = 0; i < most + 2; i++)
        say(bytes, frame(bytes, 0x82, message, len));
    assert_in_range(edge_fakes.watches, most, most + 1); // the clock runs
    assert_true((ws->pauses & WS_PAUSE_RATE) != 0);
    ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, 4});
    say_message(draw, sizeof draw);
    assert_int_equal(edge_fakes.draws, 0);
    // As if time had passed.
    bucket_init(&ws->tiles, LIMIT_NEW_TILES_PER_S, LIMIT_NEW_TILES_BURST, loop_now(loop));
    for (unsigned i = 0; i < 50 && edge_fakes.draws == 0; i++)
        loop_run_once(loop, 20);
    assert_int_equal(edge_fakes.watches, most + 2);
    assert_int_equal(edge_fakes.draws, 1);
    // Watching what is watched already costs nothing: the hub says so.
    assert_true(bucket_wait_ms(&ws->tiles, loop_now(loop), LIMIT_NEW_TILES_BURST) > 0);
}

static void test_erased(void **state)
{
    (void)state;
    joined_client();
    edge_fakes.events.on_erased(only_conn()->ws.user + 1, edge);
    turn(2);
    assert_int_equal(only_conn()->state, CONN_WS);
    edge_fakes.events.on_erased(only_conn()->ws.user, edge);
    turn(2);
    assert_int_equal(expect_close(), WS_CLOSE_ERASED);
    assert_int_equal(only_conn()->reason, CONN_REASON_WS_ERASED);
}

static void test_hello_of_an_erased_user(void **state)
{
    (void)state;
    connect_client();
    edge_fakes.user_at_once = edge_fakes.user_erased = true;
    say_hello();
    assert_int_equal(expect_close(), WS_CLOSE_ERASED);
    assert_int_equal(edge_fakes.joins, 0);
}

static void test_draws_in_flight(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    uint8_t bytes[400], draw[WS_DRAW_LEN];
    size_t len = 0;
    for (uint32_t i = 0; i < 6; i++) {
        ws_encode_draw(draw, &(struct ws_draw){1, (uint16_t)i, 3, i + 1});
        len += frame(bytes + len, 0x82, draw, sizeof draw);
    }
    say(bytes, len);
    assert_int_equal(edge_fakes.draws, 4);
    assert_int_equal(edge_fakes.last_draw.x, 3);
    edge_fakes_answer_draw(&ws->cluster, 1);
    assert_int_equal(edge_fakes.draws, 4); // not within the callback
    turn(3);
    assert_int_equal(edge_fakes.draws, 5);
    edge_fakes_answer_draw(&ws->cluster, 2);
    edge_fakes_answer_draw(&ws->cluster, 3);
    turn(3);
    assert_int_equal(edge_fakes.draws, 6);
    assert_null(ws->stash.bytes);
}

static void test_many_draws_in_one_segment(void **state)
{
    (void)state;
    static uint8_t bytes[900 * (6 + WS_DRAW_LEN)];
    uint8_t draw[WS_DRAW_LEN];
    size_t len = 0;
    edge_fakes.config.cooldown_ms = 0;
    edge_fakes.answer_at_once = true;
    joined_client();
    for (uint32_t i = 0; i < 900; i++) {
        ws_encode_draw(draw, &(struct ws_draw){1, 2, 3, i + 1});
        len += frame(bytes + len, 0x82, draw, sizeof draw);
    }
    assert_int_equal(send(client, bytes, len, MSG_NOSIGNAL), len);
    loop_run_once(loop, 10);
    assert_true(edge_fakes.draws <= 512); // others have their turn
    turn(10);
    assert_int_equal(edge_fakes.draws, 900);
    size_t got = 0;
    for (size_t n; (n = next_packet()) > 0;)
        got += n;
    assert_int_equal(got, 900 * (2 + WS_VERDICT_LEN));
}

static void test_client_that_vanishes(void **state)
{
    (void)state;
    joined_client();
    close(client);
    client = -1;
    turn(5);
    assert_null(edge->conns);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_int_equal(edge_fakes.forgets, 1);
    assert_int_equal(edge_fakes.connections, 0);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_PEER], 1);
}

static void test_client_that_closes(void **state)
{
    (void)state;
    uint8_t bytes[16];
    joined_client();
    say(bytes, frame(bytes, 0x88, "\x03\xe8", 2));
    assert_int_equal(expect_close(), 1000);
    assert_int_equal(next_packet(), 0); // end of stream
    close(client);
    client = -1;
    turn(5);
    assert_null(edge->conns);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_WS_NORMAL], 1);
}

static void test_write_to_a_client_that_vanished(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(100, 1);
    close(client);
    client = -1;
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_DEAD);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_DEAD);
    ws_conn_send(ws, (const uint8_t *)"x", 1);
    ws_conn_close(ws, WS_CLOSE_NORMAL, "again");
    assert_int_equal(edge_fakes.leaves, 0);
    turn(3);
    assert_int_equal(edge_fakes.leaves, 1);
    assert_null(edge->conns);
    assert_int_equal(buf->refs, 1);
    shared_buf_unref(buf);
}

static void test_config_is_told(void **state)
{
    (void)state;
    struct ws_config config;
    joined_client();
    edge_fakes.config.version = 4;
    edge_fakes.config.geom.width = 2000;
    edge_fakes.events.on_config(&edge_fakes.config, edge_fakes.events.arg);
    assert_int_equal(next_packet(), 2 + WS_CONFIG_LEN);
    assert_int_equal(ws_decode_config(packet + 2, WS_CONFIG_LEN, &config), 0);
    assert_int_equal(config.version, 4);
    assert_int_equal(config.width, 2000);
}

static void change_config(uint32_t version)
{
    edge_fakes.config.version = version;
    edge_fakes.events.on_config(&edge_fakes.config, edge_fakes.events.arg);
}

// Palette and announcement go out when they changed since the client was told last, before CONFIG; not without need.
static void test_news_come_before_config(void **state)
{
    (void)state;
    struct ws_announcement announcement;
    struct palette palette;
    edge_fakes.config.palette = *palette_default();
    edge_fakes.config.palette.count = 3;
    change_config(4);
    joined_client();
    edge_fakes.config.palette.count = 4;
    change_config(5);
    memcpy(edge_fakes.config.announced, "hello", 5);
    edge_fakes.config.announced_len = 5;
    change_config(6); // before the first round has begun: one is enough
    size_t len = next_packet();
    const uint8_t *at = packet;
    assert_int_equal(at[2], WS_PALETTE);
    assert_int_equal(ws_decode_palette(at + 2, at[1], &palette), 0);
    assert_int_equal(palette.count, 4);
    at += 2 + at[1];
    assert_int_equal(ws_decode_announcement(at + 2, at[1], &announcement), 0);
    assert_memory_equal(announcement.text, "hello", 5);
    at += 2 + at[1];
    assert_int_equal(at[2], WS_CONFIG);
    assert_int_equal((size_t)(at + 2 + WS_CONFIG_LEN - packet), len);
    edge_fakes.config.cooldown_ms = 77;
    change_config(7);
    assert_int_equal(next_packet(), 2 + WS_CONFIG_LEN);
}

// Whether STATUS comes when the last one was so long ago.
static bool told_after(int64_t ms)
{
    turn(3);
    while (recv(client, packet, sizeof packet, MSG_DONTWAIT) > 0)
        continue;
    edge->status_last = monotime_add_ms(loop_now(loop), -ms);
    edge_broadcast_tick(edge);
    turn(1);
    assert_int_equal(recv(client, packet, sizeof packet, MSG_DONTWAIT), -1); // it waits for company
    edge->status_last = monotime_add_ms(loop_now(loop), -1000);
    edge_broadcast_tick(edge);
    turn(5);
    ssize_t n = recv(client, packet, sizeof packet, MSG_DONTWAIT);
    return n == 2 + WS_STATUS_LEN && packet[2] == WS_STATUS;
}

static void test_when_status_comes(void **state)
{
    (void)state;
    joined_client();
    loop_timer_disarm(&edge->tick);
    edge_fakes.events.on_status(5, false, edge);
    assert_false(told_after(1900));
    assert_true(told_after(2001));
    assert_int_equal(packet[6], 5);
    assert_false(told_after(12000)); // nothing new
    assert_true(told_after(13100));
    edge_fakes.events.on_status(5, false, edge);
    assert_false(told_after(5000));
    edge_fakes.events.on_status(5, true, edge);
    assert_true(told_after(5000));
    assert_int_equal(packet[3], WS_FLAG_READ_ONLY);
}

static void test_status_goes_along_with_a_frame(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    struct shared_buf *buf = filled(50, 0xcc);
    loop_timer_disarm(&edge->tick);
    edge_fakes.events.on_status(7, false, edge);
    edge->status_last = monotime_add_ms(loop_now(loop), -2001);
    edge_broadcast_tick(edge);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_TAKEN);
    assert_int_equal(next_packet(), 2 + WS_STATUS_LEN + 50); // as one
    assert_int_equal(packet[2], WS_STATUS);
    assert_int_equal(packet[6], 7);
    assert_null(ws->outbox.bytes);
    assert_int_equal(ws_conn_write_shared(ws, buf, 0), WS_WRITE_TAKEN);
    assert_int_equal(next_packet(), 50); // once
    edge->status_last = monotime_add_ms(loop_now(loop), -1000);
    edge_broadcast_tick(edge);
    turn(5);
    assert_int_equal(recv(client, packet, sizeof packet, MSG_DONTWAIT), -1); // the round passes it by
    shared_buf_unref(buf);
}

static void test_drain_moves_and_ends(void **state)
{
    (void)state;
    uint32_t delay_ms;
    joined_client();
    edge_drain(edge, NULL, NULL);
    assert_int_equal(next_packet(), 2 + WS_MOVE_LEN);
    assert_int_equal(ws_decode_move(packet + 2, WS_MOVE_LEN, &delay_ms), 0);
    assert_int_equal(delay_ms, 0);
    assert_string_equal(edge_not_ready(edge), "draining");
}

static void test_places_of_clients(void **state)
{
    (void)state;
    static struct conn conns[1000];
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(edge_add_client(edge, &conns[i]), 0);
    edge->status_round = (struct broadcast){.running = true, .at = 601};
    for (unsigned i = 0; i < 1000; i++)
        if (i % 3 != 0)
            edge_remove_client(edge, &conns[i]);
    // In their order still, without more holes than clients, and the round has the same clients before it as before.
    uint32_t last = 0, seen = 0, before_round = 0;
    for (uint32_t at = 0; at < edge->places; at++) {
        if (edge->clients[at] == NULL)
            continue;
        uint32_t number = (uint32_t)(edge->clients[at] - conns);
        assert_int_equal(edge->clients[at]->ws.index, at);
        assert_true(seen == 0 || number > last);
        last = number;
        seen++;
        before_round += at < edge->status_round.at;
    }
    assert_int_equal(seen, 334);
    assert_int_equal(before_round, 201); // 0, 3 … 600
    assert_true(edge->holes <= edge->places / 2 + 64);
    for (unsigned i = 0; i < 1000; i += 3)
        edge_remove_client(edge, &conns[i]);
    assert_int_equal(edge->stats.clients, 0);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_is_small),
        TEST(test_hello_to_welcome),
        TEST(test_wait_is_never_above_the_cooldown),
        TEST(test_without_a_cooldown_nobody_is_read),
        TEST(test_user_that_cannot_be_read),
        TEST(test_user_that_comes_too_late),
        TEST(test_join_results),
        TEST(test_malformed_join),
        TEST(test_verdicts_of_a_turn_leave_in_one_write),
        TEST(test_verdicts_and_a_shared_frame_leave_in_one_write),
        TEST(test_a_full_socket),
        TEST(test_a_cut_frame_goes_first),
        TEST(test_too_slow),
        TEST(test_one_pong_and_the_latest),
        TEST(test_stays_paused_until_the_answers_are_gone),
        TEST(test_new_tiles_are_rationed),
        TEST(test_erased),
        TEST(test_hello_of_an_erased_user),
        TEST(test_pongs_count),
        TEST(test_draws_in_flight),
        TEST(test_many_draws_in_one_segment),
        TEST(test_client_that_vanishes),
        TEST(test_client_that_closes),
        TEST(test_write_to_a_client_that_vanished),
        TEST(test_config_is_told),
        TEST(test_news_come_before_config),
        TEST(test_when_status_comes),
        TEST(test_status_goes_along_with_a_frame),
        TEST(test_drain_moves_and_ends),
        TEST(test_places_of_clients),
    };
    return cmocka_run_group_tests_name("ws_conn", tests, NULL, NULL);
}
