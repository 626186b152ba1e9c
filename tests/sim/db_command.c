// The commands that gateways and shards send as they are.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "tests/sim/db_impl.h"

static redisReply *get_user(const struct db *db, unsigned number, struct reply_arena *arena)
{
    const struct db_user *user = &db->users[number];
    uint8_t record[24] = {1};
    if (!user->exists)
        return reply_nil(arena);
    record[1] = user->color;
    bytes_set_u16(record + 2, user->x);
    bytes_set_u16(record + 4, user->y);
    bytes_set_u32(record + 8, user->nonce);
    bytes_set_u32(record + 12, user->seq);
    bytes_set_u64(record + 16, (uint64_t)user->landed_ms);
    return reply_bytes(arena, record, sizeof record);
}

static redisReply *get_time(int64_t now_ms, struct reply_arena *arena)
{
    redisReply *reply = reply_array(arena, 2);
    reply->element[0] = reply_number(arena, (uint64_t)now_ms / 1000);
    reply->element[1] = reply_number(arena, (uint64_t)now_ms % 1000 * 1000);
    return reply;
}

static redisReply *get_config(const struct db *db, struct reply_arena *arena)
{
    redisReply *reply = reply_array(arena, db->config_count);
    for (uint32_t i = 0; i < db->config_count; i++)
        reply->element[i] = reply_bytes(arena, db->config[i], db->config_lens[i]);
    return reply;
}

static redisReply *get_members(const struct db *db, struct reply_arena *arena)
{
    redisReply *reply = reply_array(arena, 2 * (size_t)db->member_count + (db->has_members ? 2 : 0));
    char text[DB_NAME + 64];
    for (uint32_t i = 0; i < db->member_count; i++) {
        const struct db_member *member = &db->members[i];
        snprintf(text, sizeof text, "s:%s", member->address);
        reply->element[2 * i] = reply_text(arena, text);
        snprintf(text, sizeof text, "%016" PRIx64 " %" PRId64, member->incarnation, member->beat_ms);
        reply->element[2 * i + 1] = reply_text(arena, text);
    }
    if (db->has_members) {
        reply->element[2 * db->member_count] = reply_text(arena, "view");
        reply->element[2 * db->member_count + 1] = reply_number(arena, db->view);
    }
    return reply;
}

static redisReply *number_or_nil(struct reply_arena *arena, bool there, uint64_t value)
{
    return there ? reply_number(arena, value) : reply_nil(arena);
}

// HMGET … p s k ks.
static redisReply *get_position(const struct db *db, unsigned number, struct reply_arena *arena)
{
    const struct db_tile *tile = &db->tiles[number];
    char sum[24];
    snprintf(sum, sizeof sum, "%016" PRIx64, tile->checksum);
    redisReply *reply = reply_array(arena, 4);
    reply->element[0] = number_or_nil(arena, tile->pos.seq > 0, tile->pos.epoch);
    reply->element[1] = number_or_nil(arena, tile->pos.seq > 0, tile->pos.seq);
    reply->element[2] = tile->has_checksum ? reply_text(arena, sum) : reply_nil(arena);
    reply->element[3] = number_or_nil(arena, tile->has_checksum, tile->checksum_seq);
    return reply;
}

static void set_field(redisReply *fields, size_t i, struct reply_arena *arena, const char *name, redisReply *value)
{
    fields->element[2 * i] = reply_text(arena, name);
    fields->element[2 * i + 1] = value;
}

static redisReply *entry_of(const struct db_batch *batch, struct reply_arena *arena)
{
    uint8_t updates[3 * 512], users[8 * 512], colors[512], seqs[4 * 512];
    char id[24];
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct db_record *record = &batch->records[i];
        bytes_set_u16(updates + 3 * i, record->offset);
        updates[3 * i + 2] = record->color;
        bytes_set_u64(users + 8 * i, record->user);
        colors[i] = record->previous_color;
        bytes_set_u32(seqs + 4 * i, record->previous_seq);
    }
    snprintf(id, sizeof id, "%" PRIu32 "-0", batch->first + batch->count - 1);
    redisReply *entry = reply_array(arena, 2), *fields = reply_array(arena, 16);
    entry->element[0] = reply_text(arena, id);
    entry->element[1] = fields;
    set_field(fields, 0, arena, "l", reply_text(arena, "1"));
    set_field(fields, 1, arena, "e", reply_number(arena, batch->epoch));
    set_field(fields, 2, arena, "t", reply_number(arena, (uint64_t)batch->landed_ms));
    set_field(fields, 3, arena, "f", reply_number(arena, batch->first));
    set_field(fields, 4, arena, "u", reply_bytes(arena, updates, 3 * (size_t)batch->count));
    set_field(fields, 5, arena, "w", reply_bytes(arena, users, 8 * (size_t)batch->count));
    set_field(fields, 6, arena, "c", reply_bytes(arena, colors, batch->count));
    set_field(fields, 7, arena, "q", reply_bytes(arena, seqs, 4 * (size_t)batch->count));
    return entry;
}

// XRANGE key from + COUNT n.
static redisReply *get_log(const struct db *db, const struct db_call *call, struct reply_arena *arena)
{
    const struct db_tile *tile = &db->tiles[db_tile_of(&call->args[1])];
    uint32_t from = db_is(&call->args[2], "-") ? 0 : (uint32_t)db_number(&call->args[2]);
    uint32_t most = (uint32_t)db_number(&call->args[5]), first = 0;
    while (first < tile->log_count && tile->log[first]->first + tile->log[first]->count - 1 < from)
        first++;
    uint32_t count = tile->log_count - first < most ? tile->log_count - first : most;
    redisReply *reply = reply_array(arena, count);
    for (uint32_t i = 0; i < count; i++)
        reply->element[i] = entry_of(tile->log[first + i], arena);
    return reply;
}

static redisReply *get_info(const struct db *db, struct reply_arena *arena)
{
    return reply_text(arena, db->no_room ? "# Memory\r\nused_memory:95\r\nmaxmemory:100\r\n"
                                         : "# Memory\r\nused_memory:5\r\nmaxmemory:100\r\n");
}

redisReply *db_command(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    const struct redis_arg *name = &call->args[0];
    if (db_is(name, "PING"))
        return reply_text(arena, "PONG");
    if (db_is(name, "TIME"))
        return get_time(now_ms, arena);
    if (db_is(name, "INFO"))
        return get_info(db, arena);
    if (db_is(name, "GET") && strstr(call->args[1].data, "}:n:") != NULL)
        return reply_nil(arena); // nobody has chosen a name
    if (db_is(name, "GET"))
        return get_user(db, db_user_of(&call->args[1]), arena);
    if (db_is(name, "HGETALL") && db_is(&call->args[1], "{cluster}:config"))
        return get_config(db, arena);
    if (db_is(name, "HGETALL") && db_is(&call->args[1], "{cluster}:members"))
        return get_members(db, arena);
    if (db_is(name, "HMGET"))
        return get_position(db, db_tile_of(&call->args[1]), arena);
    if (db_is(name, "XRANGE"))
        return get_log(db, call, arena);
    if (db_is(name, "HDEL")) {
        db_do(db, &(struct db_effect){.type = EFFECT_NO_GATEWAY, .gateway = {.id = db_hex(&call->args[2])}});
        return reply_integer(arena, 1);
    }
    fprintf(stderr, "unexpected command %s\n", (const char *)name->data);
    abort();
}
