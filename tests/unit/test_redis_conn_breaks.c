// redis_conn while its redis-server is killed, frozen, emptied and demoted under it, or while it is closed itself.
#include "tests/unit/redis_scene.h"

static void test_killed_with_commands_in_flight(void **state)
{
    (void)state;
    redis_scene_open_ready();
    redis_server_freeze(&redis_scene.server, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    redis_scene_turn_ms(50);
    redis_server_kill(&redis_scene.server);
    redis_scene_until(&redis_scene.down, 1);
    assert_string_equal(redis_scene.trace, "R???D");
    assert_int_equal(redis_conn_stats(redis_scene.conn)->unknown, 3);
    redis_server_start(&redis_scene.server, NULL);
    redis_scene_until(&redis_scene.ready, 2);
    assert_string_equal(redis_scene_ask("PING"), "PONG");
}

static void test_frozen(void **state)
{
    (void)state;
    redis_scene.config.command_timeout_ms = 500;
    redis_scene_open_ready();
    redis_server_freeze(&redis_scene.server, 1);
    struct monotime start = loop_now_exact();
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    redis_scene_until(&redis_scene.down, 1);
    assert_in_range(monotime_diff_ms(loop_now_exact(), start), 500, 5000);
    assert_int_equal(redis_conn_stats(redis_scene.conn)->timeouts, 1);
    assert_string_equal(redis_scene.trace, "R?D");
    redis_server_freeze(&redis_scene.server, 0);
    redis_scene_until(&redis_scene.ready, 2);
}

static void test_idle_connection_has_no_timeout(void **state)
{
    (void)state;
    redis_scene.config.command_timeout_ms = 1000;
    redis_scene_open_ready();
    redis_scene_ask("PING");
    redis_scene_turn_ms(1200);
    assert_int_equal(redis_scene.down, 0);
    assert_string_equal(redis_scene_ask("PING"), "PONG");
}

static void test_scripts_flushed(void **state)
{
    (void)state;
    const struct redis_arg key = REDIS_ARG_TEXT("k");
    const struct redis_arg value = REDIS_ARG_TEXT("v");
    redis_scene_open_ready();
    redis_scene_ask("SCRIPT FLUSH");
    assert_int_equal(redis_conn_evalsha(redis_scene.conn, 1, &key, 1, &value, 1, redis_scene_on_reply, NULL), 0);
    redis_scene_until(&redis_scene.ready, 2);
    assert_string_equal(redis_scene.trace, "R+?DR");
    assert_int_equal(redis_conn_evalsha(redis_scene.conn, 1, &key, 1, &value, 1, redis_scene_on_reply, NULL), 0);
    redis_scene_until(&redis_scene.answers, 3);
    assert_string_equal(redis_scene.answer, "OK");
}

static void test_demoted(void **state)
{
    (void)state;
    redis_scene_open_ready();
    redis_scene_tell("REPLICAOF 127.0.0.1 1");
    assert_int_equal(redis_scene_send("SET a 1", redis_scene_on_reply), 0);
    redis_scene_until(&redis_scene.down, 1);
    assert_string_equal(redis_scene.trace, "R?D");
    redis_scene_tell("REPLICAOF NO ONE");
    redis_scene_until(&redis_scene.ready, 2);
    assert_string_equal(redis_scene_ask("SET a 1"), "OK");
}

static void on_reply_close(void *arg, const redisReply *reply)
{
    (void)arg;
    assert_non_null(reply);
    redis_scene_note('+');
    redis_conn_close(redis_scene.conn);
    redis_scene.conn = NULL;
    redis_scene.answers++;
}

static void test_closed_from_a_reply(void **state)
{
    (void)state;
    redis_scene_open_ready();
    assert_int_equal(redis_scene_send("PING", on_reply_close), 0);
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    redis_scene_until(&redis_scene.answers, 3);
    redis_scene_turn_ms(20);
    assert_string_equal(redis_scene.trace, "R+??");
    assert_null(redis_scene.conn);
}

static void on_reply_reset(void *arg, const redisReply *reply)
{
    redis_scene_on_reply(arg, reply);
    redis_conn_reset(redis_scene.conn, "for the test");
}

static void test_reset_from_a_reply(void **state)
{
    (void)state;
    redis_scene_open_ready();
    assert_int_equal(redis_scene_send("PING", on_reply_reset), 0);
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    redis_scene_until(&redis_scene.ready, 2);
    assert_string_equal(redis_scene.trace, "R+?DR");
    assert_string_equal(redis_conn_last_error(redis_scene.conn), "for the test");
}

static void on_unknown_close(void *arg, const redisReply *reply)
{
    (void)arg;
    assert_null(reply);
    redis_scene_note('?');
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), ERR_CLOSED);
    redis_conn_close(redis_scene.conn);
    redis_scene.conn = NULL;
    redis_scene.answers++;
}

static void test_closed_while_it_breaks(void **state)
{
    (void)state;
    redis_scene_open_ready();
    assert_int_equal(redis_scene_send("PING", on_unknown_close), 0);
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0);
    redis_conn_reset(redis_scene.conn, "for the test");
    assert_string_equal(redis_scene.trace, "R??");
    redis_scene_turn_ms(50);
    assert_string_equal(redis_scene.trace, "R??");
}

static void test_last_words(void **state)
{
    (void)state;
    redis_scene_open_ready();
    // In the turn in which it closes, with an answer not read yet.
    assert_int_equal(redis_scene_send("SET before 1", redis_scene_on_reply), 0);
    loop_run_once(redis_scene.loop, 0);
    assert_int_equal(redis_scene_send("SET last words", redis_scene_on_reply), 0);
    redis_conn_close(redis_scene.conn);
    assert_string_equal(redis_scene.trace, "R??");
    redis_scene.ready = 0;
    redis_scene_open_ready();
    assert_string_equal(redis_scene_ask("GET last"), "words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_SCENE(test_killed_with_commands_in_flight),
        REDIS_SCENE(test_frozen),
        REDIS_SCENE(test_idle_connection_has_no_timeout),
        REDIS_SCENE(test_scripts_flushed),
        REDIS_SCENE(test_demoted),
        REDIS_SCENE(test_closed_from_a_reply),
        REDIS_SCENE(test_reset_from_a_reply),
        REDIS_SCENE(test_closed_while_it_breaks),
        REDIS_SCENE(test_last_words),
    };
    return cmocka_run_group_tests_name("redis_conn_breaks", tests, NULL, NULL);
}
