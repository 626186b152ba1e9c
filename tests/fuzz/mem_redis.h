// The server's end of connections to Redis, over mem_sock: it takes connections, answers what each begins with, and
// hands every other command to the target, which says what comes back. Scripts are told apart by their digests, which
// it makes up.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_REDIS_ADDRESS "redis:1" // where it is
#define MEM_REDIS_ARGS 24           // of a command, that are looked at

struct mem_redis_command {
    int fd;
    const char *name;
    int script; // of EVALSHA: its number; -1: none
    size_t count;
    struct {
        const char *data; // not terminated
        size_t len;
    } args[MEM_REDIS_ARGS];
};

// Nobody is connected. All of the last run must have been closed.
void mem_redis_reset(void);

// Answers whoever dials: `refused` in the negative, else with a connection. False: nobody does.
bool mem_redis_dialled(bool refused);
// The oldest command that waits for an answer, of any connection; false when none does. What a connection begins with,
// subscriptions and PING are answered here. It stays until mem_redis_answer.
bool mem_redis_next(struct mem_redis_command *command);
void mem_redis_answer(const struct mem_redis_command *command, const void *bytes, size_t len);
// The connections that are subscribed get these bytes.
void mem_redis_push(const void *bytes, size_t len);
// Every connection breaks.
void mem_redis_break(void);
