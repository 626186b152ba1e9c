#include "tests/unit/redis_scene.h"

#include <stdio.h>
#include <stdlib.h>

struct redis_scene redis_scene;

void redis_scene_note(char what)
{
    size_t len = strlen(redis_scene.trace);
    if (len + 1 < sizeof redis_scene.trace)
        redis_scene.trace[len] = what;
}

static void on_ready(void *arg)
{
    (void)arg;
    redis_scene_note('R');
    redis_scene.ready++;
}

static void on_down(void *arg)
{
    (void)arg;
    assert_int_equal(redis_conn_in_flight(redis_scene.conn), 0);
    redis_scene_note('D');
    redis_scene.down++;
}

static void on_subscribed(void *arg, const char *channel, size_t len)
{
    (void)arg;
    snprintf(redis_scene.answer, sizeof redis_scene.answer, "%.*s", (int)len, channel);
    redis_scene_note('S');
    redis_scene.subscribed++;
}

static void on_message(void *arg, const char *channel, size_t channel_len, const char *payload, size_t len)
{
    (void)arg;
    snprintf(redis_scene.answer, sizeof redis_scene.answer, "%.*s:%.*s", (int)channel_len, channel, (int)len, payload);
    redis_scene_note('M');
    redis_scene.messages++;
}

const struct redis_conn_handlers redis_scene_handlers = {on_ready, on_down, on_subscribed, on_message};

void redis_scene_on_reply(void *arg, const redisReply *reply)
{
    (void)arg;
    redis_scene.answers++;
    redis_scene_note(reply == NULL ? '?' : reply->type == REDIS_REPLY_ERROR ? 'E' : '+');
    redis_scene.answer[0] = '\0';
    if (reply != NULL && reply->str != NULL)
        snprintf(redis_scene.answer, sizeof redis_scene.answer, "%.*s", (int)reply->len, reply->str);
}

int redis_scene_begin(void **state)
{
    static const char *const scripts[] = {
        "return {KEYS[1], ARGV[1], #ARGV}",
        "return redis.call('SET', KEYS[1], ARGV[1])",
    };
    (void)state;
    memset(&redis_scene, 0, sizeof redis_scene);
    redis_server_init(&redis_scene.server);
    redis_server_start(&redis_scene.server, NULL);
    redis_scene.loop = loop_new();
    redis_scene.config = (struct redis_conn_config){
        .address = redis_scene.server.address,
        .scripts = scripts,
        .script_count = 2,
        .command_timeout_ms = 15000, // nothing breaks by itself, however late the machine is
    };
    return redis_scene.loop == NULL;
}

int redis_scene_end(void **state)
{
    (void)state;
    redis_conn_close(redis_scene.conn);
    loop_free(redis_scene.loop);
    redis_server_kill(&redis_scene.server);
    return 0;
}

// By the clock, and not by turns: how much comes in one depends on what else the machine does.
void redis_scene_until(const unsigned *counter, unsigned wanted)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), 20000);
    while (*counter < wanted && monotime_before(loop_now_exact(), end))
        loop_run_once(redis_scene.loop, 5);
    assert_true(*counter >= wanted);
}

void redis_scene_turn_ms(int64_t ms)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), ms);
    while (monotime_before(loop_now_exact(), end))
        loop_run_once(redis_scene.loop, 5);
}

void redis_scene_until_error(const char *text)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), 20000);
    while (strstr(redis_conn_last_error(redis_scene.conn), text) == NULL && monotime_before(loop_now_exact(), end))
        loop_run_once(redis_scene.loop, 5);
    assert_non_null(strstr(redis_conn_last_error(redis_scene.conn), text));
}

void redis_scene_open(void)
{
    assert_int_equal(
        redis_conn_open(&redis_scene.conn, redis_scene.loop, &redis_scene.config, &redis_scene_handlers, NULL), 0);
}

void redis_scene_open_ready(void)
{
    redis_scene_open();
    assert_false(redis_conn_is_ready(redis_scene.conn));
    redis_scene_until(&redis_scene.ready, 1);
    assert_int_equal(redis_conn_state(redis_scene.conn), REDIS_CONN_READY);
}

int redis_scene_send(const char *words, redis_conn_reply_cb *cb)
{
    static char copy[256];
    struct redis_arg args[16];
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *at = strtok(copy, " "); at != NULL; at = strtok(NULL, " "))
        args[count++] = REDIS_ARG_TEXT(at);
    return redis_conn_command(redis_scene.conn, args, count, cb, NULL);
}

const char *redis_scene_ask(const char *words)
{
    unsigned before = redis_scene.answers;
    assert_int_equal(redis_scene_send(words, redis_scene_on_reply), 0);
    redis_scene_until(&redis_scene.answers, before + 1);
    return redis_scene.answer;
}

void redis_scene_tell(const char *words)
{
    char command[256];
    snprintf(command, sizeof command, "redis-cli -p %u %s >/dev/null 2>&1", redis_scene.server.port, words);
    assert_int_equal(system(command), 0); // NOLINT(cert-env33-c): a test, with words of its own
}
