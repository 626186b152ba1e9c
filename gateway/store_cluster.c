// What store reads and writes of {cluster}: configuration, view, the beat, heat.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/pressure.h"
#include "common/io/log.h"
#include "gateway/store_internal.h"
#include "gateway/store_reply.h"
#include "proto/keys.h"
#include "proto/lua_scripts.h"

#define HEX_SIZE 17

// ---- Configuration and view ----------------------------------------------------------------------------------------

static void on_config(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct canvas_config config;
    char why[256] = "";
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_config(reply, &config, why, sizeof why));
    if (why[0] != '\0')
        log_error("the stored configuration cannot be read", LOG_STR("why", why));
    if (!request->abandoned)
        request->cb.config(err, err == 0 ? &config : NULL, request->arg);
    store_request_free(request);
}

static int send_seed(struct store_request *request, const struct canvas_config *flags)
{
    char palette[PALETTE_TEXT_SIZE], numbers[6][12];
    if (palette_format(&flags->palette, palette, sizeof palette) < 0)
        return ERR_RANGE;
    const char *names[] = {"width", "height", "edge", "cooldown_ms", "guests_per_address", "read_only"};
    const uint32_t values[] = {flags->geom.width,  flags->geom.height,        flags->geom.edge,
                               flags->cooldown_ms, flags->guests_per_address, flags->read_only};
    struct redis_arg args[14];
    for (size_t i = 0; i < 6; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%" PRIu32, values[i]);
        args[2 * i] = REDIS_ARG_TEXT(names[i]);
        args[2 * i + 1] = REDIS_ARG_TEXT(numbers[i]);
    }
    args[12] = REDIS_ARG_TEXT("palette");
    args[13] = REDIS_ARG_TEXT(palette);
    const struct redis_arg key = REDIS_ARG_TEXT(KEY_CONFIG);
    return redis_conn_evalsha(request->store->conn, LUA_SEED, &key, 1, args, 14, on_config, request);
}

void store_seed(struct store *store, const struct canvas_config *flags, store_config_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.config = cb}, arg);
    int err = request != NULL ? send_seed(request, flags) : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, NULL, arg);
}

static void on_view(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct member_view view;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_view(reply, &view));
    if (!request->abandoned)
        request->cb.view(err, err == 0 ? &view : NULL, request->arg);
    store_request_free(request);
}

void store_view(struct store *store, store_view_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.view = cb}, arg);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_MEMBERS)};
    int err = request != NULL ? redis_conn_command(store->conn, args, 2, on_view, request) : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, NULL, arg);
}

// ---- The online beat, with how full Redis is -----------------------------------------------------------------------

static void finish_online(struct store_request *request)
{
    if (!request->abandoned)
        request->cb.online(request->err, request->err == 0 ? &request->answer.online : NULL, request->arg);
}

static void on_online(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_online(reply, &request->answer.online));
    store_join(request, err);
}

static void on_memory(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct pressure pressure = {0};
    int err = store_check(request->store, reply);
    if (err == 0 && reply->type != REDIS_REPLY_STRING)
        err = ERR_MALFORMED;
    if (err == 0)
        err = pressure_parse(&pressure, reply->str, reply->len);
    request->answer.online.pressure = store_checked(request->store, err) == 0 && pressure_high(&pressure);
    store_join(request, err);
}

static void hex_of(char to[HEX_SIZE], uint64_t value)
{
    snprintf(to, HEX_SIZE, "%016" PRIx64, value);
}

void store_online_beat(struct store *store, uint64_t gateway, uint32_t connections, store_online_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.online = cb}, arg);
    if (request == NULL) {
        cb(ERR_NOMEM, NULL, arg);
        return;
    }
    char id[HEX_SIZE], count[12];
    hex_of(id, gateway);
    snprintf(count, sizeof count, "%" PRIu32, connections);
    const struct redis_arg keys[] = {REDIS_ARG_TEXT(KEY_GATEWAYS), REDIS_ARG_TEXT(KEY_MEMBERS),
                                     REDIS_ARG_TEXT(KEY_CONFIG)};
    const struct redis_arg args[] = {REDIS_ARG_TEXT(id), REDIS_ARG_TEXT(count), REDIS_ARG_TEXT(TESSERA_VERSION)};
    const struct redis_arg info[] = {REDIS_ARG_TEXT("INFO"), REDIS_ARG_TEXT("memory")};
    request->finish = finish_online;
    request->pending = 1;
    store_joined(request, redis_conn_evalsha(store->conn, LUA_ONLINE, keys, 3, args, 3, on_online, request));
    store_joined(request, redis_conn_command(store->conn, info, 2, on_memory, request));
    store_join(request, 0);
}

void store_online_leave(struct store *store, uint64_t gateway)
{
    char id[HEX_SIZE];
    hex_of(id, gateway);
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HDEL"), REDIS_ARG_TEXT(KEY_GATEWAYS), REDIS_ARG_TEXT(id)};
    int err = redis_conn_command(store->conn, args, 3, NULL, NULL);
    if (err != 0)
        log_debug("online count not taken out", LOG_ERR(err));
}

// ---- Heat ----------------------------------------------------------------------------------------------------------

static void finish_heat(struct store_request *request)
{
    struct store_heat *heat = request->answer.heat.heat;
    if (request->err == 0)
        store_heat_at(heat, request->answer.heat.now_ms);
    if (!request->abandoned)
        request->cb.heat(request->err, request->err == 0 ? heat : NULL, request->arg);
    free(heat);
}

static void on_heat(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_heat(reply, request->answer.heat.heat));
    store_join(request, err);
}

static void on_heat_time(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_time(reply, &request->answer.heat.now_ms));
    store_join(request, err);
}

void store_heat(struct store *store, store_heat_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.heat = cb}, arg);
    struct store_heat *heat = calloc(1, sizeof *heat);
    if (request == NULL || heat == NULL) {
        store_request_free(request);
        free(heat);
        cb(ERR_NOMEM, NULL, arg);
        return;
    }
    char last[12];
    snprintf(last, sizeof last, "%u", STORE_HEAT_MAX - 1u);
    const struct redis_arg range[] = {REDIS_ARG_TEXT("ZRANGE"), REDIS_ARG_TEXT(KEY_HEAT), REDIS_ARG_TEXT("0"),
                                      REDIS_ARG_TEXT(last),     REDIS_ARG_TEXT("REV"),    REDIS_ARG_TEXT("WITHSCORES")};
    const struct redis_arg time = REDIS_ARG_TEXT("TIME");
    request->answer.heat.heat = heat;
    request->finish = finish_heat;
    request->pending = 1;
    store_joined(request, redis_conn_command(store->conn, range, 6, on_heat, request));
    store_joined(request, redis_conn_command(store->conn, &time, 1, on_heat_time, request));
    store_join(request, 0);
}
