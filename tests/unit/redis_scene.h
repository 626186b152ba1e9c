// A connection to a real redis-server, and what it was told, for the tests of redis_conn.
#pragma once

#include "check.h"
#include "redis_server.h"

#include "common/io/redis_conn.h"

struct redis_scene {
    struct redis_server server;
    struct loop *loop;
    struct redis_conn *conn;
    struct redis_conn_config config; // may be changed before redis_scene_open; commands have 500 ms
    char trace[1024]; // what happened, in order: R ready, D down, + answer, E error, ? unknown, S subscribed, M message
    char answer[256]; // the text of the last answer, channel or message
    unsigned ready, down, answers, messages, subscribed;
};

extern struct redis_scene redis_scene;

// Each test has a server that runs, and no connection.
int redis_scene_begin(void **state);
int redis_scene_end(void **state);
#define REDIS_SCENE(test_) cmocka_unit_test_setup_teardown(test_, redis_scene_begin, redis_scene_end)

extern const struct redis_conn_handlers redis_scene_handlers;
// Counts and notes the answer.
void redis_scene_on_reply(void *arg, const redisReply *reply);
void redis_scene_note(char what);

// Turns the loop until a counter has come so far, for 20 s at most; or for so long.
void redis_scene_until(const unsigned *counter, unsigned wanted);
void redis_scene_turn_ms(int64_t ms);
// Until this is part of why there is no connection.
void redis_scene_until_error(const char *text);

// Opens the connection; and waits until it is ready.
void redis_scene_open(void);
void redis_scene_open_ready(void);
// A command of words; and its answer, which is waited for.
int redis_scene_send(const char *words, redis_conn_reply_cb *cb);
const char *redis_scene_ask(const char *words);
// Words from outside, to a server that the connection under test cannot reach as it likes.
void redis_scene_tell(const char *words);
