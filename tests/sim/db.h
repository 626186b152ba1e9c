// The Redis of the simulation, without its network: the keys of proto/REDIS.md for a small world, the scripts of
// proto/lua written in C, and the append-only file. A differential test holds it against the scripts on a real Redis.
//
// The file is a list of effects; those of one script are one transaction. The data are what the effects come to, so a
// crash or an older copy is a shorter list, played again (db_rewind).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "common/core/geom.h"
#include "common/core/position.h"
#include "common/io/redis_format.h"
#include "proto/lua_scripts.h"
#include "tests/sim/mutant.h"
#include "tests/sim/reply.h"

#define DB_ACROSS 4u // tiles 0 … 3 in each direction
#define DB_TILES (DB_ACROSS * DB_ACROSS)
#define DB_TILE_LEN 4096u // edge 64
#define DB_USERS 64u      // users 0 … 63
#define DB_ADDRESSES 16u  // 10.0.0.0 … 15
#define DB_TIMES 32u      // landing times of an address
#define DB_MEMBERS 16u
#define DB_GATEWAYS 128u
#define DB_NAME 64u
#define DB_CONFIG_FIELDS 32u
#define DB_WINDOW_LEN 40u

struct db_record {
    uint16_t offset;
    uint8_t color;
    uint8_t previous_color;
    uint32_t previous_seq;
    uint64_t user;
};

// One batch on one tile. What the log holds, and what of it a reader gets.
struct db_batch {
    unsigned tile;
    uint64_t epoch, previous_epoch;
    uint64_t incarnation; // of its writer
    int64_t landed_ms;
    uint32_t first, count;
    struct db_record records[];
};

struct db_window {
    uint8_t key[16]; // user, connection
    uint8_t value[DB_WINDOW_LEN];
};

struct db_dup {
    uint64_t generation; // 0 = no such key
    uint32_t count, capacity;
    struct db_window *windows; // in the order of their first write
};

struct db_tile {
    bool taken;
    uint64_t epoch, owner, view;
    char address[DB_NAME];
    struct position pos;
    bool has_checksum;
    uint64_t checksum;
    uint32_t checksum_seq;
    uint32_t px_len, last_len; // of the strings, as BITFIELD has made them
    uint8_t px[DB_TILE_LEN];
    uint32_t last[DB_TILE_LEN];
    const struct db_batch **log;
    uint32_t log_count, log_capacity;
    struct db_dup dups[2];
};

struct db_member {
    char address[DB_NAME];
    uint64_t incarnation;
    int64_t beat_ms;
};

struct db_gateway {
    uint64_t id;
    uint32_t connections;
    int64_t beat_ms;
};

struct db_user {
    bool exists;
    uint8_t color;
    uint16_t x, y;
    uint32_t nonce, seq;
    int64_t landed_ms;
};

struct db_address {
    uint32_t count;
    int64_t times[DB_TIMES];
    int64_t expires_ms;
};

struct db_effect;

// Told of what becomes of the data; any may be NULL.
struct db_observer {
    void (*cleared)(void); // all is forgotten, and will be played back
    void (*took)(unsigned tile, uint64_t epoch, uint64_t incarnation, bool again);
    void (*placed)(const struct db_batch *batch, bool again);       // again: played back after a crash
    void (*summed)(unsigned tile, uint32_t seq, uint64_t checksum); // stored by a position beat
    void (*published)(const char *channel, size_t channel_len, const void *payload, size_t len, void *arg);
    void *arg;
};

struct db {
    struct db_observer observer;
    enum mutant mutant;
    bool no_room; // Redis is at maxmemory: scripts that write are refused
    // Data.
    char *config[DB_CONFIG_FIELDS];
    size_t config_lens[DB_CONFIG_FIELDS];
    uint32_t config_count;
    uint64_t view;
    bool has_members; // a view was ever counted
    struct db_member members[DB_MEMBERS];
    uint32_t member_count;
    struct db_gateway gateways[DB_GATEWAYS];
    uint32_t gateway_count;
    struct db_tile tiles[DB_TILES];
    struct db_user users[DB_USERS];
    struct db_address addresses[DB_ADDRESSES];
    // File.
    struct db_effect *effects;
    uint32_t effect_count, effect_capacity;
    uint32_t transactions; // that it holds
    uint32_t *ends;        // effects after each
    uint32_t end_capacity;
};

struct db *db_new(const struct db_observer *observer);
void db_free(struct db *db);

struct db_call {
    int script; // enum lua_script, or -1: a command, whose name is args[0]
    const struct redis_arg *keys;
    size_t key_count;
    const struct redis_arg *args; // each ends with a NUL that does not count
    size_t arg_count;
};

// Runs it as a whole. What it cannot understand ends the program.
redisReply *db_run(struct db *db, int64_t now_ms, const struct db_call *call, struct reply_arena *arena);

uint32_t db_transactions(const struct db *db);
// Only the first `transactions` are there.
void db_rewind(struct db *db, uint32_t transactions);

// In the configuration, with a new version, which it returns; 0 = there is none yet.
uint32_t db_set_read_only(struct db *db, bool read_only);

// MessagePack as cmsgpack has it.
size_t db_pack_array(uint8_t *to, unsigned count);
size_t db_pack_number(uint8_t *to, uint64_t value);
size_t db_pack_bytes(uint8_t *to, const void *data, size_t len);

unsigned db_tile_number(struct tile tile);
struct tile db_tile_at(unsigned number);
