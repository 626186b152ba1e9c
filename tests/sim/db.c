// The data and the file.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/db_impl.h"

static void *must(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

unsigned db_tile_number(struct tile tile)
{
    if (tile.tx >= DB_ACROSS || tile.ty >= DB_ACROSS)
        abort();
    return tile.ty * DB_ACROSS + tile.tx;
}

struct tile db_tile_at(unsigned number)
{
    return (struct tile){(uint16_t)(number % DB_ACROSS), (uint16_t)(number / DB_ACROSS)};
}

// ---- Effects on the data -------------------------------------------------------------------------------------------

static void do_member(struct db *db, const struct db_member *member)
{
    for (uint32_t i = 0; i < db->member_count; i++) {
        if (strcmp(db->members[i].address, member->address) == 0) {
            db->members[i] = *member;
            return;
        }
    }
    if (db->member_count == DB_MEMBERS)
        abort();
    db->members[db->member_count++] = *member;
}

static void do_no_member(struct db *db, const char *address)
{
    for (uint32_t i = 0; i < db->member_count; i++) {
        if (strcmp(db->members[i].address, address) != 0)
            continue;
        memmove(&db->members[i], &db->members[i + 1], (db->member_count - i - 1) * sizeof db->members[0]);
        db->member_count--;
        return;
    }
}

static void do_gateway(struct db *db, const struct db_gateway *gateway)
{
    uint32_t i = 0;
    while (i < db->gateway_count && db->gateways[i].id != gateway->id)
        i++;
    if (i == DB_GATEWAYS)
        abort();
    db->gateways[i] = *gateway;
    db->gateway_count += i == db->gateway_count;
}

static void do_no_gateway(struct db *db, uint64_t id)
{
    for (uint32_t i = 0; i < db->gateway_count; i++) {
        if (db->gateways[i].id == id)
            db->gateways[i] = db->gateways[--db->gateway_count];
    }
}

// BITFIELD makes the string as long as it has to be.
static void lengthen(uint32_t *len, uint32_t at_least)
{
    if (*len < at_least)
        *len = at_least;
}

static void do_place(struct db *db, struct db_batch *batch)
{
    struct db_tile *tile = &db->tiles[batch->tile];
    for (uint32_t i = 0; i < batch->count; i++) {
        struct db_record *record = &batch->records[i];
        record->previous_color = tile->px[record->offset];
        record->previous_seq = tile->last[record->offset];
        tile->px[record->offset] = record->color;
        tile->last[record->offset] = batch->first + i;
        lengthen(&tile->px_len, record->offset + 1u);
        lengthen(&tile->last_len, (record->offset + 1u) * 4u);
    }
    tile->pos = (struct position){batch->epoch, batch->first + batch->count - 1};
    if (tile->log_count == tile->log_capacity) {
        tile->log_capacity = tile->log_capacity == 0 ? 64 : 2 * tile->log_capacity;
        tile->log = must(realloc(tile->log, tile->log_capacity * sizeof tile->log[0]));
    }
    tile->log[tile->log_count++] = batch;
}

static void put_window(struct db_dup *dup, const struct db_window *window)
{
    for (uint32_t i = 0; i < dup->count; i++) {
        if (memcmp(dup->windows[i].key, window->key, sizeof window->key) == 0) {
            dup->windows[i] = *window;
            return;
        }
    }
    if (dup->count == dup->capacity) {
        dup->capacity = dup->capacity == 0 ? 16 : 2 * dup->capacity;
        dup->windows = must(realloc(dup->windows, dup->capacity * sizeof dup->windows[0]));
    }
    dup->windows[dup->count++] = *window;
}

static void do_dup(struct db_dup *dup, const struct db_effect *effect)
{
    const struct db_window *windows = effect->more;
    if (dup->generation != effect->dup.generation)
        dup->count = 0;
    dup->generation = effect->dup.generation;
    for (uint32_t i = 0; i < effect->dup.count; i++)
        put_window(dup, &windows[i]);
}

static void do_take(struct db_tile *tile, const struct db_effect *effect)
{
    tile->taken = true;
    tile->epoch = effect->take.epoch;
    tile->owner = effect->take.owner;
    tile->view = effect->take.view;
    memcpy(tile->address, effect->take.address, sizeof tile->address);
}

static void do_effect(struct db *db, const struct db_effect *effect, bool again)
{
    const struct db_observer *observer = &db->observer;
    struct db_tile *tile = &db->tiles[effect->number % DB_TILES];
    switch (effect->type) {
    case EFFECT_CONFIG: // what was seeded stays the same in all histories
        break;
    case EFFECT_MEMBER:
        do_member(db, &effect->member);
        break;
    case EFFECT_NO_MEMBER:
        do_no_member(db, effect->member.address);
        break;
    case EFFECT_VIEW:
        db->view = effect->view;
        db->has_members = true;
        break;
    case EFFECT_GATEWAY:
        do_gateway(db, &effect->gateway);
        break;
    case EFFECT_NO_GATEWAY:
        do_no_gateway(db, effect->gateway.id);
        break;
    case EFFECT_TAKE:
        do_take(tile, effect);
        if (observer->took != NULL)
            observer->took(effect->number, effect->take.epoch, effect->take.owner, again);
        break;
    case EFFECT_CHECKSUM:
        tile->has_checksum = true;
        tile->checksum = effect->checksum.checksum;
        tile->checksum_seq = effect->checksum.seq;
        if (observer->summed != NULL)
            observer->summed(effect->number, tile->checksum_seq, tile->checksum);
        break;
    case EFFECT_PLACE:
        do_place(db, effect->more);
        if (observer->placed != NULL)
            observer->placed(effect->more, again);
        break;
    case EFFECT_DUP:
        do_dup(&tile->dups[effect->dup.which], effect);
        break;
    case EFFECT_USER:
        db->users[effect->number] = effect->user;
        break;
    case EFFECT_ADDRESS:
        memcpy(&db->addresses[effect->number], effect->more, sizeof db->addresses[0]);
        break;
    }
}

void db_do(struct db *db, const struct db_effect *effect)
{
    if (db->effect_count == db->effect_capacity) {
        db->effect_capacity = db->effect_capacity == 0 ? 1024 : 2 * db->effect_capacity;
        db->effects = must(realloc(db->effects, db->effect_capacity * sizeof db->effects[0]));
    }
    db->effects[db->effect_count++] = *effect;
    do_effect(db, effect, false);
}

void db_commit(struct db *db)
{
    uint32_t before = db->transactions > 0 ? db->ends[db->transactions - 1] : 0;
    if (db->effect_count == before)
        return;
    if (db->transactions == db->end_capacity) {
        db->end_capacity = db->end_capacity == 0 ? 1024 : 2 * db->end_capacity;
        db->ends = must(realloc(db->ends, db->end_capacity * sizeof db->ends[0]));
    }
    db->ends[db->transactions++] = db->effect_count;
}

uint32_t db_transactions(const struct db *db)
{
    return db->transactions;
}

static void clear_data(struct db *db)
{
    db->view = 0;
    db->has_members = false;
    db->member_count = db->gateway_count = 0;
    memset(db->users, 0, sizeof db->users);
    memset(db->addresses, 0, sizeof db->addresses);
    for (unsigned i = 0; i < DB_TILES; i++) {
        struct db_tile *tile = &db->tiles[i];
        if (!tile->taken)
            continue;
        struct db_tile cleared = {.log = tile->log, .log_capacity = tile->log_capacity};
        for (int which = 0; which < 2; which++) {
            cleared.dups[which].windows = tile->dups[which].windows;
            cleared.dups[which].capacity = tile->dups[which].capacity;
        }
        *tile = cleared;
    }
}

void db_rewind(struct db *db, uint32_t transactions)
{
    uint32_t kept = transactions > 0 ? db->ends[transactions - 1] : 0;
    clear_data(db);
    if (db->observer.cleared != NULL)
        db->observer.cleared();
    for (uint32_t i = kept; i < db->effect_count; i++)
        free(db->effects[i].more);
    db->transactions = transactions;
    db->effect_count = kept;
    for (uint32_t i = 0; i < kept; i++)
        do_effect(db, &db->effects[i], true);
}

// ---- Life ----------------------------------------------------------------------------------------------------------

struct db *db_new(const struct db_observer *observer)
{
    struct db *db = must(calloc(1, sizeof *db));
    db->observer = *observer;
    return db;
}

void db_free(struct db *db)
{
    if (db == NULL)
        return;
    for (uint32_t i = 0; i < db->effect_count; i++)
        free(db->effects[i].more);
    for (unsigned i = 0; i < DB_TILES; i++) {
        free(db->tiles[i].log);
        free(db->tiles[i].dups[0].windows);
        free(db->tiles[i].dups[1].windows);
    }
    for (uint32_t i = 0; i < db->config_count; i++)
        free(db->config[i]);
    free(db->effects);
    free(db->ends);
    free(db);
}

redisReply *db_run(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena)
{
    redisReply *reply;
    if (call->script < 0)
        reply = db_command(db, now_ms, call, arena);
    else if (call->script == LUA_PLACE)
        reply = db_place(db, now_ms, call, arena);
    else
        reply = db_script(db, now_ms, call, arena);
    db_commit(db);
    return reply;
}

// ---- Reading arguments ---------------------------------------------------------------------------------------------

uint64_t db_number(const struct redis_arg *arg)
{
    return strtoull(arg->data, NULL, 10);
}

uint64_t db_hex(const struct redis_arg *arg)
{
    return strtoull(arg->data, NULL, 16);
}

bool db_is(const struct redis_arg *arg, const char *text)
{
    return arg->len == strlen(text) && memcmp(arg->data, text, arg->len) == 0;
}

static const char *after(const struct redis_arg *key, const char *prefix)
{
    size_t len = strlen(prefix);
    if (key->len < len || memcmp(key->data, prefix, len) != 0) {
        fprintf(stderr, "unexpected key %s\n", (const char *)key->data);
        abort();
    }
    return (const char *)key->data + len;
}

unsigned db_tile_of(const struct redis_arg *key)
{
    char *end;
    unsigned long tx = strtoul(after(key, "{t:"), &end, 10);
    unsigned long ty = strtoul(end + 1, NULL, 10);
    return db_tile_number((struct tile){(uint16_t)tx, (uint16_t)ty});
}

unsigned db_user_of(const struct redis_arg *key)
{
    const char *at = strchr(after(key, "{u:"), ':');
    unsigned long long user = strtoull(at + 1, NULL, 16);
    if (user >= DB_USERS)
        abort();
    return (unsigned)user;
}

unsigned db_address_of(const struct redis_arg *key)
{
    unsigned long number = strtoul(after(key, "{a:10.0.0."), NULL, 10);
    if (number >= DB_ADDRESSES)
        abort();
    return (unsigned)number;
}

// ---- The bus -------------------------------------------------------------------------------------------------------

void db_publish(struct db *db, const struct redis_arg *channel, const void *payload, size_t len)
{
    if (db->observer.published != NULL)
        db->observer.published(channel->data, channel->len, payload, len, db->observer.arg);
}

static size_t big_endian(uint8_t *to, uint8_t head, uint64_t value, size_t len)
{
    to[0] = head;
    for (size_t i = 0; i < len; i++)
        to[1 + i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    return 1 + len;
}

size_t db_pack_array(uint8_t *to, unsigned count)
{
    to[0] = (uint8_t)(0x90 | count);
    return 1;
}

size_t db_pack_number(uint8_t *to, uint64_t value)
{
    if (value < 128) {
        to[0] = (uint8_t)value;
        return 1;
    }
    if (value < 256)
        return big_endian(to, 0xcc, value, 1);
    if (value < 65536)
        return big_endian(to, 0xcd, value, 2);
    return value <= UINT32_MAX ? big_endian(to, 0xce, value, 4) : big_endian(to, 0xcf, value, 8);
}

size_t db_pack_bytes(uint8_t *to, const void *data, size_t len)
{
    size_t head = 1;
    if (len < 32)
        to[0] = (uint8_t)(0xa0 | len);
    else if (len < 256)
        head = big_endian(to, 0xd9, len, 1);
    else
        head = big_endian(to, 0xda, len, 2);
    memcpy(to + head, data, len);
    return head + len;
}
