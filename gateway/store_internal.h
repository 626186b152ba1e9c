// What the files of store share. Not for others.
#pragma once

#include "common/io/redis_conn.h"
#include "gateway/store.h"

struct store_listener {
    void (*cb)(bool ready, void *arg);
    void *arg;
};

struct store {
    struct loop *loop;
    struct redis_conn *conn;
    struct store_listener listeners[STORE_LISTENERS_MAX];
    size_t listener_count;
    struct store_request *requests; // all that were not answered
    uint64_t malformed;             // replies that were not what REDIS.md says, errors included
};

union store_cb {
    store_config_cb config;
    store_view_cb view;
    store_user_cb user;
    store_online_cb online;
    store_snapshot_cb snapshot;
    store_position_cb position;
    store_log_cb log;
    store_names_cb names;
    store_rename_cb rename;
    store_erase_cb erase;
    store_heat_cb heat;
    store_pixel_cb pixel;
};

// One question, of one or more commands; answered when the last of them is.
struct store_request {
    struct store *store;
    struct store_request *prev, *next;
    bool abandoned; // nobody wants the answer any more
    union store_cb cb;
    void *arg;
    int err; // of the first command that failed
    uint32_t pending;
    void (*finish)(struct store_request *request);
    union {
        struct store_user user;
        struct store_online online;
        struct {
            uint64_t now_ms;
            struct store_heat *heat; // owned
        } heat;
        struct {
            size_t count, read;
            struct store_name *names; // owned
        } names;
    } answer;
};

// NULL without memory.
struct store_request *store_request_new(struct store *store, union store_cb cb, void *arg);
// Harmless for NULL.
void store_request_free(struct store_request *request);
// 0 when there is something to read in the reply; ERR_CLOSED; ERR_FULL when Redis is out of memory; ERR_IO for other
// errors.
MUST_CHECK int store_check(struct store *store, const redisReply *reply);
// Passes on what reading a reply came to; counts and logs what cannot be.
MUST_CHECK int store_checked(struct store *store, int err);

// A question of two commands begins with pending = 1, which is its sender's own, so that nothing is finished before
// both are sent:
//
//     store_joined(request, redis_conn_command(..first.., request));
//     store_joined(request, redis_conn_command(..second.., request));
//     store_join(request, 0);
//
// and the callback of each ends with store_join. The last one calls finish, and frees.
void store_joined(struct store_request *request, int err);
void store_join(struct store_request *request, int err);
