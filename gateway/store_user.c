// What store reads and writes of users: records, names.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "gateway/store_internal.h"
#include "gateway/store_reply.h"
#include "proto/keys.h"
#include "proto/lua_scripts.h"

#define RESERVED_MS "2592000000" // 30 days: how long a name that was given up is kept from others
#define NUMBER_SIZE 24u

// ---- A user's record and name, with the time -----------------------------------------------------------------------

static void finish_user(struct store_request *request)
{
    if (!request->abandoned)
        request->cb.user(request->err, request->err == 0 ? &request->answer.user : NULL, request->arg);
}

static void on_record(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_user(reply, &request->answer.user.record));
    store_join(request, err);
}

static void on_name(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_name(reply, &request->answer.user.name));
    store_join(request, err);
}

static void on_time(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_time(reply, &request->answer.user.now_ms));
    store_join(request, err);
}

void store_user(struct store *store, uint64_t user, store_user_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.user = cb}, arg);
    if (request == NULL) {
        cb(ERR_NOMEM, NULL, arg);
        return;
    }
    char record[KEY_MAX], name[KEY_MAX];
    const struct redis_arg get_record[] = {REDIS_ARG_TEXT("GET"), {record, key_user(record, user)}};
    const struct redis_arg get_name[] = {REDIS_ARG_TEXT("GET"), {name, key_user_name(name, user)}};
    const struct redis_arg time = REDIS_ARG_TEXT("TIME");
    request->finish = finish_user;
    request->pending = 1;
    store_joined(request, redis_conn_command(store->conn, get_record, 2, on_record, request));
    store_joined(request, redis_conn_command(store->conn, get_name, 2, on_name, request));
    store_joined(request, redis_conn_command(store->conn, &time, 1, on_time, request));
    store_join(request, 0);
}

// ---- The names of several ------------------------------------------------------------------------------------------

static void finish_names(struct store_request *request)
{
    if (!request->abandoned)
        request->cb.names(request->err, request->err == 0 ? request->answer.names.names : NULL,
                          request->err == 0 ? request->answer.names.count : 0, request->arg);
    free(request->answer.names.names);
}

// Replies come in the order of the commands.
static void on_names(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    struct store_name *name = &request->answer.names.names[request->answer.names.read++];
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_name(reply, name));
    store_join(request, err);
}

void store_names(struct store *store, const uint64_t *users, size_t count, store_names_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.names = cb}, arg);
    struct store_name *names = calloc(count + 1, sizeof *names);
    if (request == NULL || names == NULL || count > STORE_NAMES_MAX) {
        store_request_free(request);
        free(names);
        cb(count > STORE_NAMES_MAX ? ERR_RANGE : ERR_NOMEM, NULL, 0, arg);
        return;
    }
    request->answer.names.count = count;
    request->answer.names.names = names;
    request->finish = finish_names;
    request->pending = 1;
    for (size_t i = 0; i < count; i++) {
        char key[KEY_MAX];
        const struct redis_arg get[] = {REDIS_ARG_TEXT("GET"), {key, key_user_name(key, users[i])}};
        store_joined(request, redis_conn_command(store->conn, get, 2, on_names, request));
    }
    store_join(request, 0);
}

// ---- Choosing and erasing ------------------------------------------------------------------------------------------

// The key of the name's skeleton; without a name, `otherwise`, for a script has to be given some key.
static struct redis_arg claim_of(char key[KEY_MAX], const char *name, struct redis_arg otherwise)
{
    char skeleton[NAME_SKELETON_SIZE];
    if (name[0] == '\0')
        return otherwise;
    name_skeleton(name, strlen(name), skeleton);
    return (struct redis_arg){key, key_name(key, skeleton)};
}

static void on_renamed(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    enum store_renamed result = STORE_RENAME_CHANGED;
    uint64_t wait_ms = 0;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, store_reply_renamed(reply, &result, &wait_ms));
    if (!request->abandoned)
        request->cb.rename(err, result, wait_ms, request->arg);
    store_request_free(request);
}

void store_rename(struct store *store, const struct store_rename *rename, store_rename_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.rename = cb}, arg);
    char record[KEY_MAX], claim[KEY_MAX], old_claim[KEY_MAX], keep[NUMBER_SIZE], life[NUMBER_SIZE];
    uint8_t user[8];
    bytes_set_u64(user, rename->user);
    snprintf(keep, sizeof keep, "%" PRIu64, rename->keep_ms);
    snprintf(life, sizeof life, "%" PRIu64, rename->life_ms);
    const struct redis_arg record_key = {record, key_user_name(record, rename->user)};
    const struct redis_arg keys[] = {record_key, claim_of(claim, rename->name, record_key),
                                     claim_of(old_claim, rename->old, record_key)};
    const struct redis_arg args[] = {{user, sizeof user},  REDIS_ARG_TEXT(rename->old), REDIS_ARG_TEXT(rename->name),
                                     REDIS_ARG_TEXT(keep), REDIS_ARG_TEXT(RESERVED_MS), REDIS_ARG_TEXT(life)};
    int err =
        request != NULL ? redis_conn_evalsha(store->conn, LUA_NAME, keys, 3, args, 6, on_renamed, request) : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, STORE_RENAME_CHANGED, 0, arg);
}

static void on_erased(void *arg, const redisReply *reply)
{
    struct store_request *request = arg;
    int err = store_check(request->store, reply);
    if (err == 0)
        err = store_checked(request->store, reply->type == REDIS_REPLY_INTEGER ? 0 : ERR_MALFORMED);
    if (!request->abandoned)
        request->cb.erase(err, err == 0 && reply->integer != 0, request->arg);
    store_request_free(request);
}

void store_erase(struct store *store, uint64_t user, const char *old, store_erase_cb cb, void *arg)
{
    struct store_request *request = store_request_new(store, (union store_cb){.erase = cb}, arg);
    char record[KEY_MAX], claim[KEY_MAX];
    uint8_t message[BUS_ERASED_LEN];
    bus_encode_erased(message, user);
    const struct redis_arg record_key = {record, key_user_name(record, user)};
    const struct redis_arg keys[] = {record_key, claim_of(claim, old, record_key)};
    const struct redis_arg args[] = {
        REDIS_ARG_TEXT(old), REDIS_ARG_TEXT(RESERVED_MS), REDIS_ARG_TEXT(CHANNEL_CLUSTER), {message, sizeof message}};
    int err =
        request != NULL ? redis_conn_evalsha(store->conn, LUA_ERASE, keys, 2, args, 4, on_erased, request) : ERR_NOMEM;
    if (err == 0)
        return;
    store_request_free(request);
    cb(err, false, arg);
}
