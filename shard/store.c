// The connection, the configuration and the membership.

#include "shard/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/log.h"
#include "proto/keys.h"
#include "proto/members.h"
#include "shard/store_impl.h"

#define CONFIG_FIELDS_MAX 64u
#define NUMBER_SIZE 24u
#define INCARNATION_LEN 16u

static void on_ready(void *arg)
{
    struct store *store = arg;
    store->handlers.on_ready(store->arg);
}

static void on_down(void *arg)
{
    struct store *store = arg;
    log_warn("redis connection lost", LOG_STR("reason", redis_conn_last_error(store->conn)));
    store->handlers.on_down(store->arg);
}

int store_open(struct store **out, struct loop *loop, const struct store_options *options,
               const struct store_handlers *handlers, void *arg)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return ERR_NOMEM;
    store->loop = loop;
    store->address = options->address;
    store->handlers = *handlers;
    store->arg = arg;
    store->said = monotime_add_ms(loop_now(loop), -1000);
    snprintf(store->incarnation, sizeof store->incarnation, "%016" PRIx64, options->incarnation);
    const struct redis_conn_config config = {
        .name = "store",
        .address = options->redis,
        .user = options->user,
        .password = options->password,
        .scripts = lua_scripts,
        .script_count = LUA_SCRIPT_COUNT,
    };
    const struct redis_conn_handlers conn_handlers = {.on_ready = on_ready, .on_down = on_down};
    int err = redis_conn_open(&store->conn, loop, &config, &conn_handlers, store);
    if (err != 0) {
        free(store);
        return err;
    }
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    redis_conn_close(store->conn);
    free(store);
}

const struct redis_conn_stats *store_stats(const struct store *store)
{
    return redis_conn_stats(store->conn);
}

void store_reset(struct store *store, const char *why)
{
    redis_conn_reset(store->conn, why);
}

const struct hist *store_place_latency(const struct store *store)
{
    return &store->place_latency_us;
}

// ---- Calls ---------------------------------------------------------------------------------------------------------

struct store_call *store_call_new(struct store *store, void (*fail)(struct store_call *call, int err),
                                  store_read_reply *read, size_t beats, void *arg)
{
    struct store_call *call = calloc(1, sizeof *call + beats * sizeof call->beats[0]);
    if (call == NULL)
        return NULL;
    call->store = store;
    call->fail = fail;
    call->read = read;
    call->arg = arg;
    call->beat_count = beats;
    return call;
}

static bool begins(const redisReply *reply, const char *word)
{
    return strncmp(reply->str, word, strlen(word)) == 0;
}

int store_refusal(struct store *store, const redisReply *reply)
{
    struct monotime now = loop_now(store->loop);
    if (monotime_reached(monotime_add_ms(store->said, 1000), now)) {
        store->said = now;
        log_error("redis refused", LOG_BYTES("reply", reply->str, (size_t)reply->len));
    }
    // These come before the first write of a script.
    bool may_not_write = begins(reply, "OOM ") || begins(reply, "MISCONF ") || begins(reply, "NOREPLICAS ");
    return may_not_write ? ERR_FULL : ERR_UNSUPPORTED;
}

void store_answered(void *arg, const redisReply *reply)
{
    struct store_call *call = arg;
    if (reply == NULL)
        call->fail(call, ERR_CLOSED);
    else if (reply->type == REDIS_REPLY_ERROR)
        call->fail(call, store_refusal(call->store, reply));
    else
        call->read(call, reply);
    free(call);
}

int store_sent(struct store_call *call, int err)
{
    if (err != 0)
        free(call);
    return err;
}

// ---- Configuration -------------------------------------------------------------------------------------------------

static void config_failed(struct store_call *call, int err)
{
    call->cb.config(err, NULL, call->arg);
}

static void read_config(struct store_call *call, const redisReply *reply)
{
    const char *fields[CONFIG_FIELDS_MAX];
    size_t lens[CONFIG_FIELDS_MAX];
    struct canvas_config config;
    char why[128] = "not a hash";
    int err = ERR_MALFORMED;
    size_t count = reply->type == REDIS_REPLY_ARRAY && reply->elements <= CONFIG_FIELDS_MAX ? reply->elements : 0;
    for (size_t i = 0; i < count; i++) {
        fields[i] = reply->element[i]->str != NULL ? reply->element[i]->str : "";
        lens[i] = reply->element[i]->str != NULL ? (size_t)reply->element[i]->len : 0;
    }
    if (count > 0)
        err = canvas_config_parse(fields, lens, count, &config, why, sizeof why);
    if (err != 0)
        log_error("configuration in redis is not valid", LOG_STR("why", why));
    call->cb.config(err, err == 0 ? &config : NULL, call->arg);
}

int store_seed(struct store *store, const struct canvas_config *flags, store_config_cb *cb, void *arg)
{
    static const char *const names[] = {"width", "height", "edge", "cooldown_ms", "guests_per_address", "read_only"};
    const uint32_t values[] = {flags->geom.width,  flags->geom.height,        flags->geom.edge,
                               flags->cooldown_ms, flags->guests_per_address, flags->read_only};
    enum { COUNT = sizeof names / sizeof names[0] };
    char texts[COUNT][NUMBER_SIZE];
    char palette[PALETTE_TEXT_SIZE];
    struct redis_arg args[2 * COUNT + 2];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "%" PRIu32, values[i]);
        args[2 * i] = REDIS_ARG_TEXT(names[i]);
        args[2 * i + 1] = REDIS_ARG_TEXT(texts[i]);
    }
    int palette_len = palette_format(&flags->palette, palette, sizeof palette);
    if (palette_len < 0)
        return palette_len;
    args[2 * (size_t)COUNT] = REDIS_ARG_TEXT("palette");
    args[2 * (size_t)COUNT + 1] = (struct redis_arg){palette, (size_t)palette_len};

    struct store_call *call = store_call_new(store, config_failed, read_config, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->cb.config = cb;
    const struct redis_arg key = REDIS_ARG_TEXT(KEY_CONFIG);
    return store_eval(call, LUA_SEED, &key, 1, args, sizeof args / sizeof args[0]);
}

int store_config(struct store *store, store_config_cb *cb, void *arg)
{
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_CONFIG)};
    struct store_call *call = store_call_new(store, config_failed, read_config, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->cb.config = cb;
    return store_sent(call, redis_conn_command(store->conn, args, 2, store_answered, call));
}

// ---- Membership ----------------------------------------------------------------------------------------------------

static void number_failed(struct store_call *call, int err)
{
    call->cb.number(err, 0, call->arg);
}

static void read_number(struct store_call *call, const redisReply *reply)
{
    bool good = reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0;
    call->cb.number(good ? 0 : ERR_MALFORMED, good ? (uint64_t)reply->integer : 0, call->arg);
}

static int membership(struct store *store, enum lua_script script, store_number_cb *cb, void *arg)
{
    const struct redis_arg key = REDIS_ARG_TEXT(KEY_MEMBERS);
    const struct redis_arg args[] = {
        REDIS_ARG_TEXT(store->address),
        {store->incarnation, INCARNATION_LEN},
        REDIS_ARG_TEXT(CHANNEL_CLUSTER),
        REDIS_ARG_TEXT(TESSERA_VERSION),
    };
    struct store_call *call = store_call_new(store, number_failed, read_number, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->cb.number = cb;
    return store_eval(call, script, &key, 1, args, 4);
}

int store_join(struct store *store, store_number_cb *cb, void *arg)
{
    return membership(store, LUA_JOIN, cb, arg);
}

int store_leave(struct store *store, store_number_cb *cb, void *arg)
{
    return membership(store, LUA_LEAVE, cb, arg);
}

static void beat_failed(struct store_call *call, int err)
{
    call->cb.beat(err, NULL, call->arg);
}

static void read_beat(struct store_call *call, const redisReply *reply)
{
    if (!store_is_array(reply, 3)) {
        beat_failed(call, ERR_MALFORMED);
        return;
    }
    const struct store_beat beat = {
        .is_member = reply->element[0]->integer == 1,
        .view = (uint64_t)reply->element[1]->integer,
        .config_version = (uint32_t)reply->element[2]->integer,
    };
    call->cb.beat(0, &beat, call->arg);
}

int store_beat(struct store *store, int64_t lease_ms, store_beat_cb *cb, void *arg)
{
    char lease[NUMBER_SIZE];
    snprintf(lease, sizeof lease, "%" PRId64, lease_ms);
    const struct redis_arg keys[] = {REDIS_ARG_TEXT(KEY_MEMBERS), REDIS_ARG_TEXT(KEY_CONFIG)};
    const struct redis_arg args[] = {
        REDIS_ARG_TEXT(store->address),
        {store->incarnation, INCARNATION_LEN},
        REDIS_ARG_TEXT(lease),
        REDIS_ARG_TEXT(CHANNEL_CLUSTER),
    };
    struct store_call *call = store_call_new(store, beat_failed, read_beat, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->cb.beat = cb;
    return store_eval(call, LUA_BEAT, keys, 2, args, 4);
}

static void view_failed(struct store_call *call, int err)
{
    call->cb.view(err, NULL, call->arg);
}

// One field of {cluster}:members. ERR_MALFORMED or ERR_FULL.
static int read_member(struct member_view *view, const redisReply *field, const redisReply *value)
{
    if (field->str == NULL || value->str == NULL)
        return ERR_MALFORMED;
    return members_field(view, field->str, field->len, value->str, value->len);
}

static void read_view(struct store_call *call, const redisReply *reply)
{
    struct member_view view = {0};
    int err = reply->type == REDIS_REPLY_ARRAY ? 0 : ERR_MALFORMED;
    for (size_t i = 0; err == 0 && i + 1 < reply->elements; i += 2)
        err = read_member(&view, reply->element[i], reply->element[i + 1]);
    if (err != 0)
        log_error("the view in redis is not valid", LOG_ERR(err));
    call->cb.view(err, err == 0 ? &view : NULL, call->arg);
}

int store_view(struct store *store, store_view_cb *cb, void *arg)
{
    const struct redis_arg args[] = {REDIS_ARG_TEXT("HGETALL"), REDIS_ARG_TEXT(KEY_MEMBERS)};
    struct store_call *call = store_call_new(store, view_failed, read_view, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->cb.view = cb;
    return store_sent(call, redis_conn_command(store->conn, args, 2, store_answered, call));
}

static void pressure_failed(struct store_call *call, int err)
{
    call->cb.pressure(err, NULL, call->arg);
}

static void read_pressure(struct store_call *call, const redisReply *reply)
{
    struct pressure pressure;
    int err = reply->str == NULL ? ERR_MALFORMED : pressure_parse(&pressure, reply->str, (size_t)reply->len);
    call->cb.pressure(err, err == 0 ? &pressure : NULL, call->arg);
}

int store_pressure(struct store *store, store_pressure_cb *cb, void *arg)
{
    const struct redis_arg args[] = {REDIS_ARG_TEXT("INFO"), REDIS_ARG_TEXT("memory")};
    struct store_call *call = store_call_new(store, pressure_failed, read_pressure, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->cb.pressure = cb;
    return store_sent(call, redis_conn_command(store->conn, args, 2, store_answered, call));
}
