// The Redis of the simulation (db.h) against proto/lua on a real redis-server: the same random calls, and the same
// answers, messages and data after each. The clock of the real one is what the test says.
//
//   build/sim-diff [seeds [first [mutant]]]

#include "tests/sim/diff.h"

#include <stdio.h>
#include <stdlib.h>

#define CALLS_PER_SEED 120

struct diff diff;

uint64_t diff_below(uint64_t n)
{
    diff.random += 0x9E3779B97F4A7C15u;
    uint64_t x = diff.random;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return (x ^ (x >> 31)) % n;
}

// ---- Seeds ---------------------------------------------------------------------------------------------------------

static uint64_t first_seed = 1, seed_count = 200;
static enum mutant mutant; // of the model: to see that this test would find it

static void compare_strings(void)
{
    char name[KEY_MAX];
    for (unsigned i = 0; i < DIFF_TILES; i++) {
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

static void run_seed(uint64_t seed)
{
    static const uint32_t cooldowns[] = {0, 60000, 200000};
    const struct db_observer observer = {.published = diff_on_published};
    diff.random = seed * 1000003;
    diff.db = db_new(&observer);
    diff.db->mutant = mutant;
    diff.now_ms = 1700000000000 + (int64_t)diff_below(240000);
    diff.cooldown_ms = cooldowns[diff_below(3)];
    diff.guests = (uint32_t)diff_below(3);
    memset(diff.epochs, 0, sizeof diff.epochs);
    for (unsigned i = 0; i < DIFF_SHARDS; i++)
        diff.incarnations[i] = diff_below(UINT64_MAX) | 1;
    freeReplyObject(redisCommand(diff.redis, "FLUSHALL"));
    for (int i = 0; i < CALLS_PER_SEED; i++)
        diff_something();
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
