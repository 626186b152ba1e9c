#include "check.h"

#include "common/io/msg_sock.h"
#include "common/io/rand.h"
#include "common/io/sock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define MAX_LEN 100000

static const struct msg_sock_limits limits = {.max_len = MAX_LEN, .high_water = 1 << 20, .connect_timeout_ms = 500};

// One end and what happened to it.
struct end {
    struct msg_sock *sock;
    unsigned opened;
    unsigned messages;
    unsigned closed;
    unsigned drained;
    enum msg_sock_reason reason;
    size_t bytes;
    uint8_t last[64];
    unsigned pause_after;   // 0 = never
    unsigned close_after;   // 0 = never
    unsigned most_per_turn; // most messages in one turn
    unsigned this_turn;
    int64_t turn_us;
};

static struct loop *loop;
static int listener;
static char address[32];

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    listener = sock_listen("127.0.0.1:0", 8, false);
    snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(listener));
    return loop == NULL || listener < 0;
}

static int teardown(void **state)
{
    (void)state;
    close(listener);
    loop_free(loop);
    return 0;
}

static void on_open(void *arg)
{
    struct end *end = arg;
    assert_int_equal(end->messages, 0);
    assert_true(msg_sock_is_open(end->sock));
    end->opened++;
}

static void on_message(void *arg, const uint8_t *data, size_t len)
{
    struct end *end = arg;
    assert_int_equal(end->opened, 1);
    assert_int_equal(end->closed, 0);
    end->messages++;
    end->bytes += len;
    memcpy(end->last, data, len < sizeof end->last ? len : sizeof end->last);
    if (loop_now(loop).us != end->turn_us)
        end->this_turn = 0;
    end->turn_us = loop_now(loop).us;
    if (++end->this_turn > end->most_per_turn)
        end->most_per_turn = end->this_turn;
    if (end->messages == end->pause_after)
        msg_sock_pause(end->sock, true);
    if (end->messages == end->close_after) {
        msg_sock_close(end->sock);
        end->sock = NULL;
    }
}

static void on_closed(void *arg, enum msg_sock_reason reason)
{
    struct end *end = arg;
    assert_false(msg_sock_is_open(end->sock));
    end->closed++;
    end->reason = reason;
}

static void on_drained(void *arg)
{
    ((struct end *)arg)->drained++;
}

static const struct msg_sock_handlers handlers = {on_open, on_message, on_closed, on_drained};

static void turn_until(const unsigned *counter, unsigned wanted)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), 20000);
    while (*counter < wanted && !monotime_reached(end, loop_now_exact()))
        loop_run_once(loop, 10);
    assert_true(*counter >= wanted);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        loop_run_once(loop, 1);
}

static int accept_fd(void)
{
    for (int i = 0; i < 400; i++) {
        int fd = sock_accept(listener, NULL, NULL);
        if (fd >= 0)
            return fd;
        loop_run_once(loop, 5);
    }
    fail_msg("nobody came");
    return -1;
}

// A raw socket of our own that is connected to a msg_sock.
static int raw_peer(struct end *end, const struct msg_sock_limits *with)
{
    struct sockaddr_storage sa;
    socklen_t len;
    assert_int_equal(sock_parse(address, &sa, &len), 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(msg_sock_accept(&end->sock, loop, accept_fd(), with, &handlers, end), 0);
    return fd;
}

static void put(int fd, const void *data, size_t len)
{
    assert_int_equal(write(fd, data, len), len);
}

// ---- Both ends are ours --------------------------------------------------------------------------------------------

static void test_messages_both_ways(void **state)
{
    (void)state;
    struct end a = {0};
    struct end b = {0};
    assert_int_equal(msg_sock_connect(&a.sock, loop, address, &limits, &handlers, &a), 0);
    assert_false(msg_sock_is_open(a.sock));
    assert_int_equal(msg_sock_send(a.sock, "x", 1), ERR_CLOSED);
    turn_until(&a.opened, 1);
    assert_int_equal(msg_sock_accept(&b.sock, loop, accept_fd(), &limits, &handlers, &b), 0);
    assert_int_equal(b.opened, 0); // never within the call
    assert_int_equal(msg_sock_send(a.sock, "hello", 5), 0);
    assert_int_equal(msg_sock_send(a.sock, "", 0), 0);
    assert_int_equal(msg_sock_pending(a.sock), 4 + 5 + 4);
    assert_int_equal(msg_sock_send(b.sock, "there", 5), 0);
    turn_until(&b.messages, 2);
    turn_until(&a.messages, 1);
    assert_int_equal(msg_sock_pending(a.sock), 0);
    assert_int_equal(b.bytes, 5);
    assert_memory_equal(b.last, "hello", 5);
    assert_memory_equal(a.last, "there", 5);
    msg_sock_close(a.sock);
    turn_until(&b.closed, 1);
    assert_int_equal(b.reason, MSG_SOCK_PEER_CLOSED);
    assert_int_equal(a.closed, 0);
    msg_sock_close(b.sock);
    msg_sock_close(NULL);
}

static void test_what_is_queued_at_close_still_leaves(void **state)
{
    (void)state;
    struct end a = {0};
    struct end b = {0};
    assert_int_equal(msg_sock_connect(&a.sock, loop, address, &limits, &handlers, &a), 0);
    turn_until(&a.opened, 1);
    assert_int_equal(msg_sock_accept(&b.sock, loop, accept_fd(), &limits, &handlers, &b), 0);
    assert_int_equal(msg_sock_send(a.sock, "bye", 3), 0);
    msg_sock_close(a.sock);
    turn_until(&b.closed, 1);
    assert_int_equal(b.messages, 1);
    msg_sock_close(b.sock);
}

static void test_bounds_of_sending(void **state)
{
    (void)state;
    static uint8_t data[MAX_LEN + 1];
    struct end a = {0};
    int peer = raw_peer(&a, &limits);
    turn_until(&a.opened, 1);
    assert_int_equal(msg_sock_send(a.sock, data, MAX_LEN + 1), ERR_RANGE);
    int err = 0;
    size_t sent = 0;
    while ((err = msg_sock_send(a.sock, data, MAX_LEN)) == 0)
        sent += MAX_LEN + MSG_SOCK_HEAD_LEN;
    assert_int_equal(err, ERR_FULL);
    assert_int_equal(msg_sock_pending(a.sock), sent);
    assert_true(sent <= limits.high_water && sent > limits.high_water - MAX_LEN - MSG_SOCK_HEAD_LEN);
    assert_int_equal(fcntl(peer, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 1000 && a.drained == 0; i++) {
        loop_run_once(loop, 1);
        while (read(peer, data, sizeof data) > 0)
            ;
    }
    assert_int_equal(a.drained, 1);
    assert_int_equal(msg_sock_pending(a.sock), 0);
    assert_int_equal(msg_sock_send(a.sock, data, 1), 0);
    turns(5);
    assert_int_equal(a.drained, 1); // only after a send met the bound
    close(peer);
    msg_sock_close(a.sock);
}

// ---- The other end is a stranger -----------------------------------------------------------------------------------

static void test_byte_by_byte(void **state)
{
    (void)state;
    static const uint8_t wire[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 0, 0, 0, 0, 1, 'd'};
    struct end a = {0};
    int peer = raw_peer(&a, &limits);
    for (size_t i = 0; i < sizeof wire; i++) {
        put(peer, wire + i, 1);
        turns(2);
        assert_int_equal(a.messages, (i >= 6) + (i >= 10) + (i >= 15));
    }
    assert_memory_equal(a.last, "d", 1);
    close(peer);
    turn_until(&a.closed, 1);
    assert_int_equal(a.reason, MSG_SOCK_PEER_CLOSED);
    msg_sock_close(a.sock);
}

static void test_truncated(void **state)
{
    (void)state;
    static const uint8_t wire[] = {0, 0, 0, 3, 'a', 'b', 'c'};
    for (size_t len = 1; len < sizeof wire; len++) {
        struct end a = {0};
        int peer = raw_peer(&a, &limits);
        put(peer, wire, len);
        close(peer);
        turn_until(&a.closed, 1);
        assert_int_equal(a.reason, MSG_SOCK_TRUNCATED);
        assert_int_equal(a.messages, 0);
        msg_sock_close(a.sock);
    }
}

static void test_too_long_is_refused_by_its_head_alone(void **state)
{
    (void)state;
    static const uint8_t wire[] = {0, 0, 0, 1, 'a', 0xff, 0xff, 0xff, 0xff};
    struct end a = {0};
    int peer = raw_peer(&a, &limits);
    put(peer, wire, sizeof wire);
    turn_until(&a.closed, 1);
    assert_int_equal(a.reason, MSG_SOCK_TOO_LONG);
    assert_int_equal(a.messages, 1);
    assert_int_equal(msg_sock_send(a.sock, "x", 1), ERR_CLOSED);
    close(peer);
    msg_sock_close(a.sock);
}

static void test_what_comes_in_may_be_shorter(void **state)
{
    (void)state;
    static const struct msg_sock_limits narrow = {.max_len = MAX_LEN, .max_in = 4, .high_water = 1 << 20};
    static const uint8_t wire[] = {0, 0, 0, 4, 'a', 'b', 'c', 'd', 0, 0, 0, 5};
    static const uint8_t longest[MAX_LEN];
    struct end a = {0};
    int peer = raw_peer(&a, &narrow);
    assert_int_equal(msg_sock_send(a.sock, longest, sizeof longest), 0);
    put(peer, wire, sizeof wire);
    turn_until(&a.closed, 1);
    assert_int_equal(a.reason, MSG_SOCK_TOO_LONG);
    assert_int_equal(a.messages, 1);
    close(peer);
    msg_sock_close(a.sock);
}

static void test_longest_message(void **state)
{
    (void)state;
    static uint8_t wire[MSG_SOCK_HEAD_LEN + MAX_LEN] = {0, MAX_LEN >> 16, MAX_LEN >> 8 & 0xff, MAX_LEN & 0xff, 42};
    struct end a = {0};
    int peer = raw_peer(&a, &limits);
    for (unsigned i = 1; i <= 5; i++) {
        put(peer, wire, sizeof wire);
        turn_until(&a.messages, i);
        assert_int_equal(a.bytes, (size_t)i * MAX_LEN);
    }
    assert_int_equal(a.last[0], 42);
    close(peer);
    msg_sock_close(a.sock);
}

static void test_reset(void **state)
{
    (void)state;
    const struct linger hard = {.l_onoff = 1};
    struct end a = {0};
    int peer = raw_peer(&a, &limits);
    turn_until(&a.opened, 1);
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &hard, sizeof hard), 0);
    close(peer);
    turn_until(&a.closed, 1);
    assert_int_equal(a.reason, MSG_SOCK_RESET);
    msg_sock_close(a.sock);
}

// Random lengths in random cuts; small ones, so that many lie in one read.
static void test_many_messages_and_a_budget(void **state)
{
    (void)state;
    struct msg_sock_limits tight = limits;
    struct end a = {0};
    unsigned sent = 0;
    size_t bytes = 0;
    tight.messages_per_turn = 7;
    int peer = raw_peer(&a, &tight);
    for (int i = 0; i < 50; i++) {
        uint8_t wire[8192];
        size_t len = 0;
        while (len < 4000) {
            size_t n = rand_below(40);
            memset(wire + len, 0, MSG_SOCK_HEAD_LEN + n);
            wire[len + 3] = (uint8_t)n;
            len += MSG_SOCK_HEAD_LEN + n;
            bytes += n;
            sent++;
        }
        size_t cut = rand_below(len);
        put(peer, wire, cut);
        turns(1);
        put(peer, wire + cut, len - cut);
    }
    for (int i = 0; i < 10000 && a.messages < sent; i++)
        loop_run_once(loop, 1);
    assert_int_equal(a.messages, sent);
    assert_int_equal(a.bytes, bytes);
    assert_in_range(a.most_per_turn, 1, 7);
    close(peer);
    turn_until(&a.closed, 1);
    msg_sock_close(a.sock);
}

static void test_pause_and_close_from_within(void **state)
{
    (void)state;
    static const uint8_t wire[] = {0, 0, 0, 1, 'a', 0, 0, 0, 1, 'b', 0, 0, 0, 1, 'c'};
    struct end a = {.pause_after = 1, .close_after = 2};
    int peer = raw_peer(&a, &limits);
    put(peer, wire, sizeof wire);
    turn_until(&a.messages, 1);
    turns(5);
    assert_int_equal(a.messages, 1);
    msg_sock_pause(a.sock, false);
    assert_int_equal(a.messages, 1); // not within the call
    turn_until(&a.messages, 2);
    turns(5);
    assert_int_equal(a.messages, 2);
    assert_int_equal(a.closed, 0);
    assert_null(a.sock);
    close(peer);
}

// ---- Connecting ----------------------------------------------------------------------------------------------------

static void expect_failure(const char *where)
{
    struct end a = {0};
    assert_int_equal(msg_sock_connect(&a.sock, loop, where, &limits, &handlers, &a), 0);
    assert_int_equal(a.closed, 0);
    turn_until(&a.closed, 1);
    assert_int_equal(a.reason, MSG_SOCK_CONNECT_FAILED);
    assert_int_equal(a.opened, 0);
    msg_sock_close(a.sock);
}

static void test_connect_fails(void **state)
{
    (void)state;
    struct end a = {0};
    char closed[32];
    int fd = sock_listen("127.0.0.1:0", 1, false);
    snprintf(closed, sizeof closed, "127.0.0.1:%u", sock_port(fd));
    close(fd);
    assert_int_equal(msg_sock_connect(&a.sock, loop, "nonsense", &limits, &handlers, &a), ERR_MALFORMED);
    assert_int_equal(msg_sock_connect(&a.sock, loop, ":80", &limits, &handlers, &a), ERR_MALFORMED);
    expect_failure(closed);
}

// A listener that takes no more connections: the kernel drops what asks for one, as a firewall would.
static void test_connect_times_out(void **state)
{
    (void)state;
    char full[32];
    int fillers[4];
    struct sockaddr_storage sa;
    socklen_t len;
    int fd = sock_listen("127.0.0.1:0", 0, false);
    snprintf(full, sizeof full, "127.0.0.1:%u", sock_port(fd));
    assert_int_equal(sock_parse(full, &sa, &len), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(fillers[i], (struct sockaddr *)&sa, len);
    }
    struct monotime start = loop_now_exact();
    expect_failure(full);
    assert_in_range(monotime_diff_ms(loop_now_exact(), start), limits.connect_timeout_ms, 10000);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(fd);
}

static void test_connect_by_name(void **state)
{
    (void)state;
    struct end a = {0};
    char by_name[32];
    snprintf(by_name, sizeof by_name, "localhost:%u", sock_port(listener)); // maybe ::1 first, where nobody listens
    assert_int_equal(msg_sock_connect(&a.sock, loop, by_name, &limits, &handlers, &a), 0);
    turn_until(&a.opened, 1);
    close(accept_fd());
    turn_until(&a.closed, 1);
    msg_sock_close(a.sock);
}

static void test_close_while_connecting(void **state)
{
    (void)state;
    struct end a = {0};
    assert_int_equal(msg_sock_connect(&a.sock, loop, address, &limits, &handlers, &a), 0);
    msg_sock_close(a.sock);
    turns(5);
    assert_int_equal(a.opened + a.closed, 0);
    // A look-up under way; without a network it may have failed already.
    assert_int_equal(msg_sock_connect(&a.sock, loop, "name.invalid:80", &limits, &handlers, &a), 0);
    turns(2);
    msg_sock_close(a.sock);
    turns(5);
    assert_int_equal(a.opened, 0);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_messages_both_ways),
        TEST(test_what_is_queued_at_close_still_leaves),
        TEST(test_bounds_of_sending),
        TEST(test_byte_by_byte),
        TEST(test_truncated),
        TEST(test_too_long_is_refused_by_its_head_alone),
        TEST(test_what_comes_in_may_be_shorter),
        TEST(test_longest_message),
        TEST(test_reset),
        TEST(test_many_messages_and_a_budget),
        TEST(test_pause_and_close_from_within),
        TEST(test_connect_fails),
        TEST(test_connect_times_out),
        TEST(test_connect_by_name),
        TEST(test_close_while_connecting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
