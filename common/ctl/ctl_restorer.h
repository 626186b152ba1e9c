// The writes of a restore: many at once, and each only as long as no other restore has taken over (REDIS.md,
// restore.lua).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/bytes.h"
#include "common/ctl/ctl_redis.h"

#define CTL_RESTORER_KEYS_MAX 32u

struct ctl_restorer {
    struct ctl_redis redis;
    char number[BYTES_HEX_SIZE(8)]; // of this restore, random
    uint32_t in_flight;             // writes whose answer was not awaited yet
    bool refused;                   // and said why
};

// As ctl_redis_open; ctl_redis_close(&restorer->redis) afterwards.
enum ctl_status ctl_restorer_open(struct ctl_restorer *restorer, const struct ctl_options *options);

// Says why, and returns false.
bool ctl_restorer_refuse(struct ctl_restorer *restorer, const char *why);

// One command on keys (at most CTL_RESTORER_KEYS_MAX): its name, then what comes behind its keys. False: it, or one
// before it, was not done; it was said why.
bool ctl_restorer_write(struct ctl_restorer *restorer, const char *command, const struct redis_arg *keys,
                        size_t key_count, const struct redis_arg *args, size_t arg_count);
// Awaits what was written until now.
bool ctl_restorer_settle(struct ctl_restorer *restorer);
// A script that answers 0 when another restore has taken over; after all that was written before.
bool ctl_restorer_script(struct ctl_restorer *restorer, enum lua_script script, const struct redis_arg *keys,
                         size_t key_count, const struct redis_arg *args, size_t arg_count);
