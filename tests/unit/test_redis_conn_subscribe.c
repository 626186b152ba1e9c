// redis_conn as a subscriber.
#include "tests/unit/redis_scene.h"

static void test_subscribe(void **state)
{
    (void)state;
    redis_scene_open_ready();
    assert_int_equal(redis_conn_unsubscribe(redis_scene.conn, "one", 3), ERR_CLOSED);
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), 0); // its answer comes before the confirmation
    assert_int_equal(redis_conn_subscribe(redis_scene.conn, "one", 3), 0);
    assert_int_equal(redis_conn_subscribe(redis_scene.conn, "two", 3), 0);
    redis_scene_until(&redis_scene.subscribed, 2);
    assert_string_equal(redis_scene.trace, "R+SS");
    assert_string_equal(redis_scene.answer, "two");
    assert_int_equal(redis_scene_send("PING", redis_scene_on_reply), ERR_CLOSED);
    redis_scene_tell("PUBLISH one hello");
    redis_scene_until(&redis_scene.messages, 1);
    assert_string_equal(redis_scene.answer, "one:hello");
    assert_int_equal(redis_conn_unsubscribe(redis_scene.conn, "one", 3), 0);
    redis_scene_turn_ms(50);
    redis_scene_tell("PUBLISH one lost");
    redis_scene_tell("PUBLISH two there");
    redis_scene_until(&redis_scene.messages, 2);
    assert_string_equal(redis_scene.answer, "two:there");
    // Unknown channels, repetitions and leaving the last one are all harmless.
    assert_int_equal(redis_conn_unsubscribe(redis_scene.conn, "none", 4), 0);
    assert_int_equal(redis_conn_unsubscribe(redis_scene.conn, "two", 3), 0);
    assert_int_equal(redis_conn_unsubscribe(redis_scene.conn, "two", 3), 0);
    redis_scene_turn_ms(1200); // several quiet PINGs
    assert_int_equal(redis_conn_subscribe(redis_scene.conn, "two", 3), 0);
    redis_scene_until(&redis_scene.subscribed, 3);
    assert_int_equal(redis_scene.down, 0);
}

// The access list of Redis does not let us: its words are kept, for whoever has to find out why nothing comes.
static void test_a_refused_subscription_says_why(void **state)
{
    (void)state;
    redis_scene_open_ready();
    redis_scene_tell("ACL SETUSER default resetchannels");
    assert_int_equal(redis_conn_subscribe(redis_scene.conn, "one", 3), 0);
    redis_scene_until(&redis_scene.down, 1);
    assert_non_null(strstr(redis_conn_last_error(redis_scene.conn), "NOPERM"));
    redis_scene_until(&redis_scene.ready, 2);
}

static void test_subscriber_notices_a_frozen_server(void **state)
{
    (void)state;
    redis_scene.config.command_timeout_ms = 1000;
    redis_scene_open_ready();
    assert_int_equal(redis_conn_subscribe(redis_scene.conn, "one", 3), 0);
    redis_scene_until(&redis_scene.subscribed, 1);
    redis_scene_turn_ms(1200);
    assert_int_equal(redis_scene.down, 0);
    redis_server_freeze(&redis_scene.server, 1);
    redis_scene_until(&redis_scene.down, 1);
    redis_server_freeze(&redis_scene.server, 0);
    redis_scene_until(&redis_scene.ready, 2);
    // Nothing is subscribed by itself; the owner does it, and the mode has ended.
    assert_string_equal(redis_scene_ask("PING"), "PONG");
}

static void test_many_messages(void **state)
{
    (void)state;
    struct redis_conn *publisher = NULL;
    static uint8_t payload[2000];
    unsigned sent = 0;
    const struct redis_arg args[] = {REDIS_ARG_TEXT("PUBLISH"), REDIS_ARG_TEXT("one"), {payload, sizeof payload}};
    redis_scene_open_ready();
    assert_int_equal(redis_conn_subscribe(redis_scene.conn, "one", 3), 0);
    redis_scene_until(&redis_scene.subscribed, 1);
    assert_int_equal(redis_conn_open(&publisher, redis_scene.loop, &redis_scene.config, &redis_scene_handlers, NULL),
                     0);
    redis_scene_until(&redis_scene.ready, 2);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 500; i++, sent++)
            assert_int_equal(redis_conn_command(publisher, args, 3, NULL, NULL), 0);
        loop_run_once(redis_scene.loop, 1);
    }
    redis_scene_until(&redis_scene.messages, sent);
    assert_int_equal(redis_scene.down, 0);
    redis_conn_close(publisher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REDIS_SCENE(test_subscribe),
        REDIS_SCENE(test_a_refused_subscription_says_why),
        REDIS_SCENE(test_subscriber_notices_a_frozen_server),
        REDIS_SCENE(test_many_messages),
    };
    return cmocka_run_group_tests_name("redis_conn_subscribe", tests, NULL, NULL);
}
