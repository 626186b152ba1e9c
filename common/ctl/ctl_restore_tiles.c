// The tiles of a backup: each is written beside what is there, and then put in its place as one (REDIS.md,
// replace.lua).
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "common/ctl/ctl_restore_impl.h"
#include "proto/keys.h"

#define COLUMNS 4u

static bool replace(struct restore *restore, struct tile tile, uint64_t epoch, uint32_t seq, uint64_t checksum)
{
    static const enum key_tile whats[] = {KEY_TILE_META,   KEY_TILE_PX,       KEY_TILE_LAST,
                                          KEY_TILE_LOG,    KEY_TILE_DUP0,     KEY_TILE_DUP1,
                                          KEY_TILE_NEW_PX, KEY_TILE_NEW_LAST, KEY_TILE_NEW_LOG};
    enum { OF_TILE = sizeof whats / sizeof whats[0] };
    char names[OF_TILE][KEY_MAX], epoch_text[CTL_RESTORE_NUMBER_SIZE], seq_text[CTL_RESTORE_NUMBER_SIZE],
        checksum_text[CTL_RESTORE_NUMBER_SIZE];
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
bool ctl_restore_tile_end(struct restore *restore)
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
bool ctl_restore_tile(struct restore *restore, const uint8_t *payload)
{
    char name[KEY_MAX];
    if (!ctl_restore_tile_end(restore))
        return false;
    size_t px_len = bytes_get_u32(payload + 16), last_len = bytes_get_u32(payload + 20 + px_len);
    restore->tile = (struct tile){bytes_get_u16(payload), bytes_get_u16(payload + 2)};
    restore->epoch = bytes_get_u64(payload + 4);
    restore->seq = bytes_get_u32(payload + 12);
    restore->checksum = mix_tile_checksum(payload + 20, px_len);
    uint32_t index = restore->tile.ty * CTL_RESTORE_TILE_SIDE + restore->tile.tx;
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
    char name[KEY_MAX], id[CTL_RESTORE_NUMBER_SIZE], epoch[CTL_RESTORE_NUMBER_SIZE], time[CTL_RESTORE_NUMBER_SIZE],
        first[CTL_RESTORE_NUMBER_SIZE];
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

bool ctl_restore_log(struct restore *restore, const uint8_t *payload, size_t len)
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
        if (key_tile_parse(key->str, key->len, KEY_TILE_META, &tile) != 0 || tile.tx >= CTL_RESTORE_TILE_SIDE ||
            tile.ty >= CTL_RESTORE_TILE_SIDE)
            continue;
        uint32_t index = tile.ty * CTL_RESTORE_TILE_SIDE + tile.tx;
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
    return ctl_restore_remove(arg, keys, is_left);
}

bool ctl_restore_tiles_settle(struct restore *restore)
{
    return ctl_redis_scan(&restore->to.redis, "{t:*:meta", on_others, restore) &&
           ctl_redis_scan(&restore->to.redis, "{t:*:new:*", on_left, restore);
}
