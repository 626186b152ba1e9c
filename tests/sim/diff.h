// What the parts of the comparison (diff.c) share: the call that is made on both sides.
#pragma once

#include "tests/unit/check.h"

#include "proto/keys.h"
#include "tests/sim/db.h"
#include "tests/unit/redis_server.h"

#define DIFF_TILES 3u
#define DIFF_USERS 5u
#define DIFF_ADDRESSES 2u
#define DIFF_SHARDS 3u
#define ARGS_MAX 512u
#define TEXT_MAX 65536u
#define MESSAGES_MAX 64u

struct diff_message {
    size_t channel_len, len;
    uint8_t channel[KEY_MAX], bytes[2048];
};

struct diff {
    uint64_t random;
    struct redis_server server;
    redisContext *redis, *bus;
    char shas[LUA_SCRIPT_COUNT][41];
    struct db *db;
    int64_t now_ms;
    uint32_t cooldown_ms, guests;
    uint64_t incarnations[DIFF_SHARDS];
    uint64_t epochs[DIFF_SHARDS][DIFF_TILES];   // that each shard thinks it has
    uint64_t epoch;                             // of the last call, if that was a taking
    struct diff_message messages[MESSAGES_MAX]; // of the model, of the last call
    uint32_t message_count;
    // The call that is being made.
    char text[TEXT_MAX];
    size_t text_len;
    struct redis_arg keys[ARGS_MAX], args[ARGS_MAX];
    size_t key_count, arg_count;
    char said[TEXT_MAX]; // it, for a failure
};

extern struct diff diff;

uint64_t diff_below(uint64_t n);

// diff_call.c: a new call; its keys and arguments, one after the other; and it is made, and compared.
void diff_start(void);
void diff_key(const char *text);
void diff_key_of(unsigned tile, enum key_tile what);
void diff_bytes(const void *data, size_t len);
void diff_text(const char *value);
void diff_number(uint64_t value);
void diff_hex(uint64_t value);
void diff_channel(unsigned tile);
// What the model publishes meanwhile: its observer.
void diff_on_published(const char *name, size_t name_len, const void *payload, size_t len, void *arg);
// A script of LUA_; -1: the first argument is a command.
void diff_call(int script);

// diff_random.c: any script or command, with arguments that are right most of the time.
void diff_something(void);
