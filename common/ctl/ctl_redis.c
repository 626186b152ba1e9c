#include "common/ctl/ctl_redis.h"

#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "common/io/sock.h"

#define ARGS_MAX 96u // of a script, most: all settings that a backup may have, and what restore.lua wants besides
#define SCAN_COUNT "1000"

static redisReply *checked(struct ctl_redis *redis, redisReply *reply)
{
    if (reply == NULL) {
        ctl_say("Redis: %s", redis->context->errstr);
    } else if (reply->type == REDIS_REPLY_ERROR) {
        ctl_say("Redis: %.*s", (int)reply->len, reply->str);
        freeReplyObject(reply);
        reply = NULL;
    }
    return reply;
}

bool ctl_redis_send(struct ctl_redis *redis, const struct redis_arg *args, size_t count)
{
    const char *argv[ARGS_MAX];
    size_t lens[ARGS_MAX];
    if (count > ARGS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        argv[i] = args[i].data;
        lens[i] = args[i].len;
    }
    return redisAppendCommandArgv(redis->context, (int)count, argv, lens) == REDIS_OK;
}

redisReply *ctl_redis_receive(struct ctl_redis *redis)
{
    void *reply = NULL;
    if (redisGetReply(redis->context, &reply) != REDIS_OK)
        reply = NULL;
    return checked(redis, reply);
}

redisReply *ctl_redis_call(struct ctl_redis *redis, const struct redis_arg *args, size_t count)
{
    return ctl_redis_send(redis, args, count) ? ctl_redis_receive(redis) : NULL;
}

static enum ctl_status authenticate(struct ctl_redis *redis, const struct ctl_options *options)
{
    struct redis_arg args[3] = {REDIS_ARG_TEXT("AUTH")};
    size_t count = 1;
    if (options->redis_password[0] == '\0')
        return CTL_DONE;
    if (options->redis_user[0] != '\0')
        args[count++] = REDIS_ARG_TEXT(options->redis_user);
    args[count++] = REDIS_ARG_TEXT(options->redis_password);
    redisReply *reply = ctl_redis_call(redis, args, count);
    enum ctl_status status = reply != NULL ? CTL_DONE : CTL_AUTH;
    freeReplyObject(reply);
    return status;
}

enum ctl_status ctl_redis_open(struct ctl_redis *redis, const struct ctl_options *options)
{
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    const struct timeval limit = {.tv_sec = (time_t)(options->timeout_ms / 1000),
                                  .tv_usec = (suseconds_t)(options->timeout_ms % 1000) * 1000};
    *redis = (struct ctl_redis){0};
    if (sock_split(options->redis, host, &port) != 0)
        return CTL_USAGE;
    redis->context = redisConnectWithTimeout(host[0] != '\0' ? host : "127.0.0.1", port, limit);
    if (redis->context == NULL || redis->context->err != 0 || redisSetTimeout(redis->context, limit) != REDIS_OK) {
        ctl_say("%s: %s", options->redis, redis->context != NULL ? redis->context->errstr : "no memory");
        return CTL_UNKNOWN;
    }
    return authenticate(redis, options);
}

void ctl_redis_close(struct ctl_redis *redis)
{
    if (redis->context != NULL)
        redisFree(redis->context);
    redis->context = NULL;
}

static bool load(struct ctl_redis *redis, enum lua_script script)
{
    if (redis->loaded[script])
        return true;
    const struct redis_arg args[] = {REDIS_ARG_TEXT("SCRIPT"), REDIS_ARG_TEXT("LOAD"),
                                     REDIS_ARG_TEXT(lua_scripts[script])};
    redisReply *reply = ctl_redis_call(redis, args, 3);
    if (reply != NULL && reply->str != NULL)
        snprintf(redis->shas[script], sizeof redis->shas[script], "%.40s", reply->str);
    redis->loaded[script] = reply != NULL;
    freeReplyObject(reply);
    return redis->loaded[script];
}

bool ctl_redis_script_send(struct ctl_redis *redis, enum lua_script script, bool reads_only,
                           const struct redis_arg *keys, size_t key_count, const struct redis_arg *args,
                           size_t arg_count)
{
    struct redis_arg all[ARGS_MAX] = {REDIS_ARG_TEXT(reads_only ? "EVALSHA_RO" : "EVALSHA")};
    char number[24];
    size_t count = 3;
    if (key_count + arg_count + count > ARGS_MAX || !load(redis, script))
        return false;
    snprintf(number, sizeof number, "%zu", key_count);
    all[1] = REDIS_ARG_TEXT(redis->shas[script]);
    all[2] = REDIS_ARG_TEXT(number);
    for (size_t i = 0; i < key_count; i++)
        all[count++] = keys[i];
    for (size_t i = 0; i < arg_count; i++)
        all[count++] = args[i];
    return ctl_redis_send(redis, all, count);
}

redisReply *ctl_redis_script(struct ctl_redis *redis, enum lua_script script, bool reads_only,
                             const struct redis_arg *keys, size_t key_count, const struct redis_arg *args,
                             size_t arg_count)
{
    return ctl_redis_script_send(redis, script, reads_only, keys, key_count, args, arg_count) ? ctl_redis_receive(redis)
                                                                                              : NULL;
}

bool ctl_redis_scan(struct ctl_redis *redis, const char *pattern, bool (*visit)(const redisReply *keys, void *arg),
                    void *arg)
{
    char cursor[24] = "0";
    bool good = true;
    do {
        const struct redis_arg args[] = {REDIS_ARG_TEXT("SCAN"),  REDIS_ARG_TEXT(cursor),  REDIS_ARG_TEXT("MATCH"),
                                         REDIS_ARG_TEXT(pattern), REDIS_ARG_TEXT("COUNT"), REDIS_ARG_TEXT(SCAN_COUNT)};
        redisReply *reply = ctl_redis_call(redis, args, 6);
        good =
            reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 && reply->element[0]->str != NULL;
        if (good) {
            snprintf(cursor, sizeof cursor, "%.20s", reply->element[0]->str);
            good = visit(reply->element[1], arg);
        }
        freeReplyObject(reply);
    } while (good && strcmp(cursor, "0") != 0);
    return good;
}
