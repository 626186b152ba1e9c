// place.lua, step by step.

#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "proto/limits.h"
#include "proto/verdict.h"
#include "tests/sim/db_impl.h"

#define TILE_KEYS 6u
#define HEAD_LEN 5u
#define TILE_HEAD_LEN 8u
#define CHECK_LEN 13u
#define GENERATION_MS 120000
#define FENCED 1
#define REWOUND 2

struct place_draw {
    bool placed;
    uint8_t verdict;
    uint32_t seq, next_nonce, wait_ms;
};

struct place_tile {
    unsigned number;
    const struct redis_arg *head;    // TILE_HEAD_LEN of it
    const struct redis_arg *windows; // connections times two
    uint32_t count, connections, base;
    uint64_t epoch;
    int status;
    bool all;
    uint32_t accepted;
    struct place_draw *draws;
    const struct db_batch *batch;
};

struct place_user {
    bool read, changed;
    struct db_user record;
};

struct place_address {
    bool read, changed;
    struct db_address times;
};

struct place_run {
    struct db *db;
    const struct db_call *call;
    int64_t now_ms;
    uint64_t owner;
    int64_t cooldown_ms;
    uint32_t allowance, tile_count, user_count;
    struct place_tile tiles[LIMIT_BATCH_DRAWS];
    struct place_user users[DB_USERS]; // by the number in the batch
    struct place_address addresses[DB_ADDRESSES];
    struct place_draw draws[LIMIT_BATCH_DRAWS];
};

static void read_tiles(struct place_run *run)
{
    const struct redis_arg *at = run->call->args + HEAD_LEN;
    uint32_t draws = 0;
    for (uint32_t i = 0; i < run->tile_count; i++) {
        struct place_tile *tile = &run->tiles[i];
        *tile = (struct place_tile){
            .number = db_tile_of(&run->call->keys[TILE_KEYS * i]),
            .head = at,
            .epoch = db_number(&at[0]),
            .base = (uint32_t)db_number(&at[1]),
            .count = (uint32_t)db_number(&at[2]),
            .connections = (uint32_t)db_number(&at[7]),
            .all = true,
        };
        tile->draws = run->draws + draws;
        draws += tile->count;
        tile->windows = at + TILE_HEAD_LEN + 3 * (size_t)tile->count;
        at = tile->windows + 2 * (size_t)tile->connections;
        if (draws > LIMIT_BATCH_DRAWS)
            abort();
    }
}

static void fence(struct place_run *run, struct place_tile *tile)
{
    const struct db_tile *stored = &run->db->tiles[tile->number];
    bool ours = stored->taken && stored->epoch == tile->epoch && stored->owner == run->owner;
    if (!ours && run->db->mutant != MUTANT_NO_FENCE)
        tile->status = FENCED;
    else if (stored->pos.seq != tile->base)
        tile->status = run->db->mutant == MUTANT_NO_FENCE ? 0 : REWOUND;
    if (run->db->mutant == MUTANT_NO_FENCE)
        tile->base = stored->pos.seq;
}

// ---- Checks --------------------------------------------------------------------------------------------------------

static struct place_user *user_of(struct place_run *run, uint32_t number)
{
    struct place_user *user = &run->users[number - 1];
    if (!user->read) {
        user->read = true;
        user->record = run->db->users[db_user_of(&run->call->keys[run->tile_count * TILE_KEYS + number - 1])];
        if (user->record.exists && user->record.landed_ms > run->now_ms) {
            user->record.landed_ms = run->now_ms;
            user->changed = true;
        }
    }
    return user;
}

static uint32_t wait_of(const struct place_run *run, const struct place_user *user)
{
    int64_t wait_ms = user->record.landed_ms + run->cooldown_ms - run->now_ms;
    if (run->db->mutant == MUTANT_COOLDOWN_SHORT)
        wait_ms -= 20;
    if (!user->record.exists || wait_ms < 0)
        return 0;
    return (uint32_t)wait_ms;
}

static struct place_address *address_of(struct place_run *run, uint32_t number)
{
    struct place_address *address = &run->addresses[number - 1];
    if (address->read)
        return address;
    address->read = true;
    const struct redis_arg *key = &run->call->keys[run->tile_count * TILE_KEYS + run->user_count + number - 1];
    const struct db_address *stored = &run->db->addresses[db_address_of(key)];
    address->times.count = 0;
    if (stored->expires_ms <= run->now_ms)
        return address;
    for (uint32_t i = 0; i < stored->count; i++) {
        int64_t landed_ms = stored->times[i];
        if (landed_ms > run->now_ms) {
            landed_ms = run->now_ms;
            address->changed = true;
        }
        if (landed_ms + run->cooldown_ms > run->now_ms)
            address->times.times[address->times.count++] = landed_ms;
    }
    return address;
}

// true when the address may have one more.
static bool spend(struct place_run *run, struct place_address *address, struct place_draw *draw)
{
    struct db_address *times = &address->times;
    if (times->count >= run->allowance) {
        draw->verdict = VERDICT_ALLOWANCE;
        draw->wait_ms = (uint32_t)(times->times[times->count - run->allowance] + run->cooldown_ms - run->now_ms);
        return false;
    }
    if (times->count == DB_TIMES)
        abort();
    times->times[times->count++] = run->now_ms;
    address->changed = true;
    return true;
}

// true when the draw may go on; else its verdict is known.
static bool reserve(struct place_run *run, const struct place_user *user, const uint8_t *check, struct place_draw *draw)
{
    const struct db_user *record = &user->record;
    uint32_t nonce = bytes_get_u32(check);
    bool same =
        record->color == check[4] && record->x == bytes_get_u16(check + 5) && record->y == bytes_get_u16(check + 7);
    *draw = (struct place_draw){.next_nonce = record->nonce + 1, .wait_ms = wait_of(run, user)};
    bool again = record->exists && nonce == record->nonce && same;
    if (again && run->db->mutant == MUTANT_DUPLICATES)
        return true;
    if (again) {
        draw->verdict = VERDICT_PLACED;
        draw->seq = record->seq;
    } else if (nonce != record->nonce + 1) {
        draw->verdict = VERDICT_STALE;
    } else if (draw->wait_ms > 0) {
        draw->verdict = VERDICT_COOLDOWN;
    } else {
        return true;
    }
    return false;
}

static void check_draw(struct place_run *run, struct place_tile *tile, uint32_t i)
{
    const uint8_t *check = (const uint8_t *)tile->head[6].data + (size_t)CHECK_LEN * i;
    struct place_user *user = user_of(run, bytes_get_u16(check + 9));
    uint16_t address = bytes_get_u16(check + 11);
    struct place_draw *draw = &tile->draws[i];
    bool good = reserve(run, user, check, draw);
    if (good && run->allowance > 0 && address > 0)
        good = spend(run, address_of(run, address), draw);
    if (!good) {
        tile->all = false;
        return;
    }
    uint32_t seq = tile->base + ++tile->accepted;
    user->changed = true;
    user->record = (struct db_user){.exists = true,
                                    .color = check[4],
                                    .x = bytes_get_u16(check + 5),
                                    .y = bytes_get_u16(check + 7),
                                    .nonce = bytes_get_u32(check),
                                    .seq = seq,
                                    .landed_ms = run->now_ms};
    *draw = (struct place_draw){.placed = true,
                                .verdict = VERDICT_PLACED,
                                .seq = seq,
                                .next_nonce = user->record.nonce + 1,
                                .wait_ms = (uint32_t)run->cooldown_ms};
}

static void check(struct place_run *run, struct place_tile *tile)
{
    for (uint32_t i = 0; i < tile->count; i++)
        check_draw(run, tile, i);
}

// ---- Writes --------------------------------------------------------------------------------------------------------

static void remember(struct place_run *run, const struct place_tile *tile)
{
    uint64_t generation = (uint64_t)(run->now_ms / GENERATION_MS);
    struct db_window *windows = calloc(tile->connections, sizeof *windows);
    if (windows == NULL)
        abort();
    for (uint32_t i = 0; i < tile->connections; i++) {
        memcpy(windows[i].key, tile->windows[2 * i].data, sizeof windows[i].key);
        memcpy(windows[i].value, tile->windows[2 * i + 1].data, sizeof windows[i].value);
    }
    struct db_effect effect = {.type = EFFECT_DUP, .number = tile->number, .more = windows};
    effect.dup.which = generation % 2;
    effect.dup.generation = generation;
    effect.dup.count = tile->connections;
    db_do(run->db, &effect);
}

static void publish(struct place_run *run, const struct place_tile *tile, const struct db_batch *batch)
{
    uint8_t updates[3 * LIMIT_BATCH_DRAWS], message[3 * LIMIT_BATCH_DRAWS + 64];
    for (uint32_t i = 0; i < batch->count; i++) {
        bytes_set_u16(updates + 3 * i, batch->records[i].offset);
        updates[3 * i + 2] = batch->records[i].color;
    }
    size_t len = db_pack_array(message, 5);
    len += db_pack_number(message + len, 1);
    len += db_pack_number(message + len, batch->previous_epoch);
    len += db_pack_number(message + len, batch->epoch);
    len += db_pack_number(message + len, batch->first);
    len += db_pack_bytes(message + len, updates, 3 * (size_t)batch->count);
    db_publish(run->db, &tile->head[3], message, len);
}

static void apply(struct place_run *run, struct place_tile *tile)
{
    bool checked = run->cooldown_ms > 0;
    bool first = run->db->mutant == MUTANT_WRITE_FIRST;
    uint32_t count = checked && !first ? tile->accepted : tile->count;
    if (count == 0)
        return;
    struct db_batch *batch = calloc(1, sizeof *batch + count * sizeof batch->records[0]);
    if (batch == NULL)
        abort();
    batch->tile = tile->number;
    batch->epoch = tile->epoch;
    batch->previous_epoch = run->db->tiles[tile->number].pos.epoch;
    batch->incarnation = run->owner;
    batch->landed_ms = run->now_ms;
    batch->first = tile->base + 1;
    for (uint32_t i = 0; i < tile->count; i++) {
        const uint8_t *update = (const uint8_t *)tile->head[4].data + 3 * (size_t)i;
        const uint8_t *user = (const uint8_t *)tile->head[5].data + 8 * (size_t)i;
        if (checked && !first && !tile->draws[i].placed)
            continue;
        batch->records[batch->count++] =
            (struct db_record){.offset = bytes_get_u16(update), .color = update[2], .user = bytes_get_u64(user)};
    }
    tile->batch = batch;
    db_do(run->db, &(struct db_effect){.type = EFFECT_PLACE, .number = tile->number, .more = batch});
    if (tile->connections > 0)
        remember(run, tile);
}

static void commit(struct place_run *run)
{
    for (uint32_t i = 0; i < run->user_count; i++) {
        unsigned number = db_user_of(&run->call->keys[run->tile_count * TILE_KEYS + i]);
        if (run->users[i].changed)
            db_do(run->db, &(struct db_effect){.type = EFFECT_USER, .number = number, .user = run->users[i].record});
    }
    size_t first = run->tile_count * TILE_KEYS + run->user_count;
    for (size_t i = 0; first + i < run->call->key_count; i++) {
        struct place_address *address = &run->addresses[i];
        if (!address->changed)
            continue;
        struct db_address *copy = malloc(sizeof *copy);
        if (copy == NULL)
            abort();
        *copy = address->times;
        copy->expires_ms = run->now_ms + run->cooldown_ms;
        db_do(run->db, &(struct db_effect){
                           .type = EFFECT_ADDRESS, .number = db_address_of(&run->call->keys[first + i]), .more = copy});
    }
}

// ---- The reply -----------------------------------------------------------------------------------------------------

static redisReply *colors_of(const struct place_tile *tile, struct reply_arena *arena)
{
    uint8_t colors[LIMIT_BATCH_DRAWS];
    uint32_t count = tile->batch != NULL ? tile->batch->count : 0;
    for (uint32_t i = 0; i < count; i++)
        colors[i] = tile->batch->records[i].previous_color;
    return reply_bytes(arena, colors, count);
}

static redisReply *verdicts_of(const struct place_tile *tile, bool checked, struct reply_arena *arena)
{
    uint8_t bytes[14 * LIMIT_BATCH_DRAWS];
    if (tile->status != 0 || !checked || tile->all)
        return reply_text(arena, "");
    for (uint32_t i = 0; i < tile->count; i++) {
        const struct place_draw *draw = &tile->draws[i];
        uint8_t *at = bytes + 14 * (size_t)i;
        at[0] = draw->placed;
        at[1] = draw->verdict;
        bytes_set_u32(at + 2, draw->seq);
        bytes_set_u32(at + 6, draw->next_nonce);
        bytes_set_u32(at + 10, draw->wait_ms);
    }
    return reply_bytes(arena, bytes, 14 * (size_t)tile->count);
}

// The first write of a script is refused when there is no room.
static bool writes(const struct place_run *run)
{
    for (uint32_t i = 0; i < run->tile_count; i++) {
        const struct place_tile *tile = &run->tiles[i];
        if (tile->status == 0 && (run->cooldown_ms == 0 || tile->accepted > 0))
            return true;
    }
    return false;
}

redisReply *db_place(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    static struct place_run run; // large
    run.db = db;
    run.call = call;
    run.now_ms = now_ms;
    run.owner = db_hex(&call->args[0]);
    run.cooldown_ms = (int64_t)db_number(&call->args[1]);
    run.allowance = (uint32_t)db_number(&call->args[2]);
    run.tile_count = (uint32_t)db_number(&call->args[3]);
    run.user_count = (uint32_t)db_number(&call->args[4]);
    memset(run.users, 0, sizeof run.users);
    memset(run.addresses, 0, sizeof run.addresses);
    read_tiles(&run);
    redisReply *reply = reply_array(arena, 3 * (size_t)run.tile_count);
    for (uint32_t i = 0; i < run.tile_count; i++)
        fence(&run, &run.tiles[i]);
    for (uint32_t i = 0; i < run.tile_count && run.cooldown_ms > 0; i++) {
        if (run.tiles[i].status == 0)
            check(&run, &run.tiles[i]);
    }
    if (db->no_room && writes(&run))
        return reply_error(arena, DB_NO_ROOM);
    for (uint32_t i = 0; i < run.tile_count; i++) {
        struct place_tile *tile = &run.tiles[i];
        if (tile->status == 0)
            apply(&run, tile);
        reply->element[3 * i] = reply_integer(arena, tile->status);
        reply->element[3 * i + 1] = colors_of(tile, arena);
        reply->element[3 * i + 2] = verdicts_of(tile, run.cooldown_ms > 0, arena);
    }
    commit(&run);
    for (uint32_t i = 0; i < run.tile_count; i++) {
        if (run.tiles[i].batch != NULL)
            publish(&run, &run.tiles[i], run.tiles[i].batch);
    }
    return reply;
}
