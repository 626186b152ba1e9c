// The audit log, newest first.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/admin_impl.h"
#include "common/io/conf.h"
#include "proto/keys.h"

#define COUNT_DEFAULT 20
#define COUNT_MAX 500
#define NUMBER_SIZE 24u

static json_t *entry_of(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return json_object();
    const redisReply *id = reply->element[0], *fields = reply->element[1];
    json_t *entry = json_pack("{s:o, s:I}", "id", admin_text(id), "time_ms",
                              (json_int_t)(id->str != NULL ? strtoll(id->str, NULL, 10) : 0));
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const char *name = fields->element[i]->str;
        if (name != NULL)
            json_object_set_new(entry, name, admin_text(fields->element[i + 1]));
    }
    return entry;
}

static void on_entries(struct admin_call *call, const redisReply *reply)
{
    json_t *entries = json_array();
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        json_array_append_new(entries, entry_of(reply->element[i]));
    admin_answer(call, json_pack("{s:o}", "entries", entries));
}

void admin_run_audit(struct admin_call *call)
{
    char text[NUMBER_SIZE];
    int64_t count = COUNT_DEFAULT;
    if (call->arg_count > 0 && (conf_text_int(call->args[0], &count) != 0 || count < 1 || count > COUNT_MAX)) {
        admin_fail(call, "usage", "usage: audit [COUNT], 1 to 500");
        return;
    }
    snprintf(text, sizeof text, "%" PRId64, count);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("XREVRANGE"), REDIS_ARG_TEXT(KEY_AUDIT), REDIS_ARG_TEXT("+"),
                                     REDIS_ARG_TEXT("-"),         REDIS_ARG_TEXT("COUNT"),   REDIS_ARG_TEXT(text)};
    admin_ask(call, args, sizeof args / sizeof args[0], on_entries);
}
