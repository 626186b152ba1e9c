// What the files of db.h share. Not for others.
#pragma once

#include "tests/sim/db.h"

enum db_effect_type {
    EFFECT_CONFIG,
    EFFECT_MEMBER,
    EFFECT_NO_MEMBER,
    EFFECT_VIEW,
    EFFECT_GATEWAY,
    EFFECT_NO_GATEWAY,
    EFFECT_TAKE,
    EFFECT_CHECKSUM,
    EFFECT_PLACE,
    EFFECT_DUP,
    EFFECT_USER,
    EFFECT_ADDRESS,
};

#define DB_NO_ROOM "OOM command not allowed when used memory > 'maxmemory'."

struct db_effect {
    enum db_effect_type type;
    unsigned number; // tile, user, address
    union {
        struct db_member member;
        struct db_gateway gateway;
        uint64_t view;
        struct {
            uint64_t epoch, owner, view;
            char address[DB_NAME];
        } take;
        struct {
            uint64_t checksum;
            uint32_t seq;
        } checksum;
        struct {
            unsigned which;
            uint64_t generation;
            uint32_t count;
        } dup;
        struct db_user user;
    };
    void *more; // PLACE: struct db_batch; DUP: windows; ADDRESS: struct db_address; CONFIG: none
};

// Becomes part of the file and of the data. Takes `more` over.
void db_do(struct db *db, const struct db_effect *effect);
// The transaction ends.
void db_commit(struct db *db);

uint64_t db_number(const struct redis_arg *arg);
uint64_t db_hex(const struct redis_arg *arg);
bool db_is(const struct redis_arg *arg, const char *text);
// Of a key: its tile and what it is ("meta" …), or its user, or its address.
unsigned db_tile_of(const struct redis_arg *key);
unsigned db_user_of(const struct redis_arg *key);
unsigned db_address_of(const struct redis_arg *key);
void db_publish(struct db *db, const struct redis_arg *channel, const void *payload, size_t len);

redisReply *db_place(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena);
redisReply *db_script(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena);
redisReply *db_command(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena);
