// What the place asks of Redis: takings, batches, position beats.

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/io/log.h"
#include "proto/keys.h"
#include "shard/store_impl.h"

#define NUMBER_SIZE 24u
#define INCARNATION_LEN 16u
#define TAKEN_ELEMENTS 7u
#define TILE_RESULTS 3u

// ---- Taking --------------------------------------------------------------------------------------------------------

static void take_failed(struct store_call *call, int err)
{
    bool refused = err == ERR_FULL || err == ERR_UNSUPPORTED;
    if (refused)
        place_take_refused(call->place, call->tile);
    else
        place_take_failed(call->place, loop_now(call->store->loop), call->tile, 0);
    call->cb.done(refused ? 0 : err, call->arg);
}

static void read_windows(struct store_call *call, const redisReply *reply)
{
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const redisReply *field = reply->element[i], *value = reply->element[i + 1];
        if (field->str != NULL && value->str != NULL)
            place_taken_window(call->place, loop_now(call->store->loop), call->tile, field->str, (size_t)field->len,
                               value->str, (size_t)value->len);
    }
}

static void read_taken(struct store_call *call, const redisReply *reply)
{
    struct monotime now = loop_now(call->store->loop);
    if (store_is_array(reply, 2) && reply->element[0]->integer == 0) {
        place_take_failed(call->place, now, call->tile, (uint64_t)reply->element[1]->integer);
        call->cb.done(0, call->arg);
        return;
    }
    if (!store_is_array(reply, TAKEN_ELEMENTS) || reply->element[4]->str == NULL) {
        take_failed(call, ERR_MALFORMED);
        return;
    }
    const struct place_taken taken = {
        .epoch = (uint64_t)reply->element[1]->integer,
        .pos = {(uint64_t)reply->element[2]->integer, (uint32_t)reply->element[3]->integer},
        .px = (const uint8_t *)reply->element[4]->str,
        .px_len = (size_t)reply->element[4]->len,
    };
    place_taken(call->place, now, call->tile, &taken);
    read_windows(call, reply->element[5]);
    read_windows(call, reply->element[6]);
    call->cb.done(0, call->arg);
}

int store_take(struct store *store, struct place *place, const struct place_take *take, store_done_cb *done, void *arg)
{
    static const enum key_tile whats[] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_DUP0,
                                          KEY_TILE_DUP1, KEY_TILE_LAST, KEY_TILE_LOG};
    enum { KEYS = sizeof whats / sizeof whats[0] };
    char names[KEYS][KEY_MAX], view[NUMBER_SIZE];
    struct redis_arg keys[KEYS];
    for (size_t i = 0; i < KEYS; i++) {
        size_t len = key_tile(names[i], take->tile, whats[i]);
        keys[i] = (struct redis_arg){names[i], len};
    }
    snprintf(view, sizeof view, "%" PRIu64, take->view);
    const struct redis_arg args[] = {
        {store->incarnation, INCARNATION_LEN},
        REDIS_ARG_TEXT(store->address),
        REDIS_ARG_TEXT(view),
    };
    struct store_call *call = store_call_new(store, take_failed, read_taken, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->place = place;
    call->tile = take->tile;
    call->cb.done = done;
    return store_eval(call, LUA_TAKE, keys, KEYS, args, 3);
}

// ---- Position beats ------------------------------------------------------------------------------------------------

static void beats_failed(struct store_call *call, int err)
{
    // There is another in a second.
    call->cb.done(err == ERR_FULL ? 0 : err, call->arg);
}

static void read_beats(struct store_call *call, const redisReply *reply)
{
    if (!store_is_array(reply, call->beat_count)) {
        beats_failed(call, ERR_MALFORMED);
        return;
    }
    for (size_t i = 0; i < call->beat_count; i++) {
        if (reply->element[i]->integer != 0)
            place_beat_failed(call->place, loop_now(call->store->loop), &call->beats[i]);
    }
    call->cb.done(0, call->arg);
}

int store_beats(struct store *store, struct place *place, const struct place_beat *beats, size_t count,
                store_done_cb *done, void *arg)
{
    enum { TEXTS = 4 };
    char names[STORE_BEATS_MAX][KEY_MAX], texts[STORE_BEATS_MAX][TEXTS][KEY_MAX];
    struct redis_arg keys[STORE_BEATS_MAX], args[1 + STORE_BEATS_MAX * TEXTS];
    struct store_call *call = store_call_new(store, beats_failed, read_beats, count, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->place = place;
    call->cb.done = done;
    memcpy(call->beats, beats, count * sizeof beats[0]);
    args[0] = (struct redis_arg){store->incarnation, INCARNATION_LEN};
    for (size_t i = 0; i < count; i++) {
        keys[i] = (struct redis_arg){names[i], key_tile(names[i], beats[i].tile, KEY_TILE_META)};
        snprintf(texts[i][0], KEY_MAX, "%" PRIu64, beats[i].epoch);
        snprintf(texts[i][1], KEY_MAX, "%" PRIu32, beats[i].seq);
        snprintf(texts[i][2], KEY_MAX, "%016" PRIx64, beats[i].checksum);
        (void)key_tile(texts[i][3], beats[i].tile, KEY_TILE_BUS);
        for (size_t k = 0; k < TEXTS; k++)
            args[1 + TEXTS * i + k] = REDIS_ARG_TEXT(texts[i][k]);
    }
    return store_eval(call, LUA_POSITION, keys, count, args, 1 + TEXTS * count);
}

static void on_heat(void *arg, const redisReply *reply)
{
    struct store *store = arg;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        (void)!store_refusal(store, reply);
}

int store_heat(struct store *store, const struct place_beat *beats, size_t count)
{
    const struct redis_arg key = REDIS_ARG_TEXT(KEY_HEAT);
    char texts[2 * STORE_BEATS_MAX][NUMBER_SIZE];
    struct redis_arg args[2 * STORE_BEATS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (beats[i].placed == 0)
            continue;
        snprintf(texts[n], NUMBER_SIZE, "%u:%u", beats[i].tile.tx, beats[i].tile.ty);
        snprintf(texts[n + 1], NUMBER_SIZE, "%" PRIu32, beats[i].placed);
        for (size_t end = n + 2; n < end; n++)
            args[n] = REDIS_ARG_TEXT(texts[n]);
    }
    return n > 0 ? redis_conn_evalsha(store->conn, LUA_HEAT, &key, 1, args, n, on_heat, store) : 0;
}

// ---- Batches -------------------------------------------------------------------------------------------------------

static void place_failed(struct store_call *call, int err)
{
    struct monotime now = loop_now(call->store->loop);
    if (err == ERR_FULL)
        place_batch_refused(call->place, now, call->batch);
    else
        place_batch_unknown(call->place, now, call->batch);
    call->cb.done(err == ERR_FULL ? 0 : err, call->arg);
}

static void read_placed(struct store_call *call, const redisReply *reply)
{
    struct batch_result results[LIMIT_BATCH_DRAWS];
    size_t count = reply->type == REDIS_REPLY_ARRAY ? reply->elements / TILE_RESULTS : 0;
    if (count > LIMIT_BATCH_DRAWS)
        count = 0;
    for (size_t i = 0; i < count; i++) {
        redisReply *const *of = reply->element + TILE_RESULTS * i;
        if (of[0]->type != REDIS_REPLY_INTEGER || of[1]->str == NULL || of[2]->str == NULL) {
            count = 0;
            break;
        }
        results[i] = (struct batch_result){
            of[0]->integer,     (const uint8_t *)of[1]->str, (size_t)of[1]->len, (const uint8_t *)of[2]->str,
            (size_t)of[2]->len,
        };
    }
    hist_add(&call->store->place_latency_us, (uint64_t)monotime_diff_us(loop_now_exact(), batch_sent(call->batch)));
    int err = place_batch_done(call->place, loop_now(call->store->loop), call->batch, results, count);
    if (err != 0)
        place_failed(call, err);
    else
        call->cb.done(0, call->arg);
}

int store_place(struct store *store, struct place *place, struct batch *batch, const struct batch_args *args,
                store_done_cb *done, void *arg)
{
    struct redis_arg *to = store->args;
    if (args->key_count + args->arg_count > sizeof store->args / sizeof store->args[0])
        return ERR_RANGE;
    for (size_t i = 0; i < args->key_count; i++)
        *to++ = (struct redis_arg){args->keys[i].data, args->keys[i].len};
    for (size_t i = 0; i < args->arg_count; i++)
        *to++ = (struct redis_arg){args->args[i].data, args->args[i].len};
    struct store_call *call = store_call_new(store, place_failed, read_placed, 0, arg);
    if (call == NULL)
        return ERR_NOMEM;
    call->place = place;
    call->batch = batch;
    call->cb.done = done;
    return store_eval(call, LUA_PLACE, store->args, args->key_count, store->args + args->key_count, args->arg_count);
}
