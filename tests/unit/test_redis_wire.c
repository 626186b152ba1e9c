// The bytes of the Redis protocol: requests as formatted, and redis_conn against a server that the test plays itself.

#include "check.h"

#include "common/io/redis_conn.h"
#include "common/io/sock.h"

#include <event2/buffer.h>
#include <stdio.h>

// ---- Requests ------------------------------------------------------------------------------------------------------

static void test_format(void **state)
{
    (void)state;
    const struct redis_arg head[] = {REDIS_ARG_TEXT("SET"), {NULL, 0}};
    const struct redis_arg tail[] = {{"a\0\r\nbcdefgh", 11}};
    const struct redis_args runs[] = {{head, 2}, {NULL, 0}, {tail, 1}};
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$11\r\na\0\r\nbcdefgh\r\n";
    struct evbuffer *out = evbuffer_new();
    assert_int_equal(redis_format(out, runs, 3), 0);
    assert_int_equal(evbuffer_get_length(out), sizeof expected - 1);
    assert_int_equal(redis_format_len(runs, 3), sizeof expected - 1);
    assert_memory_equal(evbuffer_pullup(out, -1), expected, sizeof expected - 1);
    evbuffer_free(out);
}

static void test_queue_keeps_its_order_while_it_grows(void **state)
{
    (void)state;
    struct redis_queue queue = {0};
    struct redis_pending pending;
    int64_t in = 0;
    int64_t out = 0;
    assert_false(redis_queue_pop(&queue, &pending));
    assert_null(redis_queue_oldest(&queue));
    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < 7; i++) {
            assert_int_equal(redis_queue_reserve(&queue), 0);
            redis_queue_push(&queue, (struct redis_pending){.sent = {in++}});
        }
        for (int i = 0; i < 5; i++) {
            assert_int_equal(redis_queue_oldest(&queue)->sent.us, out);
            assert_true(redis_queue_pop(&queue, &pending));
            assert_int_equal(pending.sent.us, out++);
        }
    }
    assert_int_equal(queue.count, 1000);
    redis_queue_fini(&queue);
}

// ---- Answers -------------------------------------------------------------------------------------------------------

static struct loop *loop;
static struct redis_conn *conn;
static int listener;
static int peer; // our end of the connection
static char address[32];
static char trace[256];
static unsigned ready, down, answers;
static struct redis_conn_config config;

static void note(char what)
{
    trace[strlen(trace)] = what;
}

static void on_ready(void *arg)
{
    (void)arg;
    note('R');
    ready++;
}

static void on_down(void *arg)
{
    (void)arg;
    note('D');
    down++;
}

static void on_reply(void *arg, const redisReply *reply)
{
    (void)arg;
    note(reply == NULL ? '?' : reply->type == REDIS_REPLY_ERROR ? 'E' : '+');
    answers++;
}

static const struct redis_conn_handlers handlers = {.on_ready = on_ready, .on_down = on_down};

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        loop_run_once(loop, 1);
}

static void accept_peer(void)
{
    peer = -1;
    for (int i = 0; i < 1000 && peer < 0; i++) {
        loop_run_once(loop, 5);
        peer = sock_accept(listener, NULL, NULL);
    }
    assert_true(peer >= 0);
}

static void say(const char *text)
{
    assert_int_equal(write(peer, text, strlen(text)), strlen(text));
    turns(3);
}

// For a state that does not last.
static void say_until(const char *text, enum redis_conn_state state)
{
    assert_int_equal(write(peer, text, strlen(text)), strlen(text));
    for (int i = 0; i < 5000 && redis_conn_state(conn) != state; i++)
        turns(1);
    assert_int_equal(redis_conn_state(conn), state);
}

static void expect(const char *text)
{
    char got[512];
    turns(3);
    ssize_t len = read(peer, got, sizeof got);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static int send_ping(void)
{
    const struct redis_arg ping = REDIS_ARG_TEXT("PING");
    return redis_conn_command(conn, &ping, 1, on_reply, NULL);
}

#define PING "*1\r\n$4\r\nPING\r\n"

static int begin(unsigned command_timeout_ms)
{
    loop = loop_new();
    listener = sock_listen("127.0.0.1:0", 8, false);
    snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(listener));
    memset(trace, 0, sizeof trace);
    ready = down = answers = 0;
    config =
        (struct redis_conn_config){.address = address, .reply_max = 1000, .command_timeout_ms = command_timeout_ms};
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), 0);
    accept_peer();
    expect(PING);
    return 0;
}

// However late the machine is, nobody gives up on us.
static int setup(void **state)
{
    (void)state;
    return begin(15000);
}

static int setup_impatient(void **state)
{
    (void)state;
    return begin(300);
}

static int teardown(void **state)
{
    (void)state;
    redis_conn_close(conn);
    close(peer);
    close(listener);
    loop_free(loop);
    return 0;
}

static void test_one_turn_is_one_write(void **state)
{
    (void)state;
    say("+PONG\r\n");
    assert_string_equal(trace, "R");
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_ping(), 0);
    char got[256];
    assert_int_equal(read(peer, got, sizeof got), -1); // not before the end of the turn
    loop_run_once(loop, 0);
    assert_int_equal(read(peer, got, sizeof got), 3 * strlen(PING));
}

static void test_answers_byte_by_byte(void **state)
{
    (void)state;
    static const char wire[] = "+OK\r\n*2\r\n$3\r\nabc\r\n:5\r\n$-1\r\n-ERR no\r\n";
    say("+PONG\r\n");
    for (int i = 0; i < 4; i++)
        assert_int_equal(send_ping(), 0);
    for (size_t i = 0; i < sizeof wire - 1; i++) {
        assert_int_equal(write(peer, wire + i, 1), 1);
        turns(1);
    }
    turns(3);
    assert_string_equal(trace, "R+++E");
}

static void break_with(const char *wire, const char *why)
{
    say("+PONG\r\n");
    assert_int_equal(send_ping(), 0);
    turns(2);
    say(wire);
    assert_string_equal(trace, "R?D");
    assert_string_equal(redis_conn_last_error(conn), why);
    close(peer);
    accept_peer(); // it comes again
}

static void test_garbage(void **state)
{
    (void)state;
    break_with("HTTP/1.1 400 Bad Request\r\n", "the answer is not RESP");
}

static void test_endless_answer(void **state)
{
    (void)state;
    char part[200];
    say("+PONG\r\n");
    assert_int_equal(send_ping(), 0);
    say("$500000\r\n");
    memset(part, 'x', sizeof part - 1);
    part[sizeof part - 1] = '\0';
    for (int i = 0; i < 6 && down == 0; i++)
        say(part);
    assert_string_equal(trace, "R?D");
    assert_string_equal(redis_conn_last_error(conn), "the answer is too long");
}

static void test_endless_array_of_small_parts(void **state)
{
    (void)state;
    say("+PONG\r\n");
    assert_int_equal(send_ping(), 0);
    say("*100000\r\n");
    for (int i = 0; i < 60 && down == 0; i++)
        say(":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n");
    assert_string_equal(trace, "R?D");
}

static void test_answer_to_no_question(void **state)
{
    (void)state;
    say("+PONG\r\n");
    say("+OK\r\n");
    assert_string_equal(trace, "RD");
    assert_string_equal(redis_conn_last_error(conn), "an answer to no question");
}

static void test_server_that_still_loads(void **state)
{
    (void)state;
    say_until("-LOADING Redis is loading the dataset in memory\r\n", REDIS_CONN_BACKOFF);
    assert_string_equal(trace, "");
    assert_non_null(strstr(redis_conn_last_error(conn), "LOADING"));
    close(peer);
    accept_peer();
    expect(PING);
    say("+PONG\r\n");
    assert_string_equal(trace, "R");
}

static void test_server_that_never_answers_the_handshake(void **state)
{
    (void)state;
    struct monotime start = loop_now_exact();
    while (redis_conn_state(conn) != REDIS_CONN_BACKOFF && monotime_diff_ms(loop_now_exact(), start) < 10000)
        loop_run_once(loop, 5);
    assert_in_range(monotime_diff_ms(loop_now_exact(), start), 250, 5000);
    assert_string_equal(redis_conn_last_error(conn), "no answer in time");
    assert_string_equal(trace, "");
}

static void test_push_that_is_none(void **state)
{
    (void)state;
    static const char *const wires[] = {":1\r\n", "*1\r\n+x\r\n", "*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n",
                                        "*3\r\n$5\r\nother\r\n$1\r\na\r\n$1\r\nb\r\n",
                                        "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n*0\r\n"};
    for (unsigned i = 0; i < sizeof wires / sizeof wires[0]; i++) {
        say("+PONG\r\n");
        assert_int_equal(ready, i + 1);
        assert_int_equal(redis_conn_subscribe(conn, "a", 1), 0);
        say(wires[i]);
        assert_int_equal(down, i + 1);
        close(peer);
        accept_peer();
        turns(3);
    }
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_queue_keeps_its_order_while_it_grows),
        TEST(test_one_turn_is_one_write),
        TEST(test_answers_byte_by_byte),
        TEST(test_garbage),
        TEST(test_endless_answer),
        TEST(test_endless_array_of_small_parts),
        TEST(test_answer_to_no_question),
        TEST(test_server_that_still_loads),
        cmocka_unit_test_setup_teardown(test_server_that_never_answers_the_handshake, setup_impatient, teardown),
        TEST(test_push_that_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
