// What the files of store.h share. Not for others.
#pragma once

#include "proto/lua_scripts.h"
#include "shard/store.h"

struct store {
    struct loop *loop;
    struct redis_conn *conn;
    const char *address;
    char incarnation[17];
    struct store_handlers handlers;
    void *arg;
    struct hist place_latency_us;
    struct monotime said; // when a refusal of Redis was logged last
    // Arguments of a batch, as redis_conn wants them.
    struct redis_arg args[BATCH_KEYS_MAX + BATCH_ARGS_MAX];
};

struct store_call;
// Reads a reply that is neither NULL nor an error.
typedef void store_read_reply(struct store_call *call, const redisReply *reply);

// Something that was asked; from the heap, freed by store_answered.
struct store_call {
    struct store *store;
    struct place *place;
    void (*fail)(struct store_call *call, int err); // calls back without a result
    store_read_reply *read;
    union {
        store_config_cb *config;
        store_number_cb *number;
        store_beat_cb *beat;
        store_view_cb *view;
        store_pressure_cb *pressure;
        store_done_cb *done;
    } cb;
    void *arg;
    struct batch *batch;
    struct tile tile;
    size_t beat_count;
    struct place_beat beats[]; // beat_count
};

MUST_CHECK struct store_call *store_call_new(struct store *store, void (*fail)(struct store_call *call, int err),
                                             store_read_reply *read, size_t beats, void *arg);
// An error of Redis, logged once a second: ERR_FULL, it may not write now and has not begun to; else ERR_UNSUPPORTED.
MUST_CHECK int store_refusal(struct store *store, const redisReply *reply);
// redis_conn_reply_cb of all calls.
void store_answered(void *arg, const redisReply *reply);
// For after redis_conn_*: frees the call when nothing was sent.
MUST_CHECK int store_sent(struct store_call *call, int err);

MUST_CHECK static inline int store_eval(struct store_call *call, enum lua_script script, const struct redis_arg *keys,
                                        size_t key_count, const struct redis_arg *args, size_t arg_count)
{
    return store_sent(
        call, redis_conn_evalsha(call->store->conn, script, keys, key_count, args, arg_count, store_answered, call));
}

static inline bool store_is_array(const redisReply *reply, size_t at_least)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= at_least;
}
