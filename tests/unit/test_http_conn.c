// HTTP on a connection whose client takes its answers slowly or not at all; everything behind the edge is faked. The
// client is the far end of a socket pair.
#include "check.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "gateway/edge_internal.h"
#include "gateway/http_conn.h"
#include "tests/unit/edge_fakes.h"

#define CLIENTS 4
#define BIG (4u << 20)

static struct edge *edge;
static char paths[CLIENTS][3] = {"/0", "/1", "/2", "/3"};
static struct static_file files[CLIENTS];
static const struct static_files all_files = {CLIENTS, files};
static int clients[CLIENTS];
static char got[1 << 16];

static struct conn *connect_client(unsigned at)
{
    return edge_fakes_connect(SOCK_STREAM, &clients[at]);
}

static void ask(unsigned at, const char *text)
{
    assert_int_equal(send(clients[at], text, strlen(text), MSG_NOSIGNAL), strlen(text));
    edge_fakes_turn(2);
}

static void ask_for(unsigned at, unsigned file)
{
    char text[64];
    snprintf(text, sizeof text, "GET /%u HTTP/1.1\r\nHost: a\r\n\r\n", file);
    ask(at, text);
}

static size_t take(unsigned at)
{
    ssize_t n = recv(clients[at], got, sizeof got - 1, MSG_DONTWAIT);
    got[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

static void on_drained(void *arg)
{
    *(bool *)arg = true;
}

static int setup(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = -1;
        files[i] =
            (struct static_file){.path = paths[i], .type = "text/plain", .raw = shared_buf_new(BIG), .etag = "\"x\""};
        memset(files[i].raw->bytes, '0' + (int)i, BIG);
    }
    edge = edge_fakes_begin(
        &(struct edge_options){.listen = "127.0.0.1:0", .files = &all_files, .max_connections = 10, .max_sockets = 10});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        edge_fakes_hang_up(&clients[i]);
    edge_fakes_end();
    for (unsigned i = 0; i < CLIENTS; i++) {
        assert_int_equal(files[i].raw->refs, 1);
        shared_buf_unref(files[i].raw);
    }
    return 0;
}

// ---- Tests ----------------------------------------------------------------------------------------------------------

static void test_a_body_is_counted_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        connect_client(i);
    ask_for(0, 0);
    assert_int_equal(edge->stats.body_bytes, BIG);
    ask_for(1, 0);
    assert_int_equal(edge->stats.body_bytes, BIG);
    ask_for(2, 1);
    assert_int_equal(edge->stats.body_bytes, 2 * BIG);
    size_t all = 0;
    for (unsigned i = 0; i < 1000 && all < BIG; i++, edge_fakes_turn(1))
        all += take(0);
    assert_true(all > BIG);
    assert_int_equal(edge->stats.body_bytes, 2 * BIG); // the other still takes it
    edge_fakes_hang_up(&clients[1]);
    edge_fakes_turn(3);
    assert_int_equal(edge->stats.body_bytes, BIG);
}

// Each of them keeps another body alive. Whoever took something the longest ago goes first.
static void test_slow_takers_do_not_fill_the_memory(void **state)
{
    (void)state;
    edge->body_bytes_max = 2 * BIG + 1000;
    for (unsigned i = 0; i < 3; i++)
        connect_client(i);
    ask_for(0, 0);
    ask_for(1, 1);
    edge_fakes_turn(3);
    assert_true(take(0) > 0); // and so has more room
    for (unsigned i = 0; i < 20; i++, edge_fakes_turn(1))
        (void)take(0);
    ask_for(2, 2);
    assert_int_equal(edge->stats.body_bytes, 2 * BIG);
    assert_int_equal(edge->stats.sockets, 2);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_BODIES_FULL], 1);
    assert_int_equal(files[1].raw->answers, 0);
    assert_int_equal(files[0].raw->answers, 1);
}

// A single body above the bound is sent all the same.
static void test_a_body_above_the_bound(void **state)
{
    (void)state;
    edge->body_bytes_max = 1000;
    connect_client(0);
    ask_for(0, 0);
    size_t all = 0;
    for (unsigned i = 0; i < 1000 && all < BIG; i++, edge_fakes_turn(1))
        all += take(0);
    assert_true(all > BIG);
}

// A refusal that the full socket does not take has the time that answers have, not what was left for the request: at
// its end the request would be refused a second time.
static void test_a_refusal_to_a_full_socket(void **state)
{
    (void)state;
    struct conn *conn = connect_client(0);
    // Writes of its answers end exactly when the socket is full.
    while (send(conn->sock.fd, got, sizeof got, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
    while (send(conn->sock.fd, got, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
    ask(0, "GET nowhere HTTP/1.1\r\n\r\n");
    assert_non_null(conn->http);
    assert_true(conn->http->answering && conn->http->sent == 0);
    assert_true(monotime_diff_ms(conn->deadline.at, loop_now(edge_fakes.loop)) > 20000);
}

// The port closes at once, as nobody has to move. Who is in the kernel's queue is served all the same; who says nothing
// does not hold the end up.
static void test_the_queue_of_a_port_that_closes(void **state)
{
    (void)state;
    bool drained = false;
    const char *which;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(edge_listen(edge, &which), 0);
    to.sin_port = htons(edge_port(edge));
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(clients[i], (const struct sockaddr *)&to, sizeof to), 0);
    }
    const char *text = "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_int_equal(send(clients[0], text, strlen(text), MSG_NOSIGNAL), strlen(text));
    edge_drain(edge, on_drained, &drained);
    assert_int_equal(edge_port(edge), 0);
    for (unsigned i = 0; i < 50 && take(0) == 0; i++)
        edge_fakes_turn(1);
    assert_non_null(strstr(got, "HTTP/1.1 404 "));
    assert_non_null(strstr(got, "\r\nConnection: close\r\n"));
    edge_fakes_hang_up(&clients[0]);
    struct monotime began = loop_now_exact();
    while (!drained && monotime_diff_ms(loop_now_exact(), began) < 20000)
        loop_run_once(edge_fakes.loop, 50);
    assert_true(drained);
}

// Who has asked for nothing yet gives way to who comes, the oldest first; whoever is being answered stays.
static void test_room_for_one_more(void **state)
{
    (void)state;
    edge->options.max_sockets = 2;
    connect_client(0);
    ask_for(0, 0); // and takes nothing of it
    connect_client(1);
    connect_client(2);
    edge_fakes_turn(2);
    assert_int_equal(edge->stats.sockets, 2);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_SOCKETS_FULL], 1);
    assert_int_equal(recv(clients[1], got, sizeof got, MSG_DONTWAIT), 0);
    assert_true(take(0) > 0);
    ask_for(2, 1);
    connect_client(3); // now there is nobody
    edge_fakes_turn(2);
    assert_int_equal(edge->stats.sockets, 2);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_SOCKETS_FULL], 2);
    assert_true(take(2) > 0);
}

// Nobody gives way to one whose PROXY header would not be believed.
static void test_no_room_is_made_for_a_stranger(void **state)
{
    (void)state;
    int pair[2];
    const struct addr stranger = {{0x20, 0x01, 0x0d, 0xb8}};
    edge->options.max_sockets = 1;
    connect_client(0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    conn_start(edge, pair[0], &stranger, true);
    edge_fakes_turn(2);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_PROXY_UNTRUSTED], 1);
    assert_int_equal(edge->stats.disconnects[CONN_REASON_SOCKETS_FULL], 0);
    assert_int_equal(edge->stats.sockets, 1);
    assert_int_equal(recv(pair[1], got, sizeof got, 0), 0);
    close(pair[1]);
}

static void test_errors_are_not_cached(void **state)
{
    (void)state;
    connect_client(0);
    ask(0, "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(take(0) > 0);
    assert_non_null(strstr(got, "HTTP/1.1 404 "));
    assert_non_null(strstr(got, "\r\nCache-Control: no-store\r\n"));
    ask(0, "POST /0 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(take(0) > 0);
    assert_non_null(strstr(got, "\r\nCache-Control: no-store\r\nAllow: GET, HEAD\r\n"));
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_body_is_counted_once),
        TEST(test_slow_takers_do_not_fill_the_memory),
        TEST(test_a_body_above_the_bound),
        TEST(test_a_refusal_to_a_full_socket),
        TEST(test_the_queue_of_a_port_that_closes),
        TEST(test_errors_are_not_cached),
        TEST(test_room_for_one_more),
        TEST(test_no_room_is_made_for_a_stranger),
    };
    return cmocka_run_group_tests_name("http_conn", tests, NULL, NULL);
}
