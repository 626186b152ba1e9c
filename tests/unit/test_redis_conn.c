// redis_conn against a real redis-server: commands, scripts, bounds, and how it comes up.
#include "tests/unit/redis_scene.h"

#include <stdio.h>
#include <unistd.h>

static void test_commands_in_order(void **state)
{
    (void)state;
    redis_scene_open_ready();
    assert_string_equal(redis_scene_ask("PING"), "PONG");
    assert_int_equal(redis_scene_send("SET a 1", redis_scene_on_reply), 0);
    assert_int_equal(redis_scene_send("INCR a", NULL), 0);
    assert_int_equal(redis_scene_send("LPUSH a x", redis_scene_on_reply), 0);
    assert_int_equal(redis_scene_send("GET a", redis_scene_on_reply), 0);
    assert_int_equal(redis_conn_in_flight(redis_scene.conn), 4);
    redis_scene_until(&redis_scene.answers, 4);
    assert_string_equal(redis_scene.answer, "2");
    assert_string_equal(redis_scene.trace, "R++E+");
    assert_int_equal(redis_conn_in_flight(redis_scene.conn), 0);
    const struct redis_conn_stats *stats = redis_conn_stats(redis_scene.conn);
    assert_int_equal(stats->connects, 1);
    assert_int_equal(stats->errors, 1);
    assert_int_equal(stats->latency_us.count, stats->replies);
    assert_string_equal(redis_conn_last_error(redis_scene.conn), "");
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
    redis_scene.answers++;
}

static void test_scripts_take_any_bytes(void **state)
{
    (void)state;
    static uint8_t blob[300000];
    for (size_t i = 0; i < sizeof blob; i++)
        blob[i] = (uint8_t)(i * 2654435761u >> 23);
    const struct redis_arg key = REDIS_ARG_TEXT("{t:0:0}key");
    const size_t lens[] = {0, 1, 9, 10, 99, 100, 65536, sizeof blob};
    redis_scene_open_ready();
    for (unsigned i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        const struct redis_arg args[] = {{blob, lens[i]}, {NULL, 0}, {"\r\n", 2}};
        assert_int_equal(
            redis_conn_evalsha(redis_scene.conn, 0, &key, 1, args, 3, on_echo, (void *)(uintptr_t)&args[0]), 0);
        redis_scene_until(&redis_scene.answers, i + 1);
    }
    assert_int_equal(redis_conn_evalsha(redis_scene.conn, 2, &key, 1, NULL, 0, NULL, NULL), ERR_RANGE);
}

static void test_read_only_scripts(void **state)
{
    (void)state;
    const struct redis_arg key = REDIS_ARG_TEXT("k");
    const struct redis_arg value = REDIS_ARG_TEXT("v");
    redis_scene_open_ready();
    assert_int_equal(redis_conn_evalsha_ro(redis_scene.conn, 0, &key, 1, &value, 1, redis_scene_on_reply, NULL), 0);
    assert_int_equal(redis_conn_evalsha_ro(redis_scene.conn, 1, &key, 1, &value, 1, redis_scene_on_reply, NULL), 0);
    redis_scene_until(&redis_scene.answers, 2);
    assert_string_equal(redis_scene.trace, "R+E");
}

static void test_bounds(void **state)
{
    (void)state;
    static char large[5000];
    const struct redis_arg args[] = {REDIS_ARG_TEXT("ECHO"), {large, sizeof large}};
    redis_scene.config.in_flight_max = 3;
    redis_scene.config.output_max = 6000;
    redis_scene_open_ready();
    for (int i = 0; i < 3; i++)
        assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), ERR_FULL);
    redis_scene_until(&redis_scene.answers, 3);
    assert_int_equal(redis_conn_command(redis_scene.conn, args, 2, redis_scene_on_reply, NULL), 0);
    assert_int_equal(redis_conn_command(redis_scene.conn, args, 2, redis_scene_on_reply, NULL), ERR_FULL);
    redis_scene_until(&redis_scene.answers, 4);
    assert_int_equal(redis_scene.answers, 4);
    assert_string_equal(redis_scene.trace, "R++++");
}

static void test_answer_too_long(void **state)
{
    (void)state;
    redis_scene.config.reply_max = 100000;
    redis_scene_open_ready();
    redis_scene_ask("SETRANGE small 90000 x");
    redis_scene_ask("SETRANGE large 200000 x");
    redis_scene_ask("GET small");
    assert_int_equal(redis_scene.down, 0);
    assert_int_equal(redis_scene_send("GET large", redis_scene_on_reply), 0);
    redis_scene_until(&redis_scene.down, 1);
    assert_string_equal(redis_conn_last_error(redis_scene.conn), "the answer is too long");
    assert_string_equal(redis_scene.trace, "R+++?D");
    redis_scene_until(&redis_scene.ready, 2);
}

static void test_bad_configuration(void **state)
{
    (void)state;
    redis_scene.config.address = "nonsense";
    assert_int_equal(
        redis_conn_open(&redis_scene.conn, redis_scene.loop, &redis_scene.config, &redis_scene_handlers, NULL),
        ERR_MALFORMED);
    redis_scene.config.address = redis_scene.server.address;
    redis_scene.config.script_count = REDIS_CONN_SCRIPTS_MAX + 1;
    assert_int_equal(
        redis_conn_open(&redis_scene.conn, redis_scene.loop, &redis_scene.config, &redis_scene_handlers, NULL),
        ERR_RANGE);
    redis_scene.conn = NULL;
}

static void test_server_comes_late(void **state)
{
    (void)state;
    redis_server_kill(&redis_scene.server);
    redis_scene_open();
    redis_scene_turn_ms(300);
    assert_int_equal(redis_scene.ready, 0);
    assert_in_range(redis_conn_stats(redis_scene.conn)->failures, 3, 10); // 10 + 20 + 40 + 80 + 160 ms, with jitter
    assert_string_equal(redis_conn_last_error(redis_scene.conn), "connection refused");
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), ERR_CLOSED);
    redis_server_start(&redis_scene.server, NULL);
    redis_scene_until(&redis_scene.ready, 1);
    assert_string_equal(redis_scene_ask("PING"), "PONG");
    assert_int_equal(redis_scene.down, 0);
}

static void test_password(void **state)
{
    (void)state;
    redis_server_kill(&redis_scene.server);
    redis_server_start(&redis_scene.server, "secret");
    redis_scene_open();
    redis_scene_until_error("NOAUTH");
    assert_int_equal(redis_scene.ready, 0);
    redis_conn_close(redis_scene.conn);
    redis_scene.config.password = "wrong";
    redis_scene_open();
    redis_scene_until_error("WRONGPASS");
    assert_int_equal(redis_scene.ready, 0);
    redis_conn_close(redis_scene.conn);
    redis_scene.config.password = "secret";
    redis_scene_open_ready();
    redis_scene_ask("ACL SETUSER tessera on >word ~* &* +@all");
    redis_conn_close(redis_scene.conn);
    redis_scene.config.user = "tessera";
    redis_scene.config.password = "word";
    redis_scene.ready = 0;
    redis_scene_open_ready();
    assert_string_equal(redis_scene_ask("ACL WHOAMI"), "tessera");
}

static void test_without_scripts(void **state)
{
    (void)state;
    redis_scene.config.script_count = 0;
    redis_scene_open_ready();
    assert_string_equal(redis_scene_ask("PING"), "PONG");
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
    redis_scene.config.password = "wrong";
    redis_server_kill(&redis_scene.server);
    redis_scene_open();
    redis_scene_turn_ms(300);
    redis_server_start(&redis_scene.server, "right");
    redis_scene_turn_ms(1500);
    unsigned failures = (unsigned)redis_conn_stats(redis_scene.conn)->failures;
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(failures > 4);
    assert_int_equal(count_lines(log, "connection refused"), 1);
    assert_int_equal(count_lines(log, "WRONGPASS"), 1);
    assert_int_equal(count_lines(log, "wrong\""), 0);
    assert_string_equal(redis_scene.trace, "");
    fclose(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_SCENE(test_commands_in_order), REDIS_SCENE(test_scripts_take_any_bytes),
        REDIS_SCENE(test_read_only_scripts), REDIS_SCENE(test_bounds),
        REDIS_SCENE(test_answer_too_long),   REDIS_SCENE(test_bad_configuration),
        REDIS_SCENE(test_server_comes_late), REDIS_SCENE(test_password),
        REDIS_SCENE(test_without_scripts),   REDIS_SCENE(test_failing_to_connect_is_told),
    };
    return cmocka_run_group_tests_name("redis_conn", tests, NULL, NULL);
}
