// The whole cluster at a glance: settings, Redis, shards and gateways by their beats, and what the shards own.
//
//   settings ─► TIME ─► INFO ─► members ─► gateways ─► owners of all tiles, in slices ─► answer

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/admin_impl.h"
#include "common/core/member.h"
#include "proto/keys.h"

#define INCARNATION_LEN 16u

struct shard_row {
    char incarnation[INCARNATION_LEN + 1];
    uint32_t tiles;
    json_int_t epoch; // greatest of them
    json_t *json;     // borrowed
};

struct status {
    struct admin_scan scan; // first: it is the call's state
    json_t *answer;
    int64_t now_ms;
    uint32_t shard_count;
    struct shard_row shards[MEMBER_MAX];
    uint32_t taken, placed_on, ownerless;
    json_int_t placements;
};

static void free_status(void *state)
{
    struct status *status = state;
    if (status != NULL)
        json_decref(status->answer);
    free(status);
}

static void put(struct admin_call *call, const char *name, json_t *value)
{
    struct status *status = call->state;
    json_object_set_new(status->answer, name, value);
}

static json_int_t number_of(const redisReply *reply)
{
    return reply->str != NULL ? (json_int_t)strtoll(reply->str, NULL, 10) : 0;
}

// ---- The answer ----------------------------------------------------------------------------------------------------

static bool count_tile(struct admin_call *call, const struct admin_owner *owner)
{
    struct status *status = call->state;
    redisReply *const *values = owner->values->element;
    json_int_t seq = number_of(values[5]), epoch = number_of(values[2]);
    bool found = false;
    status->taken++;
    status->placed_on += seq > 0;
    status->placements += seq;
    for (uint32_t i = 0; i < status->shard_count && !found; i++) {
        struct shard_row *shard = &status->shards[i];
        found = values[0]->str != NULL && strcmp(values[0]->str, shard->incarnation) == 0;
        shard->tiles += found;
        if (found && epoch > shard->epoch)
            shard->epoch = epoch;
    }
    status->ownerless += !found;
    return true;
}

static void counted(struct admin_call *call)
{
    struct status *status = call->state;
    for (uint32_t i = 0; i < status->shard_count; i++) {
        json_object_set_new(status->shards[i].json, "tiles", json_integer(status->shards[i].tiles));
        json_object_set_new(status->shards[i].json, "epoch", json_integer(status->shards[i].epoch));
    }
    put(call, "tiles",
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)geom_count(&status->scan.geom), "taken",
                  (json_int_t)status->taken, "without_owner", (json_int_t)status->ownerless, "placed_on",
                  (json_int_t)status->placed_on, "placements", status->placements));
    admin_answer(call, json_incref(status->answer));
}

// ---- Gateways and shards, by their beats ---------------------------------------------------------------------------

// "<first> <beat ms>[ <version>]"
struct beat {
    char first[32], version[32];
    int64_t beat_ms;
};

// The text up to the next space, cut to fit; `at` moves behind that.
static void take_word(const char **at, char *to, size_t size)
{
    size_t len = strcspn(*at, " ");
    snprintf(to, size, "%.*s", (int)len, *at);
    *at += len + ((*at)[len] == ' ');
}

static bool read_beat(const redisReply *reply, struct beat *beat)
{
    const char *at = reply->str;
    char *end;
    if (at == NULL)
        return false;
    take_word(&at, beat->first, sizeof beat->first);
    beat->beat_ms = strtoll(at, &end, 10);
    if (end == at)
        return false;
    at = end + (*end == ' ');
    take_word(&at, beat->version, sizeof beat->version);
    return true;
}

static void on_gateways(struct admin_call *call, const redisReply *reply)
{
    struct status *status = call->state;
    json_t *list = json_array();
    json_int_t connections = 0;
    struct beat beat;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        if (!read_beat(reply->element[i + 1], &beat))
            continue;
        json_int_t count = strtoll(beat.first, NULL, 10);
        connections += count;
        json_array_append_new(list, json_pack("{s:o, s:I, s:I, s:s}", "id", admin_text(reply->element[i]),
                                              "connections", count, "beat_age_ms",
                                              (json_int_t)(status->now_ms - beat.beat_ms), "version", beat.version));
    }
    put(call, "gateways", list);
    put(call, "connections", json_integer(connections));
    admin_scan(call, &status->scan);
}

static void add_shard(struct status *status, json_t *list, const redisReply *field, const redisReply *value)
{
    struct beat beat;
    if (field->str == NULL || strncmp(field->str, "s:", 2) != 0 || !read_beat(value, &beat) ||
        status->shard_count == MEMBER_MAX)
        return;
    json_t *json = json_pack("{s:s, s:s, s:I, s:s}", "address", field->str + 2, "incarnation", beat.first,
                             "beat_age_ms", (json_int_t)(status->now_ms - beat.beat_ms), "version", beat.version);
    if (json == NULL)
        return;
    struct shard_row *shard = &status->shards[status->shard_count++];
    snprintf(shard->incarnation, sizeof shard->incarnation, "%.16s", beat.first);
    shard->json = json;
    json_array_append_new(list, json);
}

static void on_members(struct admin_call *call, const redisReply *reply)
{
    struct status *status = call->state;
    json_t *list = json_array();
    json_int_t view = 0;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i];
        if (field->str != NULL && strcmp(field->str, "view") == 0)
            view = number_of(reply->element[i + 1]);
        else
            add_shard(status, list, field, reply->element[i + 1]);
    }
    put(call, "view", json_integer(view));
    put(call, "shards", list);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_GATEWAYS)};
    admin_ask(call, args, 2, on_gateways);
}

// ---- Redis, the process, the settings ------------------------------------------------------------------------------

// The value of "name:" in the text of INFO.
static json_t *info_value(const redisReply *reply, const char *name, bool number)
{
    size_t len = strlen(name);
    const char *at = reply->str, *line_end;
    while (at != NULL && (strncmp(at, name, len) != 0 || at[len] != ':')) {
        line_end = strchr(at, '\n');
        at = line_end != NULL ? line_end + 1 : NULL;
    }
    if (at == NULL)
        return json_null();
    const char *value = at + len + 1;
    return number ? json_integer(strtoll(value, NULL, 10)) : json_stringn(value, strcspn(value, "\r\n"));
}

static void on_info(struct admin_call *call, const redisReply *reply)
{
    put(call, "redis",
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "version", info_value(reply, "redis_version", false), "uptime_s",
                  info_value(reply, "uptime_in_seconds", true), "used_bytes", info_value(reply, "used_memory", true),
                  "max_bytes", info_value(reply, "maxmemory", true), "role", info_value(reply, "role", false)));
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_MEMBERS)};
    admin_ask(call, args, 2, on_members);
}

static void on_time(struct admin_call *call, const redisReply *reply)
{
    struct status *status = call->state;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        admin_fail(call, "unavailable", "Redis gave no time");
        return;
    }
    status->now_ms = (int64_t)number_of(reply->element[0]) * 1000 + (int64_t)number_of(reply->element[1]) / 1000;
    const struct redis_arg args[] = {REDIS_ARG_TEXT("INFO")};
    admin_ask(call, args, 1, on_info);
}

static void on_settings(struct admin_call *call, const struct canvas_config *config)
{
    struct status *status = call->state;
    char cooldown[ADMIN_DURATION_SIZE];
    admin_duration_text(cooldown, config->cooldown_ms);
    status->scan = (struct admin_scan){
        .geom = config->geom, .end = geom_count(&config->geom), .visit = count_tile, .done = counted};
    put(call, "canvas",
        json_pack("{s:I, s:I, s:I, s:i, s:s, s:b, s:b, s:s, s:i}", "version", (json_int_t)config->version, "width",
                  (json_int_t)config->geom.width, "height", (json_int_t)config->geom.height, "tile_edge",
                  (int)config->geom.edge, "cooldown", cooldown, "read_only", config->read_only, "restoring",
                  config->restores % 2 == 1, "announcement", config->announced, "colors", (int)config->palette.count));
    const struct redis_arg args[] = {REDIS_ARG_TEXT("TIME")};
    admin_ask(call, args, 1, on_time);
}

void admin_run_status(struct admin_call *call)
{
    struct status *status = calloc(1, sizeof *status);
    call->state = status;
    call->free_state = free_status;
    if (status == NULL || (status->answer = json_object()) == NULL) {
        admin_fail(call, "unavailable", "no memory");
        return;
    }
    int64_t up_ms = monotime_diff_ms(loop_now(admin_loop(call->admin)), admin_started(call->admin));
    put(call, "process",
        json_pack("{s:s, s:s, s:s, s:I}", "role", admin_role(call->admin), "name", admin_via(call->admin), "version",
                  TESSERA_VERSION, "uptime_s", (json_int_t)(up_ms / 1000)));
    admin_read_config(call, on_settings);
}
