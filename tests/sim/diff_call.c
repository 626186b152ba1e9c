// One call of a script or command, on a real Redis and on the model: the same answers, and the same messages.
#include "tests/sim/diff.h"

#include <inttypes.h>
#include <stdio.h>

// ---- Arguments -----------------------------------------------------------------------------------------------------

static struct redis_arg keep(const void *data, size_t len)
{
    char *at = diff.text + diff.text_len;
    assert_true(diff.text_len + len + 1 < TEXT_MAX);
    memcpy(at, data, len);
    at[len] = '\0';
    diff.text_len += len + 1;
    return (struct redis_arg){at, len};
}

void diff_start(void)
{
    diff.text_len = diff.key_count = diff.arg_count = 0;
}

void diff_key(const char *text)
{
    diff.keys[diff.key_count++] = keep(text, strlen(text));
}

void diff_bytes(const void *data, size_t len)
{
    assert_true(diff.arg_count < ARGS_MAX);
    diff.args[diff.arg_count++] = keep(data, len);
}

void diff_text(const char *value)
{
    diff_bytes(value, strlen(value));
}

void diff_number(uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    diff_text(digits);
}

void diff_hex(uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%016" PRIx64, value);
    diff_text(digits);
}

void diff_key_of(unsigned tile, enum key_tile what)
{
    char name[KEY_MAX];
    (void)key_tile(name, db_tile_at(tile), what);
    diff_key(name);
}

void diff_channel(unsigned tile)
{
    char name[KEY_MAX];
    (void)key_tile(name, db_tile_at(tile), KEY_TILE_BUS);
    diff_text(name);
}

// ---- Comparing -----------------------------------------------------------------------------------------------------

static void mismatch(const char *what, const redisReply *real, const redisReply *model)
{
    fprintf(stderr, "%s: real type %d integer %lld \"%s\", model type %d integer %lld \"%s\"\nafter %s\n", what,
            real->type, real->integer, real->str != NULL ? real->str : "", model->type, model->integer,
            model->str != NULL ? model->str : "", diff.said);
    fail_msg("the model answers otherwise");
}

static bool same(const redisReply *real, const redisReply *model)
{
    int type = real->type == REDIS_REPLY_STATUS ? REDIS_REPLY_STRING : real->type;
    if (type != model->type)
        return false;
    if (type == REDIS_REPLY_INTEGER)
        return real->integer == model->integer;
    if (type == REDIS_REPLY_STRING)
        return real->len == model->len && memcmp(real->str, model->str, real->len) == 0;
    if (type == REDIS_REPLY_ERROR)
        return strncmp(real->str, model->str, 4) == 0;
    if (type != REDIS_REPLY_ARRAY)
        return true;
    if (real->elements != model->elements)
        return false;
    for (size_t i = 0; i < real->elements; i++) {
        if (!same(real->element[i], model->element[i]))
            return false;
    }
    return true;
}

// A hash has no order.
static bool same_hash(const redisReply *real, const redisReply *model)
{
    if (real->type != REDIS_REPLY_ARRAY || model->type != REDIS_REPLY_ARRAY || real->elements != model->elements)
        return false;
    for (size_t i = 0; i < real->elements; i += 2) {
        size_t k = 0;
        while (k < model->elements &&
               !(same(real->element[i], model->element[k]) && same(real->element[i + 1], model->element[k + 1])))
            k += 2;
        if (k == model->elements)
            return false;
    }
    return true;
}

static void compare(int script, const redisReply *real, const redisReply *model)
{
    bool hash = script == LUA_SEED || (script < 0 && strcmp(diff.args[0].data, "HGETALL") == 0);
    bool good = hash ? same_hash(real, model) : same(real, model);
    if (script == LUA_TAKE && real->type == REDIS_REPLY_ARRAY && real->elements == 7 && model->elements == 7) {
        good = same_hash(real->element[5], model->element[5]) && same_hash(real->element[6], model->element[6]);
        for (size_t i = 0; i < 5; i++)
            good = good && same(real->element[i], model->element[i]);
    }
    if (!good)
        mismatch("answer", real, model);
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

void diff_on_published(const char *name, size_t name_len, const void *payload, size_t len, void *arg)
{
    (void)arg;
    assert_true(diff.message_count < MESSAGES_MAX && name_len <= KEY_MAX && len <= sizeof diff.messages[0].bytes);
    struct diff_message *message = &diff.messages[diff.message_count++];
    message->channel_len = name_len;
    message->len = len;
    memcpy(message->channel, name, name_len);
    memcpy(message->bytes, payload, len);
}

static redisReply *real_call(int script)
{
    const char *argv[2 * ARGS_MAX + 3];
    size_t lens[2 * ARGS_MAX + 3], argc = 0;
    char count[12];
    snprintf(count, sizeof count, "%zu", diff.key_count);
    if (script >= 0) {
        const char *head[] = {"EVALSHA", diff.shas[script], count};
        for (size_t i = 0; i < 3; i++) {
            argv[argc] = head[i];
            lens[argc++] = strlen(head[i]);
        }
    }
    for (size_t i = 0; i < diff.key_count + diff.arg_count; i++) {
        const struct redis_arg *arg = i < diff.key_count ? &diff.keys[i] : &diff.args[i - diff.key_count];
        argv[argc] = arg->data;
        lens[argc++] = arg->len;
    }
    redisReply *reply = redisCommandArgv(diff.redis, (int)argc, argv, lens);
    assert_non_null(reply);
    return reply;
}

// What the real one has published since the last time: until the mark.
static void compare_messages(void)
{
    uint32_t i = 0;
    freeReplyObject(redisCommand(diff.redis, "PUBLISH mark x"));
    for (;;) {
        void *got = NULL;
        assert_int_equal(redisGetReply(diff.bus, &got), REDIS_OK);
        redisReply *reply = got;
        bool mark = strcmp(reply->element[2]->str, "mark") == 0;
        if (!mark) {
            const redisReply *name = reply->element[2], *payload = reply->element[3];
            if (i == diff.message_count || name->len != diff.messages[i].channel_len ||
                memcmp(name->str, diff.messages[i].channel, name->len) != 0 || payload->len != diff.messages[i].len ||
                memcmp(payload->str, diff.messages[i].bytes, payload->len) != 0) {
                fprintf(stderr, "message %u on %s after %s\n", i, name->str, diff.said);
                fail_msg("the model publishes otherwise");
            }
            i++;
        }
        freeReplyObject(reply);
        if (mark)
            break;
    }
    if (i != diff.message_count)
        fprintf(stderr, "after %s\n", diff.said);
    assert_int_equal(i, diff.message_count);
}

static void say_call(int script)
{
    size_t len = (size_t)snprintf(diff.said, sizeof diff.said, "script %d at %" PRId64 ":", script, diff.now_ms);
    for (size_t i = 0; i < diff.key_count + diff.arg_count && len + 200 < sizeof diff.said; i++) {
        const struct redis_arg *arg = i < diff.key_count ? &diff.keys[i] : &diff.args[i - diff.key_count];
        len += (size_t)snprintf(diff.said + len, sizeof diff.said - len, " \"%.*s\"", (int)arg->len,
                                (const char *)arg->data);
    }
}

void diff_call(int script)
{
    struct reply_arena arena = {0};
    const struct db_call of = {script, diff.keys, diff.key_count, diff.args, diff.arg_count};
    diff.message_count = 0;
    say_call(script);
    redisReply *model = db_run(diff.db, diff.now_ms, &of, &arena);
    redisReply *real = real_call(script);
    compare(script, real, model);
    compare_messages();
    diff.epoch = script == LUA_TAKE && model->element[0]->integer == 1 ? (uint64_t)model->element[1]->integer : 0;
    freeReplyObject(real);
    reply_arena_free(&arena);
}
