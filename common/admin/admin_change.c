// Changing settings: they are read, the new value is made from them, and stored if nobody else was faster; else again.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/admin_impl.h"
#include "common/io/conf.h"
#include "common/io/log.h"
#include "proto/keys.h"
#include "proto/lua_scripts.h"

#define TRIES_MAX 5u
#define TEXT_SIZE (CANVAS_ANNOUNCEMENT_MAX + 1u) // the longest value that is shown
#define FIELDS_MAX 2u
#define NUMBER_SIZE 24u

struct change {
    const struct setting *setting;
    unsigned tries;
    char old[TEXT_SIZE], new[TEXT_SIZE]; // as they are shown, and written into the audit log
    // What is stored.
    const char *fields[FIELDS_MAX];
    char numbers[FIELDS_MAX][NUMBER_SIZE];
    const char *values[FIELDS_MAX]; // numbers, or `new`, or `palette`
    size_t count;
    char palette[PALETTE_TEXT_SIZE];
    char why[160];
};

// A setting: makes the new value from the present ones and the arguments. Not 0: refused; `change->why` says why.
struct setting {
    const char *name, *what;
    int (*make)(struct change *change, const struct canvas_config *now, const char *const *args);
};

static int refuse(struct change *change, const char *why)
{
    snprintf(change->why, sizeof change->why, "%s", why);
    return ERR_RANGE;
}

static void store_number(struct change *change, const char *field, uint32_t value)
{
    size_t i = change->count++;
    snprintf(change->numbers[i], sizeof change->numbers[i], "%" PRIu32, value);
    change->fields[i] = field;
    change->values[i] = change->numbers[i];
}

static void store_text(struct change *change, const char *field, const char *value)
{
    size_t i = change->count++;
    change->fields[i] = field;
    change->values[i] = value;
}

// ---- The settings --------------------------------------------------------------------------------------------------

static int make_cooldown(struct change *change, const struct canvas_config *now, const char *const *args)
{
    int64_t ms;
    if (conf_text_duration_ms(args[0], &ms) != 0 || ms < 0 || ms > CANVAS_COOLDOWN_MAX_MS)
        return refuse(change, "a cooldown is 0, 250ms, 5s, 3m, 2h, up to 24h");
    admin_duration_text(change->old, now->cooldown_ms);
    admin_duration_text(change->new, (uint32_t)ms);
    store_number(change, "cooldown_ms", (uint32_t)ms);
    return 0;
}

static int make_read_only(struct change *change, const struct canvas_config *now, const char *const *args)
{
    bool on = strcmp(args[0], "on") == 0;
    if (!on && strcmp(args[0], "off") != 0)
        return refuse(change, "read-only is on or off");
    snprintf(change->old, sizeof change->old, now->closed ? "on" : "off");
    snprintf(change->new, sizeof change->new, "%s", args[0]);
    store_number(change, "read_only", on);
    return 0;
}

static int make_announcement(struct change *change, const struct canvas_config *now, const char *const *args)
{
    if (!canvas_announcement_valid(args[0], strlen(args[0])))
        return refuse(change, "an announcement is up to 500 bytes of UTF-8 without control characters");
    snprintf(change->old, sizeof change->old, "%s", now->announced);
    snprintf(change->new, sizeof change->new, "%s", args[0]);
    store_text(change, "announcement", change->new);
    return 0;
}

static int make_guests(struct change *change, const struct canvas_config *now, const char *const *args)
{
    int64_t count;
    if (conf_text_int(args[0], &count) != 0 || count < 0 || count > CANVAS_GUESTS_MAX)
        return refuse(change, "guests-per-address is 0 (no limit) to 1024");
    snprintf(change->old, sizeof change->old, "%" PRIu32, now->guests_per_address);
    snprintf(change->new, sizeof change->new, "%" PRId64, count);
    store_number(change, "guests_per_address", (uint32_t)count);
    return 0;
}

static int make_color(struct change *change, const struct canvas_config *now, const char *const *args)
{
    static struct palette next;
    char text[PALETTE_TEXT_SIZE + 128];
    int len = palette_format(&now->palette, text, sizeof text - 128);
    if (len < 0 || strlen(args[0]) >= PALETTE_NAME_SIZE || strlen(args[1]) != 7 || strchr(args[0], ',') != NULL)
        return refuse(change, "a color is NAME #RRGGBB, the name up to 31 of a-z, 0-9, space and -");
    snprintf(text + len, sizeof text - (size_t)len, ",%s=%s", args[0], args[1]);
    if (palette_parse(&next, text, strlen(text), change->why, sizeof change->why) != 0)
        return ERR_RANGE;
    if (next.count != now->palette.count + 1 || palette_format(&next, change->palette, sizeof change->palette) < 0)
        return refuse(change, "not one color");
    snprintf(change->new, sizeof change->new, "%s=%s", next.colors[next.count - 1].name, args[1]);
    store_text(change, "palette", change->palette);
    return 0;
}

// "2000x1500". Digits only, as strtoul would take signs and spaces.
static bool parse_size(const char *text, uint32_t *width, uint32_t *height)
{
    uint32_t *sides[] = {width, height};
    for (size_t i = 0; i < 2; i++) {
        *sides[i] = 0;
        const char *from = text;
        for (; *text >= '0' && *text <= '9' && text - from < 6; text++)
            *sides[i] = *sides[i] * 10 + (uint32_t)(*text - '0');
        if (text == from || *text != (i == 0 ? 'x' : '\0') || *sides[i] < 1 || *sides[i] > GEOM_SIDE_MAX)
            return false;
        text++;
    }
    return true;
}

static int make_canvas(struct change *change, const struct canvas_config *now, const char *const *args)
{
    uint32_t width, height;
    if (!parse_size(args[0], &width, &height))
        return refuse(change, "a size is WIDTHxHEIGHT, each 1 to 65536");
    if (width < now->geom.width || height < now->geom.height)
        return refuse(change, "a canvas only grows");
    snprintf(change->old, sizeof change->old, "%" PRIu32 "x%" PRIu32, now->geom.width, now->geom.height);
    snprintf(change->new, sizeof change->new, "%" PRIu32 "x%" PRIu32, width, height);
    store_number(change, "width", width);
    store_number(change, "height", height);
    return 0;
}

static const struct setting settings[] = {
    {.name = "cooldown", .what = "set cooldown", .make = make_cooldown},
    {.name = "read-only", .what = "set read-only", .make = make_read_only},
    {.name = "announcement", .what = "set announcement", .make = make_announcement},
    {.name = "guests-per-address", .what = "set guests-per-address", .make = make_guests},
};
static const struct setting palette_setting = {.name = "palette", .what = "palette add", .make = make_color};
static const struct setting canvas_setting = {.name = "canvas", .what = "canvas grow", .make = make_canvas};

// ---- Storing -------------------------------------------------------------------------------------------------------

static void on_settings(struct admin_call *call, const struct canvas_config *config);

static void on_stored(struct admin_call *call, const redisReply *reply)
{
    const struct change *change = call->state;
    if (reply->type != REDIS_REPLY_INTEGER) {
        admin_fail(call, "unavailable", "Redis gave no version");
    } else if (reply->integer > 0) {
        log_info("admin", LOG_STR("who", call->who), LOG_STR("what", change->setting->what),
                 LOG_STR("old", change->old), LOG_STR("new", change->new), LOG_I64("version", reply->integer));
        admin_answer(call, json_pack("{s:I, s:s, s:s, s:s}", "version", (json_int_t)reply->integer, "name",
                                     change->setting->name, "old", change->old, "new", change->new));
    } else if (change->tries >= TRIES_MAX) {
        admin_fail(call, "conflict", "the settings were changed by others at the same time");
    } else {
        admin_read_config(call, on_settings);
    }
}

static void store(struct admin_call *call, const struct change *change, uint32_t version)
{
    char version_text[NUMBER_SIZE];
    snprintf(version_text, sizeof version_text, "%" PRIu32, version);
    const struct redis_arg keys[] = {REDIS_ARG_TEXT(KEY_CONFIG), REDIS_ARG_TEXT(KEY_AUDIT)};
    struct redis_arg args[7 + 2 * FIELDS_MAX] = {
        REDIS_ARG_TEXT(version_text),
        REDIS_ARG_TEXT(CHANNEL_CLUSTER),
        REDIS_ARG_TEXT(call->who),
        REDIS_ARG_TEXT(admin_via(call->admin)),
        REDIS_ARG_TEXT(change->setting->what),
        REDIS_ARG_TEXT(change->old),
        REDIS_ARG_TEXT(change->new),
    };
    for (size_t i = 0; i < change->count; i++) {
        args[7 + 2 * i] = REDIS_ARG_TEXT(change->fields[i]);
        args[8 + 2 * i] = REDIS_ARG_TEXT(change->values[i]);
    }
    admin_run(call, LUA_SETTINGS, false, keys, 2, args, 7 + 2 * change->count, on_stored);
}

static void on_settings(struct admin_call *call, const struct canvas_config *config)
{
    struct change *change = call->state;
    change->tries++;
    change->count = 0;
    if (change->setting->make(change, config, call->args + 1) != 0)
        admin_fail(call, "refused", "%s", change->why);
    else
        store(call, change, config->version);
}

static void begin(struct admin_call *call, const struct setting *setting)
{
    struct change *change = calloc(1, sizeof *change);
    call->state = change;
    if (change == NULL) {
        admin_fail(call, "unavailable", "no memory");
        return;
    }
    change->setting = setting;
    admin_read_config(call, on_settings);
}

void admin_run_set(struct admin_call *call)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (strcmp(settings[i].name, call->args[0]) == 0) {
            begin(call, &settings[i]);
            return;
        }
    }
    admin_fail(call, "usage", "no such setting: cooldown, read-only, announcement, guests-per-address");
}

void admin_run_palette(struct admin_call *call)
{
    if (strcmp(call->args[0], "add") == 0)
        begin(call, &palette_setting);
    else
        admin_fail(call, "usage", "usage: palette add NAME #RRGGBB");
}

void admin_run_canvas(struct admin_call *call)
{
    if (strcmp(call->args[0], "grow") == 0)
        begin(call, &canvas_setting);
    else
        admin_fail(call, "usage", "usage: canvas grow WIDTHxHEIGHT");
}
