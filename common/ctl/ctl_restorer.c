#include "common/ctl/ctl_restorer.h"

#include <string.h>

#include "common/io/rand.h"
#include "proto/keys.h"

#define IN_FLIGHT_MAX 256u
#define ARGS_MAX 24u

enum ctl_status ctl_restorer_open(struct ctl_restorer *restorer, const struct ctl_options *options)
{
    uint8_t number[8];
    *restorer = (struct ctl_restorer){0};
    rand_bytes(number, sizeof number);
    bytes_to_hex(restorer->number, number, sizeof number);
    return ctl_redis_open(&restorer->redis, options);
}

bool ctl_restorer_refuse(struct ctl_restorer *restorer, const char *why)
{
    ctl_say("%s", why);
    restorer->refused = true;
    return false;
}

// Frees the answer.
static bool is_done(struct ctl_restorer *restorer, redisReply *reply)
{
    bool good = reply != NULL;
    if (good && reply->integer == 0)
        good = ctl_restorer_refuse(restorer, "another restore was begun and has taken over; this one ends here");
    freeReplyObject(reply);
    return good;
}

bool ctl_restorer_settle(struct ctl_restorer *restorer)
{
    bool good = true;
    for (; good && restorer->in_flight > 0; restorer->in_flight--)
        good = is_done(restorer, ctl_redis_receive(&restorer->redis));
    return good;
}

bool ctl_restorer_write(struct ctl_restorer *restorer, const char *command, const struct redis_arg *keys,
                        size_t key_count, const struct redis_arg *args, size_t arg_count)
{
    struct redis_arg all_keys[1 + CTL_RESTORER_KEYS_MAX] = {REDIS_ARG_TEXT(KEY_CONFIG)};
    struct redis_arg all[2 + ARGS_MAX] = {REDIS_ARG_TEXT(restorer->number), REDIS_ARG_TEXT(command)};
    if (key_count > CTL_RESTORER_KEYS_MAX || arg_count > ARGS_MAX ||
        (restorer->in_flight >= IN_FLIGHT_MAX && !ctl_restorer_settle(restorer)))
        return false;
    for (size_t i = 0; i < key_count; i++)
        all_keys[1 + i] = keys[i];
    for (size_t i = 0; i < arg_count; i++)
        all[2 + i] = args[i];
    restorer->in_flight++;
    return ctl_redis_script_send(&restorer->redis, LUA_RESTORE_WRITE, false, all_keys, 1 + key_count, all,
                                 2 + arg_count);
}

bool ctl_restorer_script(struct ctl_restorer *restorer, enum lua_script script, const struct redis_arg *keys,
                         size_t key_count, const struct redis_arg *args, size_t arg_count)
{
    return ctl_restorer_settle(restorer) &&
           is_done(restorer, ctl_redis_script(&restorer->redis, script, false, keys, key_count, args, arg_count));
}
