// The settings of a backup, and the beginning and the end of a restore (REDIS.md, restore.lua).
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/ctl/ctl_restore_impl.h"
#include "proto/keys.h"

#define FIELDS_MAX CTL_CONFIG_FIELDS_MAX // all that a backup may have

// What the script is given beside the audit entry: numbers and texts that outlive the call.
struct settings {
    struct redis_arg args[FIELDS_MAX];
    size_t count;
    char width[CTL_RESTORE_NUMBER_SIZE], height[CTL_RESTORE_NUMBER_SIZE];
    char palette[PALETTE_TEXT_SIZE];
};

static void add_setting(struct settings *settings, const char *name, const char *value)
{
    settings->args[settings->count++] = REDIS_ARG_TEXT(name);
    settings->args[settings->count++] = REDIS_ARG_TEXT(value);
}

static bool is_text(const char *data, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(data, text, len) == 0;
}

// Nothing is there yet: all of the backup, but what belongs to the running of it.
static bool take_all(struct restore *restore, struct settings *settings)
{
    static struct ctl_fields fields;
    if (ctl_fields_parse(&fields, restore->summary.config_record, restore->summary.config_len) != 0)
        return false;
    for (size_t i = 0; i + 1 < fields.count; i += 2) {
        bool ours = is_text(fields.texts[i], fields.lens[i], "version") ||
                    is_text(fields.texts[i], fields.lens[i], "restores") ||
                    is_text(fields.texts[i], fields.lens[i], "restorer");
        if (ours)
            continue;
        settings->args[settings->count++] = (struct redis_arg){fields.texts[i], fields.lens[i]};
        settings->args[settings->count++] = (struct redis_arg){fields.texts[i + 1], fields.lens[i + 1]};
    }
    return true;
}

// What is there stays, as far as the backup fits into it.
static bool merge(struct restore *restore, const struct canvas_config *now, struct settings *settings)
{
    const struct canvas_config *then = &restore->summary.config;
    if (now->geom.edge != then->geom.edge)
        return ctl_restorer_refuse(
            &restore->to, "the canvas that is there has another tile edge: restore into an empty Redis, before the "
                          "first gateway or shard starts");
    bool longer = palette_extends(&then->palette, &now->palette);
    if (!longer && !palette_extends(&now->palette, &then->palette))
        return ctl_restorer_refuse(&restore->to, "neither palette is the beginning of the other");
    snprintf(settings->width, CTL_RESTORE_NUMBER_SIZE, "%" PRIu32,
             now->geom.width > then->geom.width ? now->geom.width : then->geom.width);
    snprintf(settings->height, CTL_RESTORE_NUMBER_SIZE, "%" PRIu32,
             now->geom.height > then->geom.height ? now->geom.height : then->geom.height);
    if (palette_format(longer ? &then->palette : &now->palette, settings->palette, sizeof settings->palette) < 0)
        return false;
    add_setting(settings, "width", settings->width);
    add_setting(settings, "height", settings->height);
    add_setting(settings, "palette", settings->palette);
    return true;
}

// The settings that are there; version 0: none.
static bool read_config(struct restore *restore, struct canvas_config *config)
{
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_CONFIG)};
    const char *fields[CTL_CONFIG_FIELDS_MAX];
    size_t lens[CTL_CONFIG_FIELDS_MAX];
    char why[160];
    *config = (struct canvas_config){0};
    redisReply *reply = ctl_redis_call(&restore->to.redis, args, 2);
    bool good = reply != NULL && (reply->elements <= CTL_CONFIG_FIELDS_MAX ||
                                  ctl_restorer_refuse(&restore->to, "there are more settings than this version knows"));
    for (size_t i = 0; good && i < reply->elements; i++) {
        fields[i] = reply->element[i]->str;
        lens[i] = reply->element[i]->len;
    }
    if (good && reply->elements > 0 && canvas_config_parse(fields, lens, reply->elements, config, why, sizeof why) != 0)
        good = ctl_restorer_refuse(&restore->to, why);
    freeReplyObject(reply);
    snprintf(restore->version, sizeof restore->version, "%" PRIu32, config->version);
    return good;
}

// One step of restore.lua; false when it was refused or broke, which was said.
static bool step(struct restore *restore, const char *name, const struct settings *settings)
{
    enum { OWN_ARGS = 6 };
    const struct redis_arg keys[] = {REDIS_ARG_TEXT(KEY_CONFIG), REDIS_ARG_TEXT(KEY_AUDIT)};
    struct redis_arg args[OWN_ARGS + FIELDS_MAX] = {
        REDIS_ARG_TEXT(name),
        REDIS_ARG_TEXT(restore->version),
        REDIS_ARG_TEXT(CHANNEL_CLUSTER),
        REDIS_ARG_TEXT(restore->options->who),
        REDIS_ARG_TEXT(restore->label),
        REDIS_ARG_TEXT(restore->to.number),
    };
    for (size_t i = 0; i < settings->count; i++)
        args[OWN_ARGS + i] = settings->args[i];
    redisReply *reply =
        ctl_redis_script(&restore->to.redis, LUA_RESTORE, false, keys, 2, args, OWN_ARGS + settings->count);
    long long version = reply != NULL ? reply->integer : 1;
    freeReplyObject(reply);
    if (version == -1)
        return ctl_restorer_refuse(
            &restore->to, "a restore was begun already and has not ended: if nobody is at it any more, --again");
    if (version == -2)
        return ctl_restorer_refuse(&restore->to, "another restore was begun and has taken over; this one ends here");
    if (version == 0)
        return ctl_restorer_refuse(&restore->to, "the settings were changed at the same time: begin again");
    return reply != NULL;
}

bool ctl_restore_begin(struct restore *restore)
{
    static struct settings settings;
    static struct canvas_config now;
    settings.count = 0;
    if (!read_config(restore, &now) ||
        !(now.version == 0 ? take_all(restore, &settings) : merge(restore, &now, &settings)))
        return false;
    return step(restore, restore->options->again ? "again" : "begin", &settings);
}

// Settings may have been changed meanwhile.
bool ctl_restore_end(struct restore *restore)
{
    static const struct settings none;
    return step(restore, "end", &none);
}
