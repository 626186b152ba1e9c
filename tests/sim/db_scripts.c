// The scripts of proto/lua besides place.lua, and the commands that are sent as they are.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "tests/sim/db_impl.h"

#define GENERATION_MS 120000
#define GATEWAY_SILENT_MS 10000
#define SILENCE_MS 500 // of all shards: no more is usual
#define FENCED 1
#define REWOUND 2

static void set_view(struct db *db, uint64_t view, const struct redis_arg *channel)
{
    uint8_t message[16];
    db_do(db, &(struct db_effect){.type = EFFECT_VIEW, .view = view});
    size_t len = db_pack_array(message, 2);
    len += db_pack_number(message + len, 3);
    len += db_pack_number(message + len, view);
    db_publish(db, channel, message, len);
}

static const struct db_member *member_of(const struct db *db, const struct redis_arg *address)
{
    for (uint32_t i = 0; i < db->member_count; i++) {
        if (db_is(address, db->members[i].address))
            return &db->members[i];
    }
    return NULL;
}

static void set_member(struct db *db, const struct redis_arg *address, uint64_t incarnation, int64_t beat_ms)
{
    struct db_effect effect = {.type = EFFECT_MEMBER, .member = {.incarnation = incarnation, .beat_ms = beat_ms}};
    memcpy(effect.member.address, address->data, address->len);
    db_do(db, &effect);
}

static uint64_t config_version(const struct db *db)
{
    for (uint32_t i = 0; i + 1 < db->config_count; i += 2) {
        if (strcmp(db->config[i], "version") == 0)
            return strtoull(db->config[i + 1], NULL, 10);
    }
    return 0;
}

// ---- Membership ----------------------------------------------------------------------------------------------------

static redisReply *run_join(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    uint64_t incarnation = db_hex(&call->args[1]);
    const struct db_member *stored = member_of(db, &call->args[0]);
    bool same = stored != NULL && stored->incarnation == incarnation;
    set_member(db, &call->args[0], incarnation, now_ms);
    if (!same)
        set_view(db, db->view + 1, &call->args[2]);
    return reply_integer(arena, (int64_t)db->view);
}

static redisReply *run_leave(struct db *db, const struct db_call *call, struct reply_arena *arena)
{
    const struct db_member *stored = member_of(db, &call->args[0]);
    if (stored != NULL && stored->incarnation == db_hex(&call->args[1])) {
        db_do(db, &(struct db_effect){.type = EFFECT_NO_MEMBER, .member = *stored});
        set_view(db, db->view + 1, &call->args[2]);
    }
    return reply_integer(arena, (int64_t)db->view);
}

// For how long nobody beat, beyond what is usual: Redis stood still, or its clock was set ahead.
static int64_t silence_of_all(const struct db *db, int64_t now_ms, int64_t lease_ms)
{
    int64_t usual_ms = lease_ms / 2 > SILENCE_MS ? lease_ms / 2 : SILENCE_MS;
    int64_t latest_ms = 0;
    for (uint32_t i = 0; i < db->member_count; i++)
        latest_ms = db->members[i].beat_ms > latest_ms ? db->members[i].beat_ms : latest_ms;
    return now_ms - latest_ms > usual_ms ? now_ms - latest_ms - usual_ms : 0;
}

static redisReply *run_beat(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    uint64_t incarnation = db_hex(&call->args[1]);
    int64_t lease_ms = (int64_t)db_number(&call->args[2]);
    int64_t lost_ms = silence_of_all(db, now_ms, lease_ms);
    bool is_member = false, evicted = false;
    for (uint32_t i = 0; i < db->member_count;) {
        struct db_member member = db->members[i];
        bool self = db_is(&call->args[0], member.address) && member.incarnation == incarnation;
        is_member |= self;
        int64_t beat_ms = self || member.beat_ms > now_ms ? now_ms : member.beat_ms + lost_ms;
        if (lease_ms == 0 || now_ms - beat_ms <= lease_ms) {
            bool changes = self || beat_ms != member.beat_ms;
            member.beat_ms = beat_ms;
            if (changes)
                db_do(db, &(struct db_effect){.type = EFFECT_MEMBER, .member = member});
        } else {
            evicted = true;
            db_do(db, &(struct db_effect){.type = EFFECT_NO_MEMBER, .member = member});
            continue;
        }
        i++;
    }
    if (evicted)
        set_view(db, db->view + 1, &call->args[3]);
    redisReply *reply = reply_array(arena, 3);
    reply->element[0] = reply_integer(arena, is_member);
    reply->element[1] = reply_integer(arena, (int64_t)db->view);
    reply->element[2] = reply_integer(arena, (int64_t)config_version(db));
    return reply;
}

static redisReply *run_online(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    uint64_t sum = 0;
    const struct db_gateway self = {db_hex(&call->args[0]), (uint32_t)db_number(&call->args[1]), now_ms};
    db_do(db, &(struct db_effect){.type = EFFECT_GATEWAY, .gateway = self});
    for (uint32_t i = 0; i < db->gateway_count;) {
        struct db_gateway gateway = db->gateways[i];
        if (llabs(now_ms - gateway.beat_ms) > GATEWAY_SILENT_MS) {
            db_do(db, &(struct db_effect){.type = EFFECT_NO_GATEWAY, .gateway = gateway});
            continue;
        }
        sum += gateway.connections;
        i++;
    }
    redisReply *reply = reply_array(arena, 3);
    reply->element[0] = reply_integer(arena, (int64_t)sum);
    reply->element[1] = reply_integer(arena, (int64_t)db->view);
    reply->element[2] = reply_integer(arena, (int64_t)config_version(db));
    return reply;
}

// ---- Configuration -------------------------------------------------------------------------------------------------

static void add_config(struct db *db, const void *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (copy == NULL || db->config_count == DB_CONFIG_FIELDS)
        abort();
    memcpy(copy, text, len);
    copy[len] = '\0';
    db->config_lens[db->config_count] = len;
    db->config[db->config_count++] = copy;
}

static void set_config(struct db *db, const char *name, uint32_t value)
{
    char text[12];
    int len = snprintf(text, sizeof text, "%" PRIu32, value);
    for (uint32_t i = 0; i + 1 < db->config_count; i += 2) {
        if (strcmp(db->config[i], name) != 0)
            continue;
        free(db->config[i + 1]);
        db->config[i + 1] = strdup(text);
        db->config_lens[i + 1] = (size_t)len;
    }
}

uint32_t db_set_read_only(struct db *db, bool read_only)
{
    uint32_t version = (uint32_t)config_version(db) + 1;
    if (db->config_count == 0)
        return 0;
    set_config(db, "read_only", read_only);
    set_config(db, "version", version);
    return version;
}

static redisReply *config_of(const struct db *db, struct reply_arena *arena)
{
    redisReply *reply = reply_array(arena, db->config_count);
    for (uint32_t i = 0; i < db->config_count; i++)
        reply->element[i] = reply_bytes(arena, db->config[i], db->config_lens[i]);
    return reply;
}

static redisReply *run_seed(struct db *db, const struct db_call *call, struct reply_arena *arena)
{
    static const char *const first[] = {"version", "1", "user_groups", "64"};
    if (db->config_count == 0) {
        for (size_t i = 0; i < sizeof first / sizeof first[0]; i++)
            add_config(db, first[i], strlen(first[i]));
        for (size_t i = 0; i < call->arg_count; i++)
            add_config(db, call->args[i].data, call->args[i].len);
    }
    return config_of(db, arena);
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static redisReply *windows_of(const struct db_tile *tile, unsigned which, uint64_t generation,
                              struct reply_arena *arena)
{
    const struct db_dup *dup = &tile->dups[which];
    if (dup->generation + 1 < generation || dup->generation > generation + 1)
        return reply_array(arena, 0);
    redisReply *reply = reply_array(arena, 2 * (size_t)dup->count + 2);
    reply->element[0] = reply_text(arena, "g");
    reply->element[1] = reply_number(arena, dup->generation);
    for (uint32_t i = 0; i < dup->count; i++) {
        reply->element[2 * i + 2] = reply_bytes(arena, dup->windows[i].key, sizeof dup->windows[i].key);
        reply->element[2 * i + 3] = reply_bytes(arena, dup->windows[i].value, sizeof dup->windows[i].value);
    }
    return reply;
}

static uint64_t next_epoch(const struct db *db, const struct db_tile *tile, uint64_t incarnation, int64_t now_ms)
{
    if (db->mutant == MUTANT_NOT_TAKEN_ANEW && tile->taken && tile->owner == incarnation)
        return tile->epoch;
    if (db->mutant == MUTANT_EPOCH_PLUS_ONE)
        return tile->epoch + 1;
    return tile->epoch + 1 > (uint64_t)now_ms ? tile->epoch + 1 : (uint64_t)now_ms;
}

static redisReply *run_take(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    unsigned number = db_tile_of(&call->keys[0]);
    const struct db_tile *tile = &db->tiles[number];
    uint64_t view = db_number(&call->args[2]);
    if (tile->view > view) {
        redisReply *refusal = reply_array(arena, 2);
        refusal->element[0] = reply_integer(arena, 0);
        refusal->element[1] = reply_integer(arena, (int64_t)tile->view);
        return refusal;
    }
    if (db->no_room)
        return reply_error(arena, DB_NO_ROOM);
    struct db_effect effect = {.type = EFFECT_TAKE, .number = number};
    effect.take.owner = db_hex(&call->args[0]);
    effect.take.epoch = next_epoch(db, tile, effect.take.owner, now_ms);
    effect.take.view = view;
    memcpy(effect.take.address, call->args[1].data, call->args[1].len);
    db_do(db, &effect);

    uint64_t generation = (uint64_t)(now_ms / GENERATION_MS);
    bool forgets = db->mutant == MUTANT_DUPLICATES;
    redisReply *reply = reply_array(arena, 7);
    reply->element[0] = reply_integer(arena, 1);
    reply->element[1] = reply_integer(arena, (int64_t)tile->epoch);
    reply->element[2] = reply_integer(arena, (int64_t)tile->pos.epoch);
    reply->element[3] = reply_integer(arena, tile->pos.seq);
    reply->element[4] = reply_bytes(arena, tile->px, tile->px_len);
    reply->element[5] = forgets ? reply_array(arena, 0) : windows_of(tile, (generation + 1) % 2, generation, arena);
    reply->element[6] = forgets ? reply_array(arena, 0) : windows_of(tile, generation % 2, generation, arena);
    return reply;
}

static int beat_one(struct db *db, const struct redis_arg *key, const struct redis_arg *args, uint64_t owner)
{
    unsigned number = db_tile_of(key);
    const struct db_tile *tile = &db->tiles[number];
    uint8_t message[64], sum[8];
    if (!tile->taken || tile->epoch != db_number(&args[0]) || tile->owner != owner)
        return FENCED;
    if (tile->pos.seq != db_number(&args[1]))
        return REWOUND;
    struct db_effect effect = {.type = EFFECT_CHECKSUM, .number = number};
    effect.checksum.checksum = db_hex(&args[2]);
    effect.checksum.seq = tile->pos.seq;
    db_do(db, &effect);
    bytes_set_u64(sum, effect.checksum.checksum);
    size_t len = db_pack_array(message, 4);
    len += db_pack_number(message + len, 2);
    len += db_pack_number(message + len, tile->pos.epoch);
    len += db_pack_number(message + len, tile->pos.seq);
    len += db_pack_bytes(message + len, sum, sizeof sum);
    db_publish(db, &args[3], message, len);
    return 0;
}

static redisReply *run_position(struct db *db, const struct db_call *call, struct reply_arena *arena)
{
    if (db->no_room)
        return reply_error(arena, DB_NO_ROOM);
    redisReply *reply = reply_array(arena, call->key_count);
    for (size_t i = 0; i < call->key_count; i++)
        reply->element[i] =
            reply_integer(arena, beat_one(db, &call->keys[i], &call->args[1 + 4 * i], db_hex(&call->args[0])));
    return reply;
}

static redisReply *run_snapshot(struct db *db, const struct db_call *call, struct reply_arena *arena)
{
    const struct db_tile *tile = &db->tiles[db_tile_of(&call->keys[0])];
    redisReply *reply = reply_array(arena, 3);
    reply->element[0] = reply_integer(arena, (int64_t)tile->pos.epoch);
    reply->element[1] = reply_integer(arena, tile->pos.seq);
    reply->element[2] = reply_bytes(arena, tile->px, tile->px_len);
    return reply;
}

redisReply *db_script(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    switch (call->script) {
    case LUA_SEED:
        return run_seed(db, call, arena);
    case LUA_JOIN:
        return run_join(db, now_ms, call, arena);
    case LUA_BEAT:
        return run_beat(db, now_ms, call, arena);
    case LUA_LEAVE:
        return run_leave(db, call, arena);
    case LUA_ONLINE:
        return run_online(db, now_ms, call, arena);
    case LUA_TAKE:
        return run_take(db, now_ms, call, arena);
    case LUA_POSITION:
        return run_position(db, call, arena);
    case LUA_SNAPSHOT:
        return run_snapshot(db, call, arena);
    case LUA_HEAT: // nothing that is looked over here depends on it
        return reply_integer(arena, 0);
    default:
        abort();
    }
}
