// The audit log, newest first: as much of it as goes into one answer.

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
#define ID_SIZE 48u
#define BYTES_MAX (ADMIN_ANSWER_MAX - 4096u) // of the entries, of which none is longer than that by far

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

// `next`: before which entry to go on, whether it was the count that ended them or the bytes; null when there were
// none.
static void on_entries(struct admin_call *call, const redisReply *reply)
{
    json_t *entries = json_array(), *next = NULL;
    size_t count = reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0, len = 0;
    for (size_t i = 0; i < count && len < BYTES_MAX; i++) {
        json_t *entry = entry_of(reply->element[i]);
        len += json_dumpb(entry, NULL, 0, JSON_COMPACT) + 1;
        if (len < BYTES_MAX) {
            next = json_object_get(entry, "id");
            json_array_append(entries, entry);
        }
        json_decref(entry);
    }
    admin_answer(call, json_pack("{s:o, s:O?}", "entries", entries, "next", next));
}

// The id of an entry, as Redis writes it.
static bool is_id(const char *text)
{
    size_t ms = strspn(text, "0123456789"), seq = text[ms] == '-' ? strspn(text + ms + 1, "0123456789") : 0;
    return ms >= 1 && ms <= 20 && seq >= 1 && seq <= 20 && text[ms + 1 + seq] == '\0';
}

void admin_run_audit(struct admin_call *call)
{
    char text[NUMBER_SIZE], from[ID_SIZE] = "+";
    int64_t count = COUNT_DEFAULT;
    bool good = call->arg_count < 1 || (conf_text_int(call->args[0], &count) == 0 && count >= 1 && count <= COUNT_MAX);
    if (!good || (call->arg_count > 1 && !is_id(call->args[1]))) {
        admin_fail(call, "usage", "usage: audit [COUNT [BEFORE]], 1 to 500, and the id of an entry");
        return;
    }
    if (call->arg_count > 1)
        snprintf(from, sizeof from, "(%s", call->args[1]);
    snprintf(text, sizeof text, "%" PRId64, count);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("XREVRANGE"), REDIS_ARG_TEXT(KEY_AUDIT), REDIS_ARG_TEXT(from),
                                     REDIS_ARG_TEXT("-"),         REDIS_ARG_TEXT("COUNT"),   REDIS_ARG_TEXT(text)};
    admin_ask(call, args, sizeof args / sizeof args[0], on_entries);
}
