// What store reads of tiles.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/store_internal.h"
#include "gateway/store_reply.h"
#include "proto/keys.h"
#include "proto/lua_scripts.h"

#define LOG_ENTRIES_MAX 4096u // in one answer of store_log

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static void on_snapshot(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct store_snapshot snapshot;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_snapshot(reply, &snapshot));
    if (!request->abandoned)
        request->cb.snapshot(err, err == 0 ? &snapshot : NULL, request->arg);
    store_request_free(request);
}

void store_snapshot(struct store *store, struct tile tile, store_snapshot_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.snapshot = cb}, arg);
    char meta[KEY_MAX], px[KEY_MAX];
    const struct redis_arg keys[] = {{meta, key_tile(meta, tile, KEY_TILE_META)},
                                     {px, key_tile(px, tile, KEY_TILE_PX)}};
    int err = request != NULL ? redis_conn_evalsha_ro(store->conn, LUA_SNAPSHOT, keys, 2, NULL, 0, on_snapshot, request)
                              : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, NULL, arg);
}

static void on_position(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct store_position position;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_position(reply, &position));
    if (!request->abandoned)
        request->cb.position(err, err == 0 ? &position : NULL, request->arg);
    store_request_free(request);
}

void store_position(struct store *store, struct tile tile, store_position_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.position = cb}, arg);
    char meta[KEY_MAX];
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HMGET"), {meta, key_tile(meta, tile, KEY_TILE_META)},
                                     REDIS_ARG_TEXT("p"),     REDIS_ARG_TEXT("s"),
                                     REDIS_ARG_TEXT("k"),     REDIS_ARG_TEXT("ks")};
    int err = request != NULL ? redis_conn_command(store->conn, args, 6, on_position, request) : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, NULL, arg);
}

static int read_log(const redisReply *reply, struct store_entry **entries, size_t *count)
{
    if (!store_reply_is_log(reply) || reply->elements > LOG_ENTRIES_MAX)
        return ERR_MALFORMED;
    *entries = calloc(reply->elements + 1, sizeof **entries);
    if (*entries == NULL)
        return ERR_NOMEM;
    for (*count = 0; *count < reply->elements; (*count)++) {
        if (store_reply_entry(reply, *count, &(*entries)[*count]) != 0)
            return ERR_MALFORMED;
    }
    return 0;
}

static void on_log(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct store_entry *entries = NULL;
    size_t count = 0;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, read_log(reply, &entries, &count));
    if (!request->abandoned)
        request->cb.log(err, err == 0 ? entries : NULL, err == 0 ? count : 0, request->arg);
    free(entries);
    store_request_free(request);
}

void store_log(struct store *store, struct tile tile, uint32_t from, uint32_t max_entries, store_log_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.log = cb}, arg);
    char key[KEY_MAX], start[16], most[12];
    snprintf(start, sizeof start, from == 0 ? "-" : "%" PRIu32 "-0", from);
    snprintf(most, sizeof most, "%" PRIu32, max_entries < LOG_ENTRIES_MAX ? max_entries : LOG_ENTRIES_MAX);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("XRANGE"), {key, key_tile(key, tile, KEY_TILE_LOG)},
                                     REDIS_ARG_TEXT(start),    REDIS_ARG_TEXT("+"),
                                     REDIS_ARG_TEXT("COUNT"),  REDIS_ARG_TEXT(most)};
    int err = request != NULL ? redis_conn_command(store->conn, args, 6, on_log, request) : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, NULL, 0, arg);
}

// ---- Pixels --------------------------------------------------------------------------------------------------------

static void on_pixel(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct store_pixel pixel;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_pixel(reply, &pixel));
    if (!request->abandoned)
        request->cb.pixel(err, err == 0 ? &pixel : NULL, request->arg);
    store_request_free(request);
}

void store_pixel(struct store *store, const struct store_pixel_asked *asked, store_pixel_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.pixel = cb}, arg);
    char px[KEY_MAX], last[KEY_MAX], log[KEY_MAX], numbers[3][12];
    const struct redis_arg keys[] = {{px, key_tile(px, asked->tile, KEY_TILE_PX)},
                                     {last, key_tile(last, asked->tile, KEY_TILE_LAST)},
                                     {log, key_tile(log, asked->tile, KEY_TILE_LOG)}};
    const uint32_t values[] = {asked->offset, asked->limit < STORE_PLACEMENTS_MAX ? asked->limit : STORE_PLACEMENTS_MAX,
                               asked->from};
    struct redis_arg args[3];
    for (size_t i = 0; i < 3; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu32, values[i]);
        args[i] = REDIS_ARG_TEXT(numbers[i]);
    }
    int err = request != NULL ? redis_conn_evalsha_ro(store->conn, LUA_PIXEL, keys, 3, args, 3, on_pixel, request)
                              : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, NULL, arg);
}
