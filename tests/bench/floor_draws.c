// The floor of draws: place.lua called by a program that does nothing else, with batches that are always full.
//
//   floor-draws --redis PORT [--batch N] [--tiles N] [--in-flight N] [--seconds S]
//
// Takes the tiles of a canvas of its own (an empty Redis is expected), places random pixels with cooldown 0, and prints
// one line of JSON: draws, seconds, draws per second, and how long one call took.
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/core/hist.h"
#include "common/core/mix.h"
#include "common/core/monotime.h"
#include "common/io/loop.h"
#include "proto/limits.h"
#include "proto/lua_scripts.h"

#define INCARNATION "0123456789abcdef"
#define EPOCH "1700000000000"
#define TILES_MAX 256u
#define IN_FLIGHT_MAX 64u
#define KEYS_PER_TILE 6u
#define HEAD_ARGS 8u
#define WINDOW_LEN 40u
#define EDGE2 65536u

struct tile {
    char keys[KEYS_PER_TILE][32];
    char channel[32];
    uint32_t seq, nonce;
};

// The arguments of one call, made anew for each.
struct call {
    const char *argv[3 + 5 + TILES_MAX * (KEYS_PER_TILE + HEAD_ARGS + 2) + 3 * LIMIT_BATCH_DRAWS];
    size_t len[3 + 5 + TILES_MAX * (KEYS_PER_TILE + HEAD_ARGS + 2) + 3 * LIMIT_BATCH_DRAWS];
    int argc;
    char text[TILES_MAX * 64 + LIMIT_BATCH_DRAWS * 40];
    size_t text_len;
    uint8_t columns[LIMIT_BATCH_DRAWS * 11];
    uint8_t window[WINDOW_LEN];
};

struct bench {
    redisContext *redis;
    char sha[48];
    struct tile tiles[TILES_MAX];
    uint32_t batch, tile_count, in_flight;
    uint64_t random;
    struct call call;
    struct monotime sent[IN_FLIGHT_MAX];
    struct hist call_us;
    uint64_t draws;
};

static void die(const struct bench *bench, const char *what)
{
    (void)fprintf(stderr, "floor-draws: %s: %s\n", what, bench->redis != NULL ? bench->redis->errstr : "");
    exit(1);
}

static void check(const struct bench *bench, redisReply *reply, const char *what)
{
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        (void)fprintf(stderr, "%s\n", reply != NULL ? reply->str : "no reply");
        die(bench, what);
    }
    freeReplyObject(reply);
}

static void set_up(struct bench *bench, int port)
{
    static const char *const suffixes[KEYS_PER_TILE] = {"meta", "px", "last", "log", "dup0", "dup1"};
    bench->redis = redisConnect("127.0.0.1", port);
    if (bench->redis == NULL || bench->redis->err != 0)
        die(bench, "connect");
    redisReply *reply = redisCommand(bench->redis, "SCRIPT LOAD %s", lua_scripts[LUA_PLACE]);
    if (reply == NULL || reply->type != REDIS_REPLY_STRING)
        die(bench, "SCRIPT LOAD");
    (void)snprintf(bench->sha, sizeof bench->sha, "%s", reply->str);
    freeReplyObject(reply);
    for (uint32_t t = 0; t < bench->tile_count; t++) {
        struct tile *tile = &bench->tiles[t];
        for (unsigned k = 0; k < KEYS_PER_TILE; k++)
            (void)snprintf(tile->keys[k], sizeof tile->keys[k], "{t:%u:%u}:%s", t % 16, t / 16, suffixes[k]);
        (void)snprintf(tile->channel, sizeof tile->channel, "{t:%u:%u}:bus", t % 16, t / 16);
        check(bench, redisCommand(bench->redis, "HSET %s e " EPOCH " o " INCARNATION, tile->keys[0]), "HSET");
    }
}

// ---- One call -------------------------------------------------------------------------------------------------------

static void add(struct call *call, const void *data, size_t len)
{
    call->argv[call->argc] = data;
    call->len[call->argc++] = len;
}

static void add_text(struct call *call, const char *text)
{
    add(call, text, strlen(text));
}

static void add_number(struct call *call, const char *prefix, uint32_t number)
{
    char *at = call->text + call->text_len;
    int len = snprintf(at, sizeof call->text - call->text_len, "%s%u", prefix, number);
    call->text_len += (size_t)len;
    add(call, at, (size_t)len);
}

static void add_tile(struct bench *bench, struct tile *tile, uint32_t count, uint8_t *columns)
{
    static const uint8_t field[16] = {1, 0, 0, 0, 0, 0, 0, 0, 2};
    struct call *call = &bench->call;
    uint8_t *updates = columns, *users = columns + (size_t)3 * count;
    int head = call->argc;
    add_text(call, EPOCH);
    add_number(call, "", tile->seq);
    add_number(call, "", count);
    add_text(call, tile->channel);
    add(call, updates, (size_t)3 * count);
    add(call, users, (size_t)8 * count);
    add(call, "", 0);
    add_text(call, "1");
    if ((unsigned)(call->argc - head) != HEAD_ARGS)
        abort();
    for (uint32_t i = 0; i < count; i++) {
        bench->random = mix_final(bench->random + 0x9e3779b97f4a7c15u);
        uint32_t offset = (uint32_t)(bench->random % EDGE2), color = (uint32_t)(bench->random >> 32) % 32;
        updates[3 * i] = (uint8_t)offset;
        updates[3 * i + 1] = (uint8_t)(offset >> 8);
        updates[3 * i + 2] = (uint8_t)color;
        memcpy(users + (size_t)8 * i, &bench->random, 8);
        add_number(call, "#", offset);
        add_number(call, "", color);
        add_number(call, "", ++tile->seq);
    }
    add(call, field, sizeof field);
    add(call, call->window, sizeof call->window);
}

static void send_call(struct bench *bench)
{
    struct call *call = &bench->call;
    call->argc = 0;
    call->text_len = 0;
    add_text(call, "EVALSHA");
    add_text(call, bench->sha);
    // A batch of one goes to another tile each time.
    uint32_t tiles = bench->batch < bench->tile_count ? bench->batch : bench->tile_count;
    uint32_t first = (uint32_t)(bench->draws / bench->batch % bench->tile_count);
    add_number(call, "", tiles * KEYS_PER_TILE);
    for (uint32_t t = 0; t < tiles; t++) {
        for (unsigned k = 0; k < KEYS_PER_TILE; k++)
            add_text(call, bench->tiles[(first + t) % bench->tile_count].keys[k]);
    }
    add_text(call, INCARNATION);
    add_text(call, "0");
    add_text(call, "0");
    add_number(call, "", tiles);
    add_text(call, "0");
    uint8_t *columns = call->columns;
    for (uint32_t t = 0; t < tiles; t++) {
        uint32_t count = bench->batch / tiles + (t < bench->batch % tiles ? 1 : 0);
        add_tile(bench, &bench->tiles[(first + t) % bench->tile_count], count, columns);
        columns += (size_t)11 * count;
    }
    if (redisAppendCommandArgv(bench->redis, call->argc, call->argv, call->len) != REDIS_OK)
        die(bench, "append");
    int done = 0;
    while (!done) {
        if (redisBufferWrite(bench->redis, &done) != REDIS_OK)
            die(bench, "write");
    }
    bench->draws += bench->batch;
}

static void take_reply(struct bench *bench, struct monotime sent)
{
    redisReply *reply;
    if (redisGetReply(bench->redis, (void **)&reply) != REDIS_OK || reply->type != REDIS_REPLY_ARRAY)
        die(bench, "reply");
    for (size_t i = 0; i < reply->elements; i += 3) {
        if (reply->element[i]->integer != 0)
            die(bench, "fenced or rewound");
    }
    freeReplyObject(reply);
    hist_add(&bench->call_us, (uint64_t)monotime_diff_us(loop_now_exact(), sent));
}

static void run(struct bench *bench, int64_t seconds)
{
    struct monotime begin = loop_now_exact();
    struct monotime end = monotime_add_ms(begin, seconds * 1000);
    uint64_t asked = 0, answered = 0;
    while (monotime_before(loop_now_exact(), end)) {
        while (asked - answered < bench->in_flight) {
            bench->sent[asked++ % IN_FLIGHT_MAX] = loop_now_exact();
            send_call(bench);
        }
        take_reply(bench, bench->sent[answered++ % IN_FLIGHT_MAX]);
    }
    while (answered < asked)
        take_reply(bench, bench->sent[answered++ % IN_FLIGHT_MAX]);
    double took = (double)monotime_diff_us(loop_now_exact(), begin) / 1e6;
    (void)printf("{\"draws\":%" PRIu64 ",\"seconds\":%.3f,\"draws_per_s\":%.0f,\"calls\":%" PRIu64
                 ",\"p50_us\":%" PRIu64 ",\"p99_us\":%" PRIu64 "}\n",
                 bench->draws, took, (double)bench->draws / took, answered, hist_percentile(&bench->call_us, 50),
                 hist_percentile(&bench->call_us, 99));
}

int main(int argc, char **argv)
{
    static struct bench bench = {.batch = LIMIT_BATCH_DRAWS, .tile_count = 16, .in_flight = 4, .random = 1};
    static const struct option options[] = {
        {"redis", required_argument, NULL, 'r'},   {"batch", required_argument, NULL, 'b'},
        {"tiles", required_argument, NULL, 't'},   {"in-flight", required_argument, NULL, 'f'},
        {"seconds", required_argument, NULL, 's'}, {0},
    };
    int port = 0;
    int64_t seconds = 5;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        long value = optarg != NULL ? strtol(optarg, NULL, 10) : 0;
        if (option == 'r')
            port = (int)value;
        else if (option == 'b')
            bench.batch = (uint32_t)value;
        else if (option == 't')
            bench.tile_count = (uint32_t)value;
        else if (option == 'f')
            bench.in_flight = (uint32_t)value;
        else if (option == 's')
            seconds = value;
        else
            return 2;
    }
    if (port == 0 || bench.batch == 0 || bench.batch > LIMIT_BATCH_DRAWS || bench.tile_count == 0 ||
        bench.tile_count > TILES_MAX || bench.in_flight == 0 || bench.in_flight > IN_FLIGHT_MAX || seconds <= 0)
        return 2;
    set_up(&bench, port);
    run(&bench, seconds);
    redisFree(bench.redis);
    return 0;
}
