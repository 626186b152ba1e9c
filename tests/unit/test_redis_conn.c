// redis_conn against a real redis-server that is killed, frozen and emptied under it.

#include "check.h"
#include "redis_server.h"

#include "common/io/redis_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *const scripts[] = {
    "return {KEYS[1], ARGV[1], #ARGV}",
    "return redis.call('SET', KEYS[1], ARGV[1])",
};

static struct redis_server server;
static struct loop *loop;
static struct redis_conn *conn;
static struct redis_conn_config config;

// What happened, in order: R ready, D down, + answer, E error, ? unknown, S subscribed, M message.
static char trace[1024];
static char answer[256];
static unsigned ready, down, answers, messages, subscribed;

static void note(char what)
{
    size_t len = strlen(trace);
    if (len + 1 < sizeof trace)
        trace[len] = what;
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
    assert_int_equal(redis_conn_in_flight(conn), 0);
    note('D');
    down++;
}

static void on_subscribed(void *arg, const char *channel, size_t len)
{
    (void)arg;
    snprintf(answer, sizeof answer, "%.*s", (int)len, channel);
    note('S');
    subscribed++;
}

static void on_message(void *arg, const char *channel, size_t channel_len, const char *payload, size_t len)
{
    (void)arg;
    snprintf(answer, sizeof answer, "%.*s:%.*s", (int)channel_len, channel, (int)len, payload);
    note('M');
    messages++;
}

static const struct redis_conn_handlers handlers = {on_ready, on_down, on_subscribed, on_message};

static void on_reply(void *arg, const redisReply *reply)
{
    (void)arg;
    answers++;
    note(reply == NULL ? '?' : reply->type == REDIS_REPLY_ERROR ? 'E' : '+');
    answer[0] = '\0';
    if (reply != NULL && reply->str != NULL)
        snprintf(answer, sizeof answer, "%.*s", (int)reply->len, reply->str);
}

static int setup(void **state)
{
    (void)state;
    redis_server_init(&server);
    redis_server_start(&server, NULL);
    loop = loop_new();
    memset(trace, 0, sizeof trace);
    ready = down = answers = messages = subscribed = 0;
    config = (struct redis_conn_config){
        .address = server.address, .scripts = scripts, .script_count = 2, .command_timeout_ms = 500};
    return loop == NULL;
}

static int teardown(void **state)
{
    (void)state;
    redis_conn_close(conn);
    conn = NULL;
    loop_free(loop);
    redis_server_kill(&server);
    return 0;
}

// By the clock, and not by turns: how much comes in one depends on what else the machine does.
static void turn_until(const unsigned *counter, unsigned wanted)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), 20000);
    while (*counter < wanted && monotime_before(loop_now_exact(), end))
        loop_run_once(loop, 5);
    assert_true(*counter >= wanted);
}

static void turn_ms(int64_t ms)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), ms);
    while (monotime_before(loop_now_exact(), end))
        loop_run_once(loop, 5);
}

static void open_ready(void)
{
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), 0);
    assert_false(redis_conn_is_ready(conn));
    turn_until(&ready, 1);
    assert_int_equal(redis_conn_state(conn), REDIS_CONN_READY);
}

// A command of words.
static int send_words(const char *words, redis_conn_reply_cb *cb)
{
    static char copy[256];
    const char *argv[16];
    size_t argc = 0;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *at = strtok(copy, " "); at != NULL; at = strtok(NULL, " "))
        argv[argc++] = at;
    return redis_conn_command_argv(conn, argc, argv, NULL, cb, NULL);
}

static const char *ask(const char *words)
{
    unsigned before = answers;
    assert_int_equal(send_words(words, on_reply), 0);
    turn_until(&answers, before + 1);
    return answer;
}

// Words from outside, to a server that the connection under test cannot reach as it likes.
static void tell(const char *words)
{
    char command[256];
    snprintf(command, sizeof command, "redis-cli -p %u %s >/dev/null 2>&1", server.port, words);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test, with words of its own
}

// ---- Commands ------------------------------------------------------------------------------------------------------

static void test_commands_in_order(void **state)
{
    (void)state;
    open_ready();
    assert_string_equal(ask("PING"), "PONG");
    assert_int_equal(send_words("SET a 1", on_reply), 0);
    assert_int_equal(send_words("INCR a", NULL), 0);
    assert_int_equal(send_words("LPUSH a x", on_reply), 0);
    assert_int_equal(send_words("GET a", on_reply), 0);
    assert_int_equal(redis_conn_in_flight(conn), 4);
    turn_until(&answers, 4);
    assert_string_equal(answer, "2");
    assert_string_equal(trace, "R++E+");
    assert_int_equal(redis_conn_in_flight(conn), 0);
    const struct redis_conn_stats *stats = redis_conn_stats(conn);
    assert_int_equal(stats->connects, 1);
    assert_int_equal(stats->errors, 1);
    assert_int_equal(stats->latency_us.count, stats->replies);
    assert_string_equal(redis_conn_last_error(conn), "");
}

static void on_echo(void *arg, const redisReply *reply)
{
    const struct redis_arg *sent = arg;
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_ARRAY);
    assert_int_equal(reply->elements, 3);
    assert_int_equal(reply->element[1]->len, sent->len);
    assert_memory_equal(reply->element[1]->str, sent->data, sent->len);
    assert_int_equal(reply->element[2]->integer, 3);
    answers++;
}

static void test_scripts_take_any_bytes(void **state)
{
    (void)state;
    static uint8_t blob[300000];
    for (size_t i = 0; i < sizeof blob; i++)
        blob[i] = (uint8_t)(i * 2654435761u >> 23);
    const struct redis_arg key = REDIS_ARG_TEXT("{t:0:0}key");
    const size_t lens[] = {0, 1, 9, 10, 99, 100, 65536, sizeof blob};
    open_ready();
    for (unsigned i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        const struct redis_arg args[] = {{blob, lens[i]}, {NULL, 0}, {"\r\n", 2}};
        assert_int_equal(redis_conn_evalsha(conn, 0, &key, 1, args, 3, on_echo, (void *)(uintptr_t)&args[0]), 0);
        turn_until(&answers, i + 1);
    }
    assert_int_equal(redis_conn_evalsha(conn, 2, &key, 1, NULL, 0, NULL, NULL), ERR_RANGE);
}

static void test_read_only_scripts(void **state)
{
    (void)state;
    const struct redis_arg key = REDIS_ARG_TEXT("k");
    const struct redis_arg value = REDIS_ARG_TEXT("v");
    open_ready();
    assert_int_equal(redis_conn_evalsha_ro(conn, 0, &key, 1, &value, 1, on_reply, NULL), 0);
    assert_int_equal(redis_conn_evalsha_ro(conn, 1, &key, 1, &value, 1, on_reply, NULL), 0);
    turn_until(&answers, 2);
    assert_string_equal(trace, "R+E");
}

static void test_bounds(void **state)
{
    (void)state;
    static char large[5000];
    const struct redis_arg args[] = {REDIS_ARG_TEXT("ECHO"), {large, sizeof large}};
    config.in_flight_max = 3;
    config.output_max = 6000;
    open_ready();
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_words("PING", on_reply), 0);
    assert_int_equal(send_words("PING", on_reply), ERR_FULL);
    turn_until(&answers, 3);
    assert_int_equal(redis_conn_command(conn, args, 2, on_reply, NULL), 0);
    assert_int_equal(redis_conn_command(conn, args, 2, on_reply, NULL), ERR_FULL);
    turn_until(&answers, 4);
    assert_int_equal(answers, 4);
    assert_string_equal(trace, "R++++");
}

static void test_answer_too_long(void **state)
{
    (void)state;
    config.reply_max = 100000;
    open_ready();
    ask("SETRANGE small 90000 x");
    ask("SETRANGE large 200000 x");
    ask("GET small");
    assert_int_equal(down, 0);
    assert_int_equal(send_words("GET large", on_reply), 0);
    turn_until(&down, 1);
    assert_string_equal(redis_conn_last_error(conn), "the answer is too long");
    assert_string_equal(trace, "R+++?D");
    turn_until(&ready, 2);
}

// ---- Coming up -----------------------------------------------------------------------------------------------------

static void test_bad_configuration(void **state)
{
    (void)state;
    config.address = "nonsense";
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), ERR_MALFORMED);
    config.address = server.address;
    config.script_count = REDIS_CONN_SCRIPTS_MAX + 1;
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), ERR_RANGE);
    conn = NULL;
}

static void test_server_comes_late(void **state)
{
    (void)state;
    redis_server_kill(&server);
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), 0);
    turn_ms(300);
    assert_int_equal(ready, 0);
    assert_in_range(redis_conn_stats(conn)->failures, 3, 10); // 10 + 20 + 40 + 80 + 160 ms, with jitter
    assert_string_equal(redis_conn_last_error(conn), "connection refused");
    assert_int_equal(send_words("PING", on_reply), ERR_CLOSED);
    redis_server_start(&server, NULL);
    turn_until(&ready, 1);
    assert_string_equal(ask("PING"), "PONG");
    assert_int_equal(down, 0);
}

static void test_password(void **state)
{
    (void)state;
    redis_server_kill(&server);
    redis_server_start(&server, "secret");
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), 0);
    turn_ms(100);
    assert_int_equal(ready, 0);
    assert_non_null(strstr(redis_conn_last_error(conn), "NOAUTH"));
    redis_conn_close(conn);
    config.password = "wrong";
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), 0);
    turn_ms(100);
    assert_int_equal(ready, 0);
    assert_non_null(strstr(redis_conn_last_error(conn), "WRONGPASS"));
    redis_conn_close(conn);
    config.password = "secret";
    open_ready();
    ask("ACL SETUSER tessera on >word ~* &* +@all");
    redis_conn_close(conn);
    config.user = "tessera";
    config.password = "word";
    ready = 0;
    open_ready();
    assert_string_equal(ask("ACL WHOAMI"), "tessera");
}

static void test_without_scripts(void **state)
{
    (void)state;
    config.script_count = 0;
    open_ready();
    assert_string_equal(ask("PING"), "PONG");
}

// ---- Breaking ------------------------------------------------------------------------------------------------------

static void test_killed_with_commands_in_flight(void **state)
{
    (void)state;
    open_ready();
    redis_server_freeze(&server, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_words("PING", on_reply), 0);
    turn_ms(50);
    redis_server_kill(&server);
    turn_until(&down, 1);
    assert_string_equal(trace, "R???D");
    assert_int_equal(redis_conn_stats(conn)->unknown, 3);
    redis_server_start(&server, NULL);
    turn_until(&ready, 2);
    assert_string_equal(ask("PING"), "PONG");
}

static void test_frozen(void **state)
{
    (void)state;
    open_ready();
    redis_server_freeze(&server, 1);
    struct monotime start = loop_now_exact();
    assert_int_equal(send_words("PING", on_reply), 0);
    turn_until(&down, 1);
    assert_in_range(monotime_diff_ms(loop_now_exact(), start), 500, 1000);
    assert_int_equal(redis_conn_stats(conn)->timeouts, 1);
    assert_string_equal(trace, "R?D");
    redis_server_freeze(&server, 0);
    turn_until(&ready, 2);
}

static void test_idle_connection_has_no_timeout(void **state)
{
    (void)state;
    open_ready();
    ask("PING");
    turn_ms(1200);
    assert_int_equal(down, 0);
    assert_string_equal(ask("PING"), "PONG");
}

static void test_scripts_flushed(void **state)
{
    (void)state;
    const struct redis_arg key = REDIS_ARG_TEXT("k");
    const struct redis_arg value = REDIS_ARG_TEXT("v");
    open_ready();
    ask("SCRIPT FLUSH");
    assert_int_equal(redis_conn_evalsha(conn, 1, &key, 1, &value, 1, on_reply, NULL), 0);
    turn_until(&ready, 2);
    assert_string_equal(trace, "R+?DR");
    assert_int_equal(redis_conn_evalsha(conn, 1, &key, 1, &value, 1, on_reply, NULL), 0);
    turn_until(&answers, 3);
    assert_string_equal(answer, "OK");
}

static void test_demoted(void **state)
{
    (void)state;
    open_ready();
    tell("REPLICAOF 127.0.0.1 1");
    assert_int_equal(send_words("SET a 1", on_reply), 0);
    turn_until(&down, 1);
    assert_string_equal(trace, "R?D");
    tell("REPLICAOF NO ONE");
    turn_until(&ready, 2);
    assert_string_equal(ask("SET a 1"), "OK");
}

static void on_reply_close(void *arg, const redisReply *reply)
{
    (void)arg;
    assert_non_null(reply);
    note('+');
    redis_conn_close(conn);
    conn = NULL;
    answers++;
}

static void test_closed_from_a_reply(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(send_words("PING", on_reply_close), 0);
    assert_int_equal(send_words("PING", on_reply), 0);
    assert_int_equal(send_words("PING", on_reply), 0);
    turn_until(&answers, 3);
    turn_ms(20);
    assert_string_equal(trace, "R+??");
    assert_null(conn);
}

static void on_reply_reset(void *arg, const redisReply *reply)
{
    on_reply(arg, reply);
    redis_conn_reset(conn, "for the test");
}

static void test_reset_from_a_reply(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(send_words("PING", on_reply_reset), 0);
    assert_int_equal(send_words("PING", on_reply), 0);
    turn_until(&ready, 2);
    assert_string_equal(trace, "R+?DR");
    assert_string_equal(redis_conn_last_error(conn), "for the test");
}

static void on_unknown_close(void *arg, const redisReply *reply)
{
    (void)arg;
    assert_null(reply);
    note('?');
    assert_int_equal(send_words("PING", on_reply), ERR_CLOSED);
    redis_conn_close(conn);
    conn = NULL;
    answers++;
}

static void test_closed_while_it_breaks(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(send_words("PING", on_unknown_close), 0);
    assert_int_equal(send_words("PING", on_reply), 0);
    redis_conn_reset(conn, "for the test");
    assert_string_equal(trace, "R??");
    turn_ms(50);
    assert_string_equal(trace, "R??");
}

// Counts the lines of a file that have `text` in them.
static unsigned count_lines(FILE *file, const char *text)
{
    char line[1024];
    unsigned count = 0;
    rewind(file);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, text) != NULL;
    return count;
}

// Whoever gave a wrong address or password learns it from the log, in one line per reason.
static void test_failing_to_connect_is_told(void **state)
{
    (void)state;
    FILE *log = tmpfile();
    int saved = dup(STDERR_FILENO);
    assert_true(log != NULL && saved >= 0 && dup2(fileno(log), STDERR_FILENO) >= 0);
    config.password = "wrong";
    redis_server_kill(&server);
    assert_int_equal(redis_conn_open(&conn, loop, &config, &handlers, NULL), 0);
    turn_ms(300);
    redis_server_start(&server, "right");
    turn_ms(1500);
    unsigned failures = (unsigned)redis_conn_stats(conn)->failures;
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(failures > 4);
    assert_int_equal(count_lines(log, "connection refused"), 1);
    assert_int_equal(count_lines(log, "WRONGPASS"), 1);
    assert_int_equal(count_lines(log, "wrong\""), 0);
    assert_string_equal(trace, "");
    fclose(log);
}

static void test_last_words(void **state)
{
    (void)state;
    open_ready();
    // In the turn in which it closes, with an answer not read yet.
    assert_int_equal(send_words("SET before 1", on_reply), 0);
    loop_run_once(loop, 0);
    assert_int_equal(send_words("SET last words", on_reply), 0);
    redis_conn_close(conn);
    assert_string_equal(trace, "R??");
    ready = 0;
    open_ready();
    assert_string_equal(ask("GET last"), "words");
}

// ---- Publish and subscribe -----------------------------------------------------------------------------------------

static void test_subscribe(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(redis_conn_unsubscribe(conn, "one", 3), ERR_CLOSED);
    assert_int_equal(send_words("PING", on_reply), 0); // its answer comes before the confirmation
    assert_int_equal(redis_conn_subscribe(conn, "one", 3), 0);
    assert_int_equal(redis_conn_subscribe(conn, "two", 3), 0);
    turn_until(&subscribed, 2);
    assert_string_equal(trace, "R+SS");
    assert_string_equal(answer, "two");
    assert_int_equal(send_words("PING", on_reply), ERR_CLOSED);
    tell("PUBLISH one hello");
    turn_until(&messages, 1);
    assert_string_equal(answer, "one:hello");
    assert_int_equal(redis_conn_unsubscribe(conn, "one", 3), 0);
    turn_ms(50);
    tell("PUBLISH one lost");
    tell("PUBLISH two there");
    turn_until(&messages, 2);
    assert_string_equal(answer, "two:there");
    // Unknown channels, repetitions and leaving the last one are all harmless.
    assert_int_equal(redis_conn_unsubscribe(conn, "none", 4), 0);
    assert_int_equal(redis_conn_unsubscribe(conn, "two", 3), 0);
    assert_int_equal(redis_conn_unsubscribe(conn, "two", 3), 0);
    turn_ms(1200); // several quiet PINGs
    assert_int_equal(redis_conn_subscribe(conn, "two", 3), 0);
    turn_until(&subscribed, 3);
    assert_int_equal(down, 0);
}

static void test_subscriber_notices_a_frozen_server(void **state)
{
    (void)state;
    open_ready();
    assert_int_equal(redis_conn_subscribe(conn, "one", 3), 0);
    turn_until(&subscribed, 1);
    turn_ms(1200);
    assert_int_equal(down, 0);
    redis_server_freeze(&server, 1);
    turn_until(&down, 1);
    redis_server_freeze(&server, 0);
    turn_until(&ready, 2);
    // Nothing is subscribed by itself; the owner does it, and the mode has ended.
    assert_string_equal(ask("PING"), "PONG");
}

static void test_many_messages(void **state)
{
    (void)state;
    struct redis_conn *publisher = NULL;
    static uint8_t payload[2000];
    unsigned sent = 0;
    const struct redis_arg args[] = {REDIS_ARG_TEXT("PUBLISH"), REDIS_ARG_TEXT("one"), {payload, sizeof payload}};
    config.command_timeout_ms = 15000; // nothing breaks here, however late the machine is
    open_ready();
    assert_int_equal(redis_conn_subscribe(conn, "one", 3), 0);
    turn_until(&subscribed, 1);
    assert_int_equal(redis_conn_open(&publisher, loop, &config, &handlers, NULL), 0);
    turn_until(&ready, 2);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 500; i++, sent++)
            assert_int_equal(redis_conn_command(publisher, args, 3, NULL, NULL), 0);
        loop_run_once(loop, 1);
    }
    turn_until(&messages, sent);
    assert_int_equal(down, 0);
    redis_conn_close(publisher);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_commands_in_order),
        TEST(test_scripts_take_any_bytes),
        TEST(test_read_only_scripts),
        TEST(test_bounds),
        TEST(test_answer_too_long),
        TEST(test_bad_configuration),
        TEST(test_server_comes_late),
        TEST(test_password),
        TEST(test_without_scripts),
        TEST(test_killed_with_commands_in_flight),
        TEST(test_frozen),
        TEST(test_idle_connection_has_no_timeout),
        TEST(test_scripts_flushed),
        TEST(test_demoted),
        TEST(test_closed_from_a_reply),
        TEST(test_reset_from_a_reply),
        TEST(test_closed_while_it_breaks),
        TEST(test_failing_to_connect_is_told),
        TEST(test_last_words),
        TEST(test_subscribe),
        TEST(test_subscriber_notices_a_frozen_server),
        TEST(test_many_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
