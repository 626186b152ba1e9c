// The Redis of the simulation (db.h) against proto/lua on a real redis-server: the same random calls, and the same
// answers, messages and data after each. The clock of the real one is what the test says.
//
//   build/sim-diff [seeds [first [mutant]]]

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

#include "common/core/bytes.h"
#include "proto/keys.h"
#include "proto/limits.h"
#include "tests/sim/db.h"
#include "tests/unit/redis_server.h"

#define TILES 3u
#define USERS 5u
#define ADDRESSES 2u
#define SHARDS 3u
#define CALLS_PER_SEED 120
#define ARGS_MAX 512u
#define TEXT_MAX 65536u
#define MESSAGES_MAX 64u

struct message {
    size_t channel_len, len;
    uint8_t channel[KEY_MAX], bytes[2048];
};

static struct {
    uint64_t random;
    struct redis_server server;
    redisContext *redis, *bus;
    char shas[LUA_SCRIPT_COUNT][41];
    struct db *db;
    int64_t now_ms;
    uint32_t cooldown_ms, guests;
    uint64_t incarnations[SHARDS];
    uint64_t epochs[SHARDS][TILES];        // that each shard thinks it has
    uint64_t epoch;                        // of the last call, if that was a taking
    struct message messages[MESSAGES_MAX]; // of the model, of the last call
    uint32_t message_count;
    // The call that is being made.
    char text[TEXT_MAX];
    size_t text_len;
    struct redis_arg keys[ARGS_MAX], args[ARGS_MAX];
    size_t key_count, arg_count;
    char said[TEXT_MAX]; // it, for a failure
} diff;

static uint64_t below(uint64_t n)
{
    diff.random += 0x9E3779B97F4A7C15u;
    uint64_t x = diff.random;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (x ^ (x >> 31)) % n;
}

// ---- Arguments -----------------------------------------------------------------------------------------------------

static struct redis_arg keep(const void *data, size_t len)
{
    char *at = diff.text + diff.text_len;
    assert_true(diff.text_len + len + 1 < TEXT_MAX);
    memcpy(at, data, len);
    at[len] = '\0';
    diff.text_len += len + 1;
    return (struct redis_arg){at, len};
}

static void start(void)
{
    diff.text_len = diff.key_count = diff.arg_count = 0;
}

static void key(const char *text)
{
    diff.keys[diff.key_count++] = keep(text, strlen(text));
}

static void bytes(const void *data, size_t len)
{
    assert_true(diff.arg_count < ARGS_MAX);
    diff.args[diff.arg_count++] = keep(data, len);
}

static void text(const char *value)
{
    bytes(value, strlen(value));
}

static void number(uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    text(digits);
}

static void hex(uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%016" PRIx64, value);
    text(digits);
}

static void key_of(unsigned tile, enum key_tile what)
{
    char name[KEY_MAX];
    (void)key_tile(name, db_tile_at(tile), what);
    key(name);
}

static void channel(unsigned tile)
{
    char name[KEY_MAX];
    (void)key_tile(name, db_tile_at(tile), KEY_TILE_BUS);
    text(name);
}

// ---- Comparing -----------------------------------------------------------------------------------------------------

static void mismatch(const char *what, const redisReply *real, const redisReply *model)
{
    fprintf(stderr, "%s: real type %d integer %lld \"%s\", model type %d integer %lld \"%s\"\nafter %s\n", what,
            real->type, real->integer, real->str != NULL ? real->str : "", model->type, model->integer,
            model->str != NULL ? model->str : "", diff.said);
    fail_msg("the model answers otherwise");
}

static bool same(const redisReply *real, const redisReply *model)
{
    int type = real->type == REDIS_REPLY_STATUS ? REDIS_REPLY_STRING : real->type;
    if (type != model->type)
        return false;
    if (type == REDIS_REPLY_INTEGER)
        return real->integer == model->integer;
    if (type == REDIS_REPLY_STRING)
        return real->len == model->len && memcmp(real->str, model->str, real->len) == 0;
    if (type == REDIS_REPLY_ERROR)
        return strncmp(real->str, model->str, 4) == 0;
    if (type != REDIS_REPLY_ARRAY)
        return true;
    if (real->elements != model->elements)
        return false;
    for (size_t i = 0; i < real->elements; i++) {
        if (!same(real->element[i], model->element[i]))
            return false;
    }
    return true;
}

// A hash has no order.
static bool same_hash(const redisReply *real, const redisReply *model)
{
    if (real->type != REDIS_REPLY_ARRAY || model->type != REDIS_REPLY_ARRAY || real->elements != model->elements)
        return false;
    for (size_t i = 0; i < real->elements; i += 2) {
        size_t k = 0;
        while (k < model->elements &&
               !(same(real->element[i], model->element[k]) && same(real->element[i + 1], model->element[k + 1])))
            k += 2;
        if (k == model->elements)
            return false;
    }
    return true;
}

static void compare(int script, const redisReply *real, const redisReply *model)
{
    bool hash = script == LUA_SEED || (script < 0 && strcmp(diff.args[0].data, "HGETALL") == 0);
    bool good = hash ? same_hash(real, model) : same(real, model);
    if (script == LUA_TAKE && real->type == REDIS_REPLY_ARRAY && real->elements == 7 && model->elements == 7) {
        good = same_hash(real->element[5], model->element[5]) && same_hash(real->element[6], model->element[6]);
        for (size_t i = 0; i < 5; i++)
            good = good && same(real->element[i], model->element[i]);
    }
    if (!good)
        mismatch("answer", real, model);
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

static void on_published(const char *name, size_t name_len, const void *payload, size_t len, void *arg)
{
    (void)arg;
    assert_true(diff.message_count < MESSAGES_MAX && name_len <= KEY_MAX && len <= sizeof diff.messages[0].bytes);
    struct message *message = &diff.messages[diff.message_count++];
    message->channel_len = name_len;
    message->len = len;
    memcpy(message->channel, name, name_len);
    memcpy(message->bytes, payload, len);
}

static redisReply *real_call(int script)
{
    const char *argv[2 * ARGS_MAX + 3];
    size_t lens[2 * ARGS_MAX + 3], argc = 0;
    char count[12];
    snprintf(count, sizeof count, "%zu", diff.key_count);
    if (script >= 0) {
        const char *head[] = {"EVALSHA", diff.shas[script], count};
        for (size_t i = 0; i < 3; i++) {
            argv[argc] = head[i];
            lens[argc++] = strlen(head[i]);
        }
    }
    for (size_t i = 0; i < diff.key_count + diff.arg_count; i++) {
        const struct redis_arg *arg = i < diff.key_count ? &diff.keys[i] : &diff.args[i - diff.key_count];
        argv[argc] = arg->data;
        lens[argc++] = arg->len;
    }
    redisReply *reply = redisCommandArgv(diff.redis, (int)argc, argv, lens);
    assert_non_null(reply);
    return reply;
}

// What the real one has published since the last time: until the mark.
static void compare_messages(void)
{
    uint32_t i = 0;
    freeReplyObject(redisCommand(diff.redis, "PUBLISH mark x"));
    for (;;) {
        void *got = NULL;
        assert_int_equal(redisGetReply(diff.bus, &got), REDIS_OK);
        redisReply *reply = got;
        bool mark = strcmp(reply->element[2]->str, "mark") == 0;
        if (!mark) {
            const redisReply *name = reply->element[2], *payload = reply->element[3];
            if (i == diff.message_count || name->len != diff.messages[i].channel_len ||
                memcmp(name->str, diff.messages[i].channel, name->len) != 0 || payload->len != diff.messages[i].len ||
                memcmp(payload->str, diff.messages[i].bytes, payload->len) != 0) {
                fprintf(stderr, "message %u on %s after %s\n", i, name->str, diff.said);
                fail_msg("the model publishes otherwise");
            }
            i++;
        }
        freeReplyObject(reply);
        if (mark)
            break;
    }
    if (i != diff.message_count)
        fprintf(stderr, "after %s\n", diff.said);
    assert_int_equal(i, diff.message_count);
}

static void say_call(int script)
{
    size_t len = (size_t)snprintf(diff.said, sizeof diff.said, "script %d at %" PRId64 ":", script, diff.now_ms);
    for (size_t i = 0; i < diff.key_count + diff.arg_count && len + 200 < sizeof diff.said; i++) {
        const struct redis_arg *arg = i < diff.key_count ? &diff.keys[i] : &diff.args[i - diff.key_count];
        len += (size_t)snprintf(diff.said + len, sizeof diff.said - len, " \"%.*s\"", (int)arg->len,
                                (const char *)arg->data);
    }
}

static void call(int script)
{
    struct reply_arena arena = {0};
    const struct db_call of = {script, diff.keys, diff.key_count, diff.args, diff.arg_count};
    diff.message_count = 0;
    say_call(script);
    redisReply *model = db_run(diff.db, diff.now_ms, &of, &arena);
    redisReply *real = real_call(script);
    compare(script, real, model);
    compare_messages();
    diff.epoch = script == LUA_TAKE && model->element[0]->integer == 1 ? (uint64_t)model->element[1]->integer : 0;
    freeReplyObject(real);
    reply_arena_free(&arena);
}

// ---- What is called ------------------------------------------------------------------------------------------------

static void shard_address(unsigned shard)
{
    char address[32];
    snprintf(address, sizeof address, "10.1.0.%u:7000", shard);
    text(address);
}

static void call_membership(int script)
{
    unsigned shard = (unsigned)below(SHARDS);
    start();
    key(KEY_MEMBERS);
    if (script == LUA_BEAT)
        key(KEY_CONFIG);
    if (below(12) == 0)
        diff.incarnations[shard]++;
    shard_address(shard);
    hex(diff.incarnations[shard]);
    if (script == LUA_BEAT)
        number(below(3) == 0 ? 0 : 500);
    text(CHANNEL_CLUSTER);
    call(script);
}

static void call_online(void)
{
    start();
    key(KEY_GATEWAYS);
    key(KEY_MEMBERS);
    key(KEY_CONFIG);
    hex(0xabc0 + below(3));
    number(below(1000));
    call(LUA_ONLINE);
}

static void call_seed(void)
{
    static const char *const names[] = {"width",   "height",   "edge", "cooldown_ms", "guests_per_address",
                                        "palette", "read_only"};
    start();
    key(KEY_CONFIG);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        text(names[i]);
        number(64 + below(3));
    }
    call(LUA_SEED);
}

static void call_take(void)
{
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_DUP0,
                                          KEY_TILE_DUP1, KEY_TILE_LAST, KEY_TILE_LOG};
    unsigned tile = (unsigned)below(TILES), shard = (unsigned)below(SHARDS);
    start();
    for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++)
        key_of(tile, whats[i]);
    hex(diff.incarnations[shard]);
    shard_address(shard);
    number(below(4) == 0 ? below(10) : diff.db->view);
    call(LUA_TAKE);
    if (diff.epoch != 0)
        diff.epochs[shard][tile] = diff.epoch;
}

// One's own epoch, mostly.
static uint64_t epoch_of(unsigned shard, unsigned tile)
{
    return below(10) == 0 ? below(5) : diff.epochs[shard][tile];
}

static unsigned owner_of(unsigned tile)
{
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        if (diff.incarnations[shard] == diff.db->tiles[tile].owner && below(8) > 0)
            return shard;
    }
    return (unsigned)below(SHARDS);
}

static void call_position(void)
{
    unsigned count = 1 + (unsigned)below(TILES), shard = owner_of(0);
    start();
    for (unsigned i = 0; i < count; i++)
        key_of(i, KEY_TILE_META);
    hex(diff.incarnations[shard]);
    for (unsigned i = 0; i < count; i++) {
        number(epoch_of(shard, i));
        number(diff.db->tiles[i].pos.seq + (below(6) == 0));
        hex(below(UINT64_MAX));
        channel(i);
    }
    call(LUA_POSITION);
}

static void call_snapshot(void)
{
    unsigned tile = (unsigned)below(TILES);
    start();
    key_of(tile, KEY_TILE_META);
    key_of(tile, KEY_TILE_PX);
    call(LUA_SNAPSHOT);
}

static void put_check(uint8_t *at, const uint8_t *update, unsigned user, uint16_t address)
{
    uint16_t offset = bytes_get_u16(update);
    uint32_t nonce = diff.db->users[user].nonce;
    nonce = below(3) == 0 ? nonce : nonce + 1 + (below(10) == 0);
    bytes_set_u32(at, nonce);
    at[4] = update[2];
    bytes_set_u16(at + 5, (uint16_t)(offset % 64));
    bytes_set_u16(at + 7, (uint16_t)(offset / 64));
    bytes_set_u16(at + 9, (uint16_t)(user + 1));
    bytes_set_u16(at + 11, address);
}

static void put_windows(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        uint8_t field[16], window[DB_WINDOW_LEN];
        bytes_set_u64(field, 1 + i);
        bytes_set_u64(field + 8, 7 + below(2));
        for (size_t k = 0; k < sizeof window; k++)
            window[k] = (uint8_t)below(256);
        bytes(field, sizeof field);
        bytes(window, sizeof window);
    }
}

static void put_tile(unsigned tile, unsigned shard)
{
    uint8_t updates[3 * 8], users[8 * 8], checks[13 * 8];
    unsigned count = 1 + (unsigned)below(8);
    unsigned windows = diff.cooldown_ms == 0 ? 1 + (unsigned)below(3) : 0;
    uint32_t base = diff.db->tiles[tile].pos.seq + (below(12) == 0);
    for (unsigned i = 0; i < count; i++) {
        unsigned user = (unsigned)below(USERS);
        bytes_set_u16(updates + 3 * i, (uint16_t)below(below(4) == 0 ? DB_TILE_LEN : 6));
        updates[3 * i + 2] = (uint8_t)below(4);
        bytes_set_u64(users + 8 * i, user);
        put_check(checks + 13 * i, updates + 3 * i, user, (uint16_t)below(ADDRESSES + 1));
    }
    number(epoch_of(shard, tile));
    number(base);
    number(count);
    channel(tile);
    bytes(updates, 3 * count);
    bytes(users, 8 * count);
    bytes(checks, diff.cooldown_ms > 0 ? 13 * count : 0);
    number(windows);
    for (unsigned i = 0; i < count; i++) {
        char offset[12];
        snprintf(offset, sizeof offset, "#%u", bytes_get_u16(updates + 3 * i));
        text(offset);
        number(updates[3 * i + 2]);
        number(base + i + 1);
    }
    put_windows(windows);
}

static void call_place(void)
{
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_LAST,
                                          KEY_TILE_LOG,  KEY_TILE_DUP0, KEY_TILE_DUP1};
    unsigned tiles = 1 + (unsigned)below(TILES), shard = owner_of(0);
    char name[KEY_MAX];
    start();
    for (unsigned tile = 0; tile < tiles; tile++) {
        for (size_t i = 0; i < sizeof whats / sizeof whats[0]; i++)
            key_of(tile, whats[i]);
    }
    for (unsigned user = 0; user < USERS && diff.cooldown_ms > 0; user++) {
        (void)key_user(name, user);
        key(name);
    }
    for (unsigned i = 0; i < ADDRESSES && diff.cooldown_ms > 0; i++) {
        snprintf(name, sizeof name, "{a:10.0.0.%u}", i);
        key(name);
    }
    hex(diff.incarnations[shard]);
    number(diff.cooldown_ms);
    number(diff.guests);
    number(tiles);
    number(diff.cooldown_ms > 0 ? USERS : 0);
    for (unsigned tile = 0; tile < tiles; tile++)
        put_tile(tile, shard);
    call(LUA_PLACE);
}

static void call_commands(void)
{
    char name[KEY_MAX];
    start();
    text("HGETALL");
    text(below(2) == 0 ? KEY_MEMBERS : KEY_CONFIG);
    call(-1);
    start();
    text("GET");
    (void)key_user(name, below(USERS));
    text(name);
    call(-1);
    start();
    text("HMGET");
    (void)key_tile(name, db_tile_at((unsigned)below(TILES)), KEY_TILE_META);
    text(name);
    text("p");
    text("s");
    text("k");
    text("ks");
    call(-1);
    start();
    text("XRANGE");
    (void)key_tile(name, db_tile_at((unsigned)below(TILES)), KEY_TILE_LOG);
    text(name);
    uint64_t from = below(20);
    if (from == 0) {
        text("-");
    } else {
        char id[24];
        snprintf(id, sizeof id, "%" PRIu64 "-0", from);
        text(id);
    }
    text("+");
    text("COUNT");
    number(1 + below(12));
    call(-1);
}

static void compare_strings(void)
{
    char name[KEY_MAX];
    for (unsigned i = 0; i < TILES; i++) {
        const struct db_tile *tile = &diff.db->tiles[i];
        uint8_t last[4 * DB_TILE_LEN] = {0};
        for (size_t k = 0; k < tile->last_len / 4; k++) {
            for (size_t b = 0; b < 4; b++)
                last[4 * k + b] = (uint8_t)(tile->last[k] >> (24 - 8 * b));
        }
        (void)key_tile(name, db_tile_at(i), KEY_TILE_PX);
        redisReply *px = redisCommand(diff.redis, "GET %s", name);
        assert_int_equal(px->len, tile->px_len);
        assert_true(px->len == 0 || memcmp(px->str, tile->px, px->len) == 0);
        freeReplyObject(px);
        (void)key_tile(name, db_tile_at(i), KEY_TILE_LAST);
        redisReply *seqs = redisCommand(diff.redis, "GET %s", name);
        assert_true(seqs->len == tile->last_len || tile->last_len == 0);
        assert_true(tile->last_len == 0 || memcmp(seqs->str, last, seqs->len) == 0);
        freeReplyObject(seqs);
    }
}

static void tick(void)
{
    if (below(3) == 0)
        diff.now_ms += (int64_t)below(diff.cooldown_ms > 0 ? diff.cooldown_ms : 400);
    if (below(40) == 0)
        diff.now_ms += (int64_t)below(200000);
    if (below(60) == 0)
        diff.now_ms -= (int64_t)below(30000);
    freeReplyObject(redisCommand(diff.redis, "DEL fake:time"));
    freeReplyObject(redisCommand(diff.redis, "RPUSH fake:time %lld %lld", (long long)(diff.now_ms / 1000),
                                 (long long)(diff.now_ms % 1000 * 1000)));
}

static void something(void)
{
    uint64_t kind = below(100);
    tick();
    if (kind < 6)
        call_membership(LUA_JOIN);
    else if (kind < 14)
        call_membership(LUA_BEAT);
    else if (kind < 17)
        call_membership(LUA_LEAVE);
    else if (kind < 22)
        call_online();
    else if (kind < 24)
        call_seed();
    else if (kind < 36)
        call_take();
    else if (kind < 44)
        call_position();
    else if (kind < 48)
        call_snapshot();
    else if (kind < 56)
        call_commands();
    else
        call_place();
}

static uint64_t first_seed = 1, seed_count = 200;
static enum mutant mutant; // of the model: to see that this test would find it

static void run_seed(uint64_t seed)
{
    static const uint32_t cooldowns[] = {0, 60000, 200000};
    const struct db_observer observer = {.published = on_published};
    diff.random = seed * 1000003;
    diff.db = db_new(&observer);
    diff.db->mutant = mutant;
    diff.now_ms = 1700000000000 + (int64_t)below(240000);
    diff.cooldown_ms = cooldowns[below(3)];
    diff.guests = (uint32_t)below(3);
    memset(diff.epochs, 0, sizeof diff.epochs);
    for (unsigned i = 0; i < SHARDS; i++)
        diff.incarnations[i] = below(UINT64_MAX) | 1;
    freeReplyObject(redisCommand(diff.redis, "FLUSHALL"));
    for (int i = 0; i < CALLS_PER_SEED; i++)
        something();
    compare_strings();
    db_free(diff.db);
}

// ---- The real one --------------------------------------------------------------------------------------------------

// The script with another clock.
static void load(int script)
{
    static const char real[] = "call('TIME')", fake[] = "call('LRANGE', 'fake:time', '0', '1')";
    char changed[32768];
    size_t len = 0;
    for (const char *at = lua_scripts[script]; *at != '\0';) {
        bool clock = strncmp(at, real, sizeof real - 1) == 0;
        const char *from = clock ? fake : at;
        size_t count = clock ? sizeof fake - 1 : 1;
        assert_true(len + count < sizeof changed);
        memcpy(changed + len, from, count);
        len += count;
        at += clock ? sizeof real - 1 : 1;
    }
    redisReply *reply = redisCommand(diff.redis, "SCRIPT LOAD %b", changed, len);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    memcpy(diff.shas[script], reply->str, 41);
    freeReplyObject(reply);
}

static void connect_all(void)
{
    redis_server_init(&diff.server);
    redis_server_start(&diff.server, NULL);
    diff.redis = redisConnect("127.0.0.1", diff.server.port);
    diff.bus = redisConnect("127.0.0.1", diff.server.port);
    assert_true(diff.redis != NULL && diff.redis->err == 0 && diff.bus != NULL && diff.bus->err == 0);
    for (int i = 0; i < LUA_SCRIPT_COUNT; i++)
        load(i);
    freeReplyObject(redisCommand(diff.bus, "PSUBSCRIBE *"));
}

static void test_the_model_is_what_redis_is(void **state)
{
    (void)state;
    connect_all();
    for (uint64_t seed = first_seed; seed < first_seed + seed_count; seed++)
        run_seed(seed);
    redisFree(diff.redis);
    redisFree(diff.bus);
    redis_server_kill(&diff.server);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_model_is_what_redis_is)};
    if (argc > 1)
        seed_count = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    if (argc > 3)
        mutant = mutant_by_name(argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
