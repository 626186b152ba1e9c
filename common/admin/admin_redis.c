// What commands ask of Redis.

#include <stdlib.h>
#include <string.h>

#include "common/admin/admin_impl.h"
#include "proto/keys.h"

#define CONFIG_FIELDS_MAX 64u
#define WHY_SIZE 160u

struct question {
    struct admin_call *call;
    admin_reply_fn *next;
};

static void on_reply(void *arg, const redisReply *reply)
{
    struct question question = *(struct question *)arg;
    free(arg);
    if (reply == NULL)
        admin_fail(question.call, "unavailable", "Redis did not answer");
    else if (reply->type == REDIS_REPLY_ERROR)
        admin_fail(question.call, "unavailable", "Redis says: %.*s", (int)reply->len, reply->str);
    else
        question.next(question.call, reply);
}

static struct question *question_new(struct admin_call *call, admin_reply_fn *next)
{
    struct question *question = malloc(sizeof *question);
    if (question != NULL)
        *question = (struct question){call, next};
    return question;
}

static void asked(struct admin_call *call, struct question *question, int err)
{
    if (err == 0)
        return;
    free(question);
    admin_fail(call, "unavailable", err == ERR_CLOSED ? "no connection to Redis" : "Redis cannot be asked now");
}

void admin_ask(struct admin_call *call, const struct redis_arg *args, size_t count, admin_reply_fn *next)
{
    struct question *question = question_new(call, next);
    struct redis_conn *redis = admin_redis(call->admin);
    asked(call, question, question == NULL ? ERR_NOMEM : redis_conn_command(redis, args, count, on_reply, question));
}

void admin_run(struct admin_call *call, int script, bool reads_only, const struct redis_arg *keys, size_t key_count,
               const struct redis_arg *args, size_t arg_count, admin_reply_fn *next)
{
    struct question *question = question_new(call, next);
    struct redis_conn *redis = admin_redis(call->admin);
    int err = ERR_NOMEM;
    if (question != NULL && reads_only)
        err = redis_conn_evalsha_ro(redis, (size_t)script, keys, key_count, args, arg_count, on_reply, question);
    else if (question != NULL)
        err = redis_conn_evalsha(redis, (size_t)script, keys, key_count, args, arg_count, on_reply, question);
    asked(call, question, err);
}

json_t *admin_text(const redisReply *reply)
{
    // With a zero inside, tessera-ctl could not read the answer.
    bool readable = reply != NULL && reply->str != NULL && memchr(reply->str, '\0', reply->len) == NULL;
    json_t *text = readable ? json_stringn(reply->str, reply->len) : NULL;
    return text != NULL ? text : json_string("");
}

// ---- Settings ------------------------------------------------------------------------------------------------------

struct reading {
    struct admin_call *call;
    admin_config_fn *next;
};

static int parse_config(const redisReply *reply, struct canvas_config *config, char why[WHY_SIZE])
{
    const char *fields[CONFIG_FIELDS_MAX];
    size_t lens[CONFIG_FIELDS_MAX];
    size_t count = reply->type == REDIS_REPLY_ARRAY && reply->elements <= CONFIG_FIELDS_MAX ? reply->elements : 0;
    for (size_t i = 0; i < count; i++) {
        fields[i] = reply->element[i]->str != NULL ? reply->element[i]->str : "";
        lens[i] = reply->element[i]->str != NULL ? reply->element[i]->len : 0;
    }
    return canvas_config_parse(fields, lens, count, config, why, WHY_SIZE);
}

static void on_config(void *arg, const redisReply *reply)
{
    struct reading reading = *(struct reading *)arg;
    char why[WHY_SIZE];
    free(arg);
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        admin_fail(reading.call, "unavailable", "the settings cannot be read");
        return;
    }
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 0) {
        admin_fail(reading.call, "refused", "there is no canvas yet");
        return;
    }
    struct canvas_config *config = malloc(sizeof *config);
    if (config == NULL || parse_config(reply, config, why) != 0)
        admin_fail(reading.call, "refused", "%s", config == NULL ? "no memory" : why);
    else
        reading.next(reading.call, config);
    free(config);
}

void admin_read_config(struct admin_call *call, admin_config_fn *next)
{
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_CONFIG)};
    struct reading *reading = malloc(sizeof *reading);
    int err = ERR_NOMEM;
    if (reading != NULL) {
        *reading = (struct reading){call, next};
        err = redis_conn_command(admin_redis(call->admin), args, 2, on_config, reading);
    }
    if (err == 0)
        return;
    free(reading);
    admin_fail(call, "unavailable", err == ERR_CLOSED ? "no connection to Redis" : "Redis cannot be asked now");
}
