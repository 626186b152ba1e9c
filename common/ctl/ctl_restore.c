// restore: puts a backup in the place of what is there, while gateways and shards live.
//
//   verify ─► begin (read-only) ─► tiles, each written beside and then put in place as one ─► tiles that the backup
//   lacks
//          become blank ─► users ─► end
//
// Every write asks whether this is still the restore that was begun last: one that stood still while another was made
// changes nothing any more. So no two ever write at the same time, and what one that was killed has left (tiles written
// beside, half) is overwritten or taken away by the next.
//
// Users come last: a shard that has not yet heard of the restore may still place on a tile, and write the user's
// record; on a tile that is replaced after, both are gone, so the record has to go as well.

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "common/core/name.h"
#include "common/ctl/ctl.h"
#include "common/ctl/ctl_file.h"
#include "common/ctl/ctl_restorer.h"
#include "common/ctl/ctl_verify.h"
#include "proto/keys.h"

#define TILE_SIDE (GEOM_SIDE_MAX / 64u)
#define FIELDS_MAX 48u
#define NUMBER_SIZE 24u
#define COLUMNS 4u
#define NAME_LIFE_MS "5184000000" // 60 days: of who has no record, until a gateway renews it

struct restore {
    const struct ctl_options *options;
    struct ctl_restorer to;
    struct ctl_summary summary;
    struct tile tile; // the one that is being written; seq 0: none
    uint64_t epoch;
    uint32_t seq;
    uint64_t checksum;
    uint8_t put[TILE_SIDE * TILE_SIDE / 8]; // tiles of the backup
    char version[NUMBER_SIZE];
    char label[400];
};

static bool refuse(struct restore *restore, const char *why)
{
    return ctl_restorer_refuse(&restore->to, why);
}

// ---- Settings ------------------------------------------------------------------------------------------------------

// What the script is given beside the audit entry: numbers and texts that outlive the call.
struct settings {
    struct redis_arg args[FIELDS_MAX];
    size_t count;
    char width[NUMBER_SIZE], height[NUMBER_SIZE];
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
    for (size_t i = 0; i + 1 < fields.count && settings->count + 2 <= FIELDS_MAX; i += 2) {
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
        return refuse(restore,
                      "the canvas that is there has another tile edge: restore into an empty Redis, before the "
                      "first gateway or shard starts");
    bool longer = palette_extends(&then->palette, &now->palette);
    if (!longer && !palette_extends(&now->palette, &then->palette))
        return refuse(restore, "neither palette is the beginning of the other");
    snprintf(settings->width, NUMBER_SIZE, "%" PRIu32,
             now->geom.width > then->geom.width ? now->geom.width : then->geom.width);
    snprintf(settings->height, NUMBER_SIZE, "%" PRIu32,
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
    bool good = reply != NULL && reply->elements <= CTL_CONFIG_FIELDS_MAX;
    for (size_t i = 0; good && i < reply->elements; i++) {
        fields[i] = reply->element[i]->str;
        lens[i] = reply->element[i]->len;
    }
    if (good && reply->elements > 0 && canvas_config_parse(fields, lens, reply->elements, config, why, sizeof why) != 0)
        good = refuse(restore, why);
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
        return refuse(restore, "a restore was begun already and has not ended: if nobody is at it any more, --again");
    if (version == -2)
        return refuse(restore, "another restore was begun and has taken over; this one ends here");
    if (version == 0)
        return refuse(restore, "the settings were changed at the same time: begin again");
    return reply != NULL;
}

static bool begin(struct restore *restore)
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
static bool end(struct restore *restore)
{
    static const struct settings none;
    return step(restore, "end", &none);
}

// ---- Keys ----------------------------------------------------------------------------------------------------------

// Takes away those of the keys that `is_ours` says.
static bool remove_keys(struct restore *restore, const redisReply *keys, bool (*is_ours)(const redisReply *key))
{
    struct redis_arg some[CTL_RESTORER_KEYS_MAX];
    size_t count = 0;
    bool good = true;
    for (size_t i = 0; good && i < keys->elements; i++) {
        if (is_ours(keys->element[i]))
            some[count++] = (struct redis_arg){keys->element[i]->str, keys->element[i]->len};
        if (count < CTL_RESTORER_KEYS_MAX && i + 1 < keys->elements)
            continue;
        good = count == 0 || ctl_restorer_write(&restore->to, "UNLINK", some, count, NULL, 0);
        count = 0;
    }
    return good && ctl_restorer_settle(&restore->to);
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static bool replace(struct restore *restore, struct tile tile, uint64_t epoch, uint32_t seq, uint64_t checksum)
{
    static const enum key_tile whats[] = {KEY_TILE_META,   KEY_TILE_PX,       KEY_TILE_LAST,
                                          KEY_TILE_LOG,    KEY_TILE_DUP0,     KEY_TILE_DUP1,
                                          KEY_TILE_NEW_PX, KEY_TILE_NEW_LAST, KEY_TILE_NEW_LOG};
    enum { OF_TILE = sizeof whats / sizeof whats[0] };
    char names[OF_TILE][KEY_MAX], epoch_text[NUMBER_SIZE], seq_text[NUMBER_SIZE], checksum_text[NUMBER_SIZE];
    struct redis_arg keys[OF_TILE + 1];
    for (size_t i = 0; i < OF_TILE; i++) {
        keys[i].len = key_tile(names[i], tile, whats[i]);
        keys[i].data = names[i];
    }
    keys[OF_TILE] = REDIS_ARG_TEXT(KEY_CONFIG);
    snprintf(epoch_text, sizeof epoch_text, "%" PRIu64, epoch);
    snprintf(seq_text, sizeof seq_text, "%" PRIu32, seq);
    snprintf(checksum_text, sizeof checksum_text, "%016" PRIx64, checksum);
    const struct redis_arg args[] = {REDIS_ARG_TEXT(restore->to.number), REDIS_ARG_TEXT(epoch_text),
                                     REDIS_ARG_TEXT(seq_text), REDIS_ARG_TEXT(checksum_text)};
    return ctl_restorer_script(&restore->to, LUA_REPLACE, keys, OF_TILE + 1, args, 4);
}

// The one before is written whole.
static bool end_tile(struct restore *restore)
{
    uint32_t seq = restore->seq;
    restore->seq = 0;
    return seq == 0 || replace(restore, restore->tile, restore->epoch, seq, restore->checksum);
}

static bool set_new(struct restore *restore, enum key_tile what, const uint8_t *data, size_t len)
{
    char name[KEY_MAX];
    const struct redis_arg key = {name, key_tile(name, restore->tile, what)}, value = {data, len};
    return ctl_restorer_write(&restore->to, "SET", &key, 1, &value, 1);
}

// What was checked by ctl_verify is not checked again.
static bool on_tile(struct restore *restore, const uint8_t *payload)
{
    char name[KEY_MAX];
    if (!end_tile(restore))
        return false;
    size_t px_len = bytes_get_u32(payload + 16), last_len = bytes_get_u32(payload + 20 + px_len);
    restore->tile = (struct tile){bytes_get_u16(payload), bytes_get_u16(payload + 2)};
    restore->epoch = bytes_get_u64(payload + 4);
    restore->seq = bytes_get_u32(payload + 12);
    restore->checksum = mix_tile_checksum(payload + 20, px_len);
    uint32_t index = restore->tile.ty * TILE_SIDE + restore->tile.tx;
    restore->put[index / 8] |= (uint8_t)(1u << index % 8);
    // Of a restore that broke off there may be a log, which only takes what comes behind it.
    const struct redis_arg log = {name, key_tile(name, restore->tile, KEY_TILE_NEW_LOG)};
    return ctl_restorer_write(&restore->to, "UNLINK", &log, 1, NULL, 0) &&
           set_new(restore, KEY_TILE_NEW_PX, payload + 20, px_len) &&
           set_new(restore, KEY_TILE_NEW_LAST, payload + 24 + px_len, last_len);
}

static bool add_entry(struct restore *restore, struct bytes_reader *in)
{
    static const char *const names[COLUMNS] = {"u", "w", "c", "q"};
    static const size_t widths[COLUMNS] = {3, 8, 1, 4};
    char name[KEY_MAX], id[NUMBER_SIZE], epoch[NUMBER_SIZE], time[NUMBER_SIZE], first[NUMBER_SIZE];
    snprintf(epoch, sizeof epoch, "%" PRIu64, bytes_u64(in));
    snprintf(time, sizeof time, "%" PRIu64, bytes_u64(in));
    uint32_t from = bytes_u32(in), count = bytes_u16(in);
    snprintf(first, sizeof first, "%" PRIu32, from);
    snprintf(id, sizeof id, "%" PRIu32 "-0", from + (count - 1));
    const struct redis_arg key = {name, key_tile(name, restore->tile, KEY_TILE_NEW_LOG)};
    struct redis_arg args[1 + 2 * (4 + COLUMNS)] = {REDIS_ARG_TEXT(id),   REDIS_ARG_TEXT("l"),   REDIS_ARG_TEXT("1"),
                                                    REDIS_ARG_TEXT("e"),  REDIS_ARG_TEXT(epoch), REDIS_ARG_TEXT("t"),
                                                    REDIS_ARG_TEXT(time), REDIS_ARG_TEXT("f"),   REDIS_ARG_TEXT(first)};
    for (size_t i = 0; i < COLUMNS; i++) {
        args[9 + 2 * i] = REDIS_ARG_TEXT(names[i]);
        args[10 + 2 * i] = (struct redis_arg){bytes_take(in, count * widths[i]), count * widths[i]};
    }
    return bytes_ok(in) && ctl_restorer_write(&restore->to, "XADD", &key, 1, args, sizeof args / sizeof args[0]);
}

static bool on_log(struct restore *restore, const uint8_t *payload, size_t len)
{
    struct bytes_reader in;
    bool good = true;
    bytes_reader_init(&in, payload, len);
    while (good && bytes_left(&in) > 0)
        good = add_entry(restore, &in);
    return good;
}

static bool on_others(const redisReply *keys, void *arg)
{
    struct restore *restore = arg;
    struct tile tile;
    bool good = true;
    for (size_t i = 0; good && i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (key_tile_parse(key->str, key->len, KEY_TILE_META, &tile) != 0 || tile.tx >= TILE_SIDE ||
            tile.ty >= TILE_SIDE)
            continue;
        uint32_t index = tile.ty * TILE_SIDE + tile.tx;
        if ((restore->put[index / 8] >> index % 8 & 1) == 0)
            good = replace(restore, tile, 0, 0, 0);
    }
    return good;
}

static bool is_left(const redisReply *key)
{
    struct tile tile;
    return key_tile_parse(key->str, key->len, KEY_TILE_NEW_PX, &tile) == 0 ||
           key_tile_parse(key->str, key->len, KEY_TILE_NEW_LAST, &tile) == 0 ||
           key_tile_parse(key->str, key->len, KEY_TILE_NEW_LOG, &tile) == 0;
}

// All that is written beside has been put in place: this is of a restore that broke off, of another backup.
static bool on_left(const redisReply *keys, void *arg)
{
    return remove_keys(arg, keys, is_left);
}

// ---- Users ---------------------------------------------------------------------------------------------------------

static bool is_record(const redisReply *key)
{
    uint64_t user;
    return key_user_parse(key->str, key->len, &user) == 0;
}

static bool on_records(const redisReply *keys, void *arg)
{
    return remove_keys(arg, keys, is_record);
}

static bool put_user(struct restore *restore, uint64_t user, const uint8_t record[USER_RECORD_LEN])
{
    char name[KEY_MAX];
    const struct redis_arg key = {name, key_user(name, user)}, value = {record, USER_RECORD_LEN};
    return ctl_restorer_write(&restore->to, "SET", &key, 1, &value, 1);
}

static bool on_users(struct restore *restore, uint8_t *payload, size_t len)
{
    bool good = true;
    for (size_t at = 0; good && at < len; at += CTL_USER_LEN) {
        uint64_t user = bytes_get_u64(payload + at);
        ctl_late_mend(restore->summary.late, user, payload + at + 8);
        good = put_user(restore, user, payload + at + 8);
    }
    return good;
}

// Those whose first placement came after the backup had looked for their record. Before the names, whose life depends
// on it; a backup without any has them at its end.
static bool put_late_users(struct restore *restore)
{
    uint64_t user;
    uint8_t record[USER_RECORD_LEN];
    bool good = true;
    while (good && ctl_late_next(restore->summary.late, &user, record))
        good = put_user(restore, user, record);
    return good && ctl_restorer_settle(&restore->to);
}

// Names that are there stay, and so does that somebody was erased.
static bool put_name(struct restore *restore, const uint8_t *user, const uint8_t *record, size_t len)
{
    char key[KEY_MAX], claim[KEY_MAX], placed[KEY_MAX], skeleton[NAME_SKELETON_SIZE];
    const char *name = (const char *)record + CTL_NAME_RECORD_MIN;
    size_t name_len = len - CTL_NAME_RECORD_MIN;
    struct redis_arg keys[4] = {{key, key_user_name(key, bytes_get_u64(user))}};
    keys[1] = keys[0];
    keys[2] = REDIS_ARG_TEXT(KEY_CONFIG);
    keys[3] = (struct redis_arg){placed, key_user(placed, bytes_get_u64(user))};
    if (name_len > 0) {
        if (name_check(name, name_len) != NAME_OK)
            return true; // by other rules than ours
        name_skeleton(name, name_len, skeleton);
        keys[1].len = key_name(claim, skeleton);
        keys[1].data = claim;
    }
    const struct redis_arg args[] = {
        {user, 8}, {record, len}, REDIS_ARG_TEXT(restore->to.number), REDIS_ARG_TEXT(NAME_LIFE_MS)};
    return ctl_restorer_script(&restore->to, LUA_RESTORE_NAME, keys, 4, args, 4);
}

static bool on_names(struct restore *restore, const uint8_t *payload, size_t len)
{
    bool good = put_late_users(restore);
    for (size_t at = 0; good && at < len;) {
        size_t record_len = bytes_get_u16(payload + at + 8);
        good = put_name(restore, payload + at, payload + at + CTL_NAME_HEAD_LEN, record_len);
        at += CTL_NAME_HEAD_LEN + record_len;
    }
    return good;
}

// ---- The command ---------------------------------------------------------------------------------------------------

// Goes over the file once, for tiles or for users.
static bool pass(struct restore *restore, const char *path, bool users)
{
    struct ctl_file file;
    enum ctl_record type = CTL_CONFIG;
    size_t len;
    bool good = ctl_file_open(&file, path) == 0;
    while (good && type != CTL_END) {
        good = ctl_file_next(&file, &type, &len) == 0 || refuse(restore, "the file has changed while it was read");
        if (good && users && type == CTL_USERS)
            good = on_users(restore, file.buffer, len);
        else if (good && users && type == CTL_NAMES)
            good = on_names(restore, file.buffer, len);
        else if (good && !users && type == CTL_TILE)
            good = on_tile(restore, file.buffer);
        else if (good && !users && type == CTL_LOG)
            good = on_log(restore, file.buffer, len);
    }
    ctl_file_close(&file);
    return good && end_tile(restore) && ctl_restorer_settle(&restore->to);
}

static bool run(struct restore *restore, const char *path)
{
    struct ctl_redis *redis = &restore->to.redis;
    return begin(restore) && pass(restore, path, false) && ctl_redis_scan(redis, "{t:*:meta", on_others, restore) &&
           ctl_redis_scan(redis, "{t:*:new:*", on_left, restore) &&
           ctl_redis_scan(redis, "{u:*", on_records, restore) && pass(restore, path, true) && put_late_users(restore) &&
           end(restore);
}

enum ctl_status ctl_run_restore(const struct ctl_options *options, const char *const *args, size_t count)
{
    static struct restore restore; // large
    char why[CTL_VERIFY_WHY_SIZE];
    (void)count;
    memset(&restore, 0, sizeof restore);
    restore.options = options;
    int err = ctl_verify(args[0], &restore.summary, why);
    if (err != 0) {
        ctl_say("%s: %s; nothing was changed", args[0], err == ERR_NOMEM ? "no memory" : why);
        ctl_summary_fini(&restore.summary);
        return err == ERR_MALFORMED ? CTL_DAMAGED : CTL_REFUSED;
    }
    snprintf(restore.label, sizeof restore.label, "%.300s: %" PRIu32 " tiles, %" PRIu64 " placements", args[0],
             restore.summary.tiles, restore.summary.placements);
    const struct ctl_counts counts = {args[0], restore.summary.tiles, restore.summary.users, restore.summary.placements,
                                      (int64_t)ctl_late_count(restore.summary.late)};
    enum ctl_status status = ctl_restorer_open(&restore.to, options);
    if (status == CTL_DONE && !run(&restore, args[0]))
        status = restore.to.refused ? CTL_REFUSED : CTL_UNKNOWN;
    if (status == CTL_DONE)
        ctl_print_counts(options, &counts);
    ctl_redis_close(&restore.to.redis);
    ctl_summary_fini(&restore.summary);
    return status;
}
