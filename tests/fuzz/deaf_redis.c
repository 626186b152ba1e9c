// common/ctl/ctl_redis.h without a Redis: everything is taken and found in order. What is sent is looked at.
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/ctl/ctl.h"
#include "common/ctl/ctl_redis.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/redis_state.h"

static unsigned sent; // and not received
static unsigned calls;

static redisReply *parse(const struct resp *resp)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    FUZZ_CHECK(redisReaderFeed(reader, (const char *)resp->bytes, resp->len) == REDIS_OK);
    FUZZ_CHECK(redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL);
    redisReaderFree(reader);
    return reply;
}

static redisReply *number(int64_t value)
{
    uint8_t bytes[64];
    struct resp resp = resp_begin(bytes, sizeof bytes);
    resp_number(&resp, value);
    return parse(&resp);
}

// All of it is there to be read.
static void look(const struct redis_arg *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(args[i].len == 0 || args[i].data != NULL);
        free(fuzz_copy(args[i].data, args[i].len));
    }
}

enum ctl_status ctl_redis_open(struct ctl_redis *redis, const struct ctl_options *options)
{
    (void)redis;
    (void)options;
    sent = 0;
    return CTL_DONE;
}

void ctl_redis_close(struct ctl_redis *redis)
{
    (void)redis;
}

// HGETALL of the settings: every second restore finds a canvas, the others none.
redisReply *ctl_redis_call(struct ctl_redis *redis, const struct redis_arg *args, size_t count)
{
    static const struct redis_state state = {.version = 3, .cooldown_ms = 5000};
    uint8_t bytes[1024];
    struct resp resp = resp_begin(bytes, sizeof bytes);
    (void)redis;
    look(args, count);
    if (calls++ % 4 < 2)
        redis_state_config(&state, &resp);
    else
        resp_array(&resp, 0);
    return parse(&resp);
}

bool ctl_redis_send(struct ctl_redis *redis, const struct redis_arg *args, size_t count)
{
    (void)redis;
    look(args, count);
    sent++;
    return true;
}

redisReply *ctl_redis_receive(struct ctl_redis *redis)
{
    (void)redis;
    FUZZ_CHECK(sent > 0);
    sent--;
    return number(1);
}

bool ctl_redis_script_send(struct ctl_redis *redis, enum lua_script script, bool reads_only,
                           const struct redis_arg *keys, size_t key_count, const struct redis_arg *args,
                           size_t arg_count)
{
    (void)redis;
    (void)script;
    (void)reads_only;
    look(keys, key_count);
    look(args, arg_count);
    sent++;
    return true;
}

redisReply *ctl_redis_script(struct ctl_redis *redis, enum lua_script script, bool reads_only,
                             const struct redis_arg *keys, size_t key_count, const struct redis_arg *args,
                             size_t arg_count)
{
    (void)redis;
    (void)script;
    (void)reads_only;
    FUZZ_CHECK(sent == 0); // its answer would be taken for another's
    look(keys, key_count);
    look(args, arg_count);
    return number(5);
}

bool ctl_redis_scan(struct ctl_redis *redis, const char *pattern, bool (*visit)(const redisReply *keys, void *arg),
                    void *arg)
{
    uint8_t bytes[512];
    struct resp resp = resp_begin(bytes, sizeof bytes);
    (void)redis;
    resp_array(&resp, 4);
    resp_text(&resp, pattern);
    resp_text(&resp, "{t:3:0}:meta");
    resp_text(&resp, "{t:70000:0}:meta");
    resp_text(&resp, "{u:1}:0000000000000001");
    redisReply *keys = parse(&resp);
    bool good = visit(keys, arg);
    freeReplyObject(keys);
    return good;
}

void ctl_say(const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    FUZZ_CHECK(vsnprintf(text, sizeof text, format, args) >= 0);
    va_end(args);
}

void ctl_print(const struct ctl_options *options, const json_t *result, void (*show)(const json_t *result))
{
    (void)options;
    (void)show;
    FUZZ_CHECK(json_is_object(result));
}
