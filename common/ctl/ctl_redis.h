// Redis for a tool: blocking calls, one connection, every step under a timeout.
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/core/err.h"
#include "common/ctl/ctl.h"
#include "common/io/redis_format.h"
#include "proto/lua_scripts.h"

struct ctl_redis {
    redisContext *context;
    char shas[LUA_SCRIPT_COUNT][41];
    bool loaded[LUA_SCRIPT_COUNT];
};

// Connects and authenticates. CTL_DONE; else the reason was said.
enum ctl_status ctl_redis_open(struct ctl_redis *redis, const struct ctl_options *options);
void ctl_redis_close(struct ctl_redis *redis);

// One command; the reply is to be freed. NULL: the connection broke, or Redis answered with an error; it was said.
redisReply *ctl_redis_call(struct ctl_redis *redis, const struct redis_arg *args, size_t count);
// The same in two halves, for many at once. send: false when it could not be queued.
bool ctl_redis_send(struct ctl_redis *redis, const struct redis_arg *args, size_t count);
redisReply *ctl_redis_receive(struct ctl_redis *redis);
// A script, loaded at its first use: none may then be on its way. `reads_only`: EVALSHA_RO.
bool ctl_redis_script_send(struct ctl_redis *redis, enum lua_script script, bool reads_only,
                           const struct redis_arg *keys, size_t key_count, const struct redis_arg *args,
                           size_t arg_count);
redisReply *ctl_redis_script(struct ctl_redis *redis, enum lua_script script, bool reads_only,
                             const struct redis_arg *keys, size_t key_count, const struct redis_arg *args,
                             size_t arg_count);
// Each key of this pattern, some of them perhaps twice. Returns false when `visit` does, or when it breaks.
bool ctl_redis_scan(struct ctl_redis *redis, const char *pattern, bool (*visit)(const redisReply *keys, void *arg),
                    void *arg);
