// backup: settings, users, tiles with their logs, settings again; and verify.
//
//   Redis ── CONFIG ─► users by SCAN ─► per tile: position, pixels, last seqs in one script ─► its log, page by page ─►
//   file

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/ctl/ctl.h"
#include "common/ctl/ctl_file.h"
#include "common/ctl/ctl_redis.h"
#include "common/ctl/ctl_verify.h"
#include "proto/bus_proto.h"
#include "proto/keys.h"

#define PAGE_ENTRIES "64" // of at most 512 placements: 512 KiB
#define LOG_RECORD_MIN 262144u
#define TILE_SIDE (GEOM_SIDE_MAX / 64u)

struct backup {
    struct ctl_redis redis;
    struct ctl_file file;
    struct canvas_config config;
    uint8_t *record; // CTL_RECORD_MAX
    size_t record_len;
    uint32_t tiles;
    uint64_t users, placements;
    uint8_t seen[TILE_SIDE * TILE_SIDE / 8]; // tiles: SCAN may name one twice
    bool failed;                             // it was said
};

static bool fail(struct backup *backup, const char *why)
{
    ctl_say("%s", why);
    backup->failed = true;
    return false;
}

static bool put_record(struct backup *backup, enum ctl_record type)
{
    int err = ctl_file_put(&backup->file, type, backup->record, backup->record_len);
    backup->record_len = 0;
    return err == 0 || fail(backup, err == ERR_IO ? strerror(errno) : err_text(err));
}

// Room for so many more bytes of the record; NULL when it would be too long.
static uint8_t *reserve(struct backup *backup, size_t len)
{
    if (len > CTL_RECORD_MAX - backup->record_len)
        return NULL;
    uint8_t *at = backup->record + backup->record_len;
    backup->record_len += len;
    return at;
}

// ---- Settings ------------------------------------------------------------------------------------------------------

static bool put_field(struct backup *backup, const redisReply *text)
{
    uint8_t *at = text->str != NULL && text->len <= UINT16_MAX ? reserve(backup, 2 + text->len) : NULL;
    if (at == NULL)
        return fail(backup, "a setting that is too long");
    bytes_set_u16(at, (uint16_t)text->len);
    memcpy(at + 2, text->str, text->len);
    return true;
}

static bool parse(struct backup *backup)
{
    struct ctl_fields fields;
    char why[160] = "there is no canvas";
    if (ctl_fields_parse(&fields, backup->record, backup->record_len) != 0)
        return fail(backup, "there are more settings than a backup can have");
    if (fields.count == 0 ||
        canvas_config_parse(fields.texts, fields.lens, fields.count, &backup->config, why, sizeof why) != 0)
        return fail(backup, why);
    if (backup->config.restores % 2 == 1)
        return fail(backup, "a restore was begun and has not ended: there is nothing whole to back up");
    return true;
}

static bool put_config(struct backup *backup)
{
    const struct redis_arg time_args[] = {REDIS_ARG_TEXT("TIME")};
    const struct redis_arg config_args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_CONFIG)};
    redisReply *time = ctl_redis_call(&backup->redis, time_args, 1);
    redisReply *config = time != NULL ? ctl_redis_call(&backup->redis, config_args, 2) : NULL;
    bool good = config != NULL && time->elements == 2;
    backup->record_len = 0;
    if (good)
        bytes_set_u64(reserve(backup, 8), strtoull(time->element[0]->str, NULL, 10) * 1000 +
                                              strtoull(time->element[1]->str, NULL, 10) / 1000);
    for (size_t i = 0; good && i < config->elements; i++)
        good = put_field(backup, config->element[i]);
    freeReplyObject(time);
    freeReplyObject(config);
    return good && parse(backup) && put_record(backup, CTL_CONFIG);
}

// ---- Users ---------------------------------------------------------------------------------------------------------

static bool put_user(struct backup *backup, uint64_t user, const redisReply *record)
{
    struct user_record decoded;
    if (record->str == NULL)
        return true; // gone meanwhile
    if (user_record_decode((const uint8_t *)record->str, record->len, &decoded) != 0 ||
        record->len != USER_RECORD_LEN) {
        ctl_say("user %016" PRIx64 ": the record is damaged; it is left out", user);
        return true;
    }
    uint8_t *at = reserve(backup, CTL_USER_LEN);
    bytes_set_u64(at, user);
    memcpy(at + 8, record->str, USER_RECORD_LEN);
    backup->users++;
    return backup->record_len < (size_t)CTL_USERS_PER_RECORD * CTL_USER_LEN || put_record(backup, CTL_USERS);
}

static bool put_name(struct backup *backup, uint64_t user, const redisReply *record)
{
    if (record->str == NULL || record->len < CTL_NAME_RECORD_MIN || record->len > CTL_NAME_RECORD_MAX)
        return true; // gone meanwhile, or none of ours
    uint8_t *at = reserve(backup, CTL_NAME_HEAD_LEN + record->len);
    bytes_set_u64(at, user);
    bytes_set_u16(at + 8, (uint16_t)record->len);
    memcpy(at + CTL_NAME_HEAD_LEN, record->str, record->len);
    return backup->record_len < LOG_RECORD_MIN || put_record(backup, CTL_NAMES);
}

typedef int parse_key_fn(const char *key, size_t len, uint64_t *user);
typedef bool put_value_fn(struct backup *backup, uint64_t user, const redisReply *value);

// The values of those keys of which `parse` finds the user.
static bool on_keys(const redisReply *keys, struct backup *backup, parse_key_fn *parse_key, put_value_fn *put_value)
{
    bool good = true;
    uint64_t user;
    for (size_t i = 0; good && i < keys->elements; i++) {
        const struct redis_arg args[] = {REDIS_ARG_TEXT("GET"), {keys->element[i]->str, keys->element[i]->len}};
        if (parse_key(keys->element[i]->str, keys->element[i]->len, &user) == 0)
            good = ctl_redis_send(&backup->redis, args, 2);
    }
    // All that were asked for have to be taken, or later answers would be theirs.
    for (size_t i = 0; good && i < keys->elements; i++) {
        if (parse_key(keys->element[i]->str, keys->element[i]->len, &user) != 0)
            continue;
        redisReply *reply = ctl_redis_receive(&backup->redis);
        good = reply != NULL && put_value(backup, user, reply);
        freeReplyObject(reply);
    }
    return good;
}

static bool on_users(const redisReply *keys, void *arg)
{
    return on_keys(keys, arg, key_user_parse, put_user);
}

static bool on_names(const redisReply *keys, void *arg)
{
    return on_keys(keys, arg, key_user_name_parse, put_name);
}

// ---- Logs ----------------------------------------------------------------------------------------------------------

struct entry {
    uint64_t epoch, time;
    uint32_t first, last;
    const redisReply *updates, *users, *colors, *seqs;
};

static uint64_t number_of(const redisReply *reply)
{
    return reply != NULL && reply->str != NULL ? strtoull(reply->str, NULL, 10) : 0;
}

static const redisReply *field_of(const redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (fields->element[i]->str != NULL && strcmp(fields->element[i]->str, name) == 0)
            return fields->element[i + 1];
    }
    return NULL;
}

static bool column_is(const redisReply *column, size_t len)
{
    return column != NULL && column->str != NULL && column->len == len;
}

static bool read_entry(const redisReply *reply, struct entry *entry)
{
    if (reply->elements != 2 || reply->element[1]->type != REDIS_REPLY_ARRAY)
        return false;
    const redisReply *fields = reply->element[1];
    *entry = (struct entry){.epoch = number_of(field_of(fields, "e")),
                            .time = number_of(field_of(fields, "t")),
                            .first = (uint32_t)number_of(field_of(fields, "f")),
                            .last = (uint32_t)number_of(reply->element[0]),
                            .updates = field_of(fields, "u"),
                            .users = field_of(fields, "w"),
                            .colors = field_of(fields, "c"),
                            .seqs = field_of(fields, "q")};
    size_t count = (size_t)entry->last - entry->first + 1;
    return number_of(field_of(fields, "l")) == 1 && entry->first >= 1 && entry->last >= entry->first &&
           count <= UINT16_MAX && column_is(entry->updates, count * 3) && column_is(entry->users, count * 8) &&
           column_is(entry->colors, count) && column_is(entry->seqs, count * 4);
}

static bool put_entry(struct backup *backup, const struct entry *entry)
{
    uint16_t count = (uint16_t)(entry->last - entry->first + 1);
    const redisReply *const columns[] = {entry->updates, entry->users, entry->colors, entry->seqs};
    uint8_t *at = reserve(backup, CTL_LOG_HEAD_LEN);
    if (at == NULL)
        return fail(backup, "an entry of a log that is too long");
    bytes_set_u64(at, entry->epoch);
    bytes_set_u64(at + 8, entry->time);
    bytes_set_u32(at + 16, entry->first);
    bytes_set_u16(at + 20, count);
    for (size_t i = 0; i < 4; i++) {
        uint8_t *column = reserve(backup, columns[i]->len);
        if (column == NULL)
            return fail(backup, "an entry of a log that is too long");
        memcpy(column, columns[i]->str, columns[i]->len);
    }
    backup->placements += count;
    return backup->record_len < LOG_RECORD_MIN || put_record(backup, CTL_LOG);
}

// The entries from after `*seq` up to `until`; moves *seq on.
static bool put_page(struct backup *backup, struct tile tile, uint32_t *seq, uint32_t until)
{
    char key[KEY_MAX], from[32], to[32];
    size_t len = key_tile(key, tile, KEY_TILE_LOG);
    snprintf(from, sizeof from, "(%" PRIu32 "-0", *seq);
    snprintf(to, sizeof to, "%" PRIu32 "-0", until);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("XRANGE"), {key, len},
                                     REDIS_ARG_TEXT(from),     REDIS_ARG_TEXT(to),
                                     REDIS_ARG_TEXT("COUNT"),  REDIS_ARG_TEXT(PAGE_ENTRIES)};
    redisReply *reply = ctl_redis_call(&backup->redis, args, 6);
    bool good = reply != NULL;
    if (good && reply->elements == 0)
        good = fail(backup, "a log ends before its tile: it is damaged");
    for (size_t i = 0; good && i < reply->elements; i++) {
        struct entry entry = {0};
        good = read_entry(reply->element[i], &entry) || fail(backup, "a log entry that is none");
        good = good && put_entry(backup, &entry);
        *seq = entry.last;
    }
    freeReplyObject(reply);
    return good;
}

static bool put_log(struct backup *backup, struct tile tile, uint32_t until)
{
    uint32_t seq = 0;
    while (seq < until) {
        if (!put_page(backup, tile, &seq, until))
            return false;
    }
    return backup->record_len == 0 || put_record(backup, CTL_LOG);
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static bool put_bytes(struct backup *backup, const redisReply *text)
{
    uint8_t *at = reserve(backup, 4 + text->len);
    if (at == NULL)
        return fail(backup, "a tile that is too long");
    bytes_set_u32(at, (uint32_t)text->len);
    memcpy(at + 4, text->str, text->len);
    return true;
}

static bool put_tile(struct backup *backup, struct tile tile)
{
    char names[3][KEY_MAX];
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX, KEY_TILE_LAST};
    struct redis_arg keys[3];
    for (size_t i = 0; i < 3; i++) {
        keys[i].len = key_tile(names[i], tile, whats[i]);
        keys[i].data = names[i];
    }
    redisReply *reply = ctl_redis_script(&backup->redis, LUA_TILE, true, keys, 3, NULL, 0);
    if (reply == NULL || reply->elements != 4 || reply->element[2]->str == NULL || reply->element[3]->str == NULL) {
        freeReplyObject(reply);
        return false;
    }
    uint32_t seq = (uint32_t)reply->element[1]->integer;
    bool good = true;
    if (seq > 0) {
        uint8_t *at = reserve(backup, 16);
        bytes_set_u16(at, tile.tx);
        bytes_set_u16(at + 2, tile.ty);
        bytes_set_u64(at + 4, (uint64_t)reply->element[0]->integer);
        bytes_set_u32(at + 12, seq);
        good = put_bytes(backup, reply->element[2]) && put_bytes(backup, reply->element[3]) &&
               put_record(backup, CTL_TILE) && put_log(backup, tile, seq);
        backup->tiles++;
    }
    freeReplyObject(reply);
    return good;
}

static bool on_tiles(const redisReply *keys, void *arg)
{
    struct backup *backup = arg;
    struct tile tile;
    for (size_t i = 0; i < keys->elements; i++) {
        const redisReply *key = keys->element[i];
        if (key_tile_parse(key->str, key->len, KEY_TILE_META, &tile) != 0 || tile.tx >= TILE_SIDE ||
            tile.ty >= TILE_SIDE)
            continue;
        uint32_t index = tile.ty * TILE_SIDE + tile.tx;
        if ((backup->seen[index / 8] >> index % 8 & 1) != 0)
            continue;
        backup->seen[index / 8] |= (uint8_t)(1u << index % 8);
        if (!put_tile(backup, tile))
            return false;
    }
    return true;
}

// ---- The commands --------------------------------------------------------------------------------------------------

static bool write_all(struct backup *backup)
{
    bool good = put_config(backup) && ctl_redis_scan(&backup->redis, "{u:*", on_users, backup);
    if (good && backup->record_len > 0)
        good = put_record(backup, CTL_USERS);
    good = good && ctl_redis_scan(&backup->redis, "{u:*}:n:*", on_names, backup);
    if (good && backup->record_len > 0)
        good = put_record(backup, CTL_NAMES);
    uint32_t restores = backup->config.restores;
    good = good && ctl_redis_scan(&backup->redis, "{t:*:meta", on_tiles, backup) && put_config(backup);
    return good && (restores == backup->config.restores || fail(backup, "another backup was restored meanwhile"));
}

static bool write_audit(struct backup *backup, const struct ctl_options *options, const char *path)
{
    char what[512];
    snprintf(what, sizeof what, "%.300s: %" PRIu32 " tiles, %" PRIu64 " users, %" PRIu64 " placements", path,
             backup->tiles, backup->users, backup->placements);
    const struct redis_arg key = REDIS_ARG_TEXT(KEY_AUDIT);
    const struct redis_arg args[] = {REDIS_ARG_TEXT(options->who), REDIS_ARG_TEXT("backup"), REDIS_ARG_TEXT(what)};
    redisReply *reply = ctl_redis_script(&backup->redis, LUA_AUDIT, false, &key, 1, args, 3);
    freeReplyObject(reply);
    return reply != NULL;
}

enum ctl_status ctl_run_backup(const struct ctl_options *options, const char *const *args, size_t count)
{
    (void)count;
    enum ctl_status status = CTL_REFUSED;
    struct backup *backup = calloc(1, sizeof *backup);
    if (backup == NULL || (backup->record = malloc(CTL_RECORD_MAX)) == NULL) {
        free(backup);
        ctl_say("no memory");
        return CTL_REFUSED;
    }
    backup->file.fd = -1;
    status = ctl_redis_open(&backup->redis, options);
    if (status == CTL_DONE && ctl_file_create(&backup->file, args[0]) != 0) {
        ctl_say("%s: %s", args[0], strerror(errno));
        status = CTL_REFUSED;
    }
    if (status == CTL_DONE && !write_all(backup))
        status = backup->failed ? CTL_REFUSED : CTL_UNKNOWN;
    if (status == CTL_DONE && (!write_audit(backup, options, args[0]) ||
                               ctl_file_commit(&backup->file, backup->tiles, backup->users, backup->placements) != 0)) {
        ctl_say("%s: not written: %s", args[0], strerror(errno));
        status = CTL_REFUSED;
    }
    if (status == CTL_DONE)
        ctl_print_counts(options, &(struct ctl_counts){args[0], backup->tiles, backup->users, backup->placements, -1});
    ctl_file_close(&backup->file);
    ctl_redis_close(&backup->redis);
    free(backup->record);
    free(backup);
    return status;
}

enum ctl_status ctl_run_verify(const struct ctl_options *options, const char *const *args, size_t count)
{
    (void)count;
    struct ctl_summary summary;
    char why[CTL_VERIFY_WHY_SIZE];
    int err = ctl_verify(args[0], &summary, why);
    if (err != 0)
        ctl_say("%s: %s", args[0], err == ERR_NOMEM ? "no memory" : why);
    else
        ctl_print_counts(options, &(struct ctl_counts){args[0], summary.tiles, summary.users, summary.placements,
                                                       (int64_t)ctl_late_count(summary.late)});
    ctl_summary_fini(&summary);
    return err == 0 ? CTL_DONE : err == ERR_MALFORMED ? CTL_DAMAGED : CTL_REFUSED;
}
