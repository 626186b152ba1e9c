// The steps of a Redis in memory, for the targets that drive a shard, a gateway's side of the cluster or an admin port.
#pragma once

#include <stdbool.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mem_redis.h"
#include "tests/fuzz/redis_state.h"
#include "tests/fuzz/resp.h"

// Writes the right answer to a command.
typedef void redis_steps_right(struct resp *resp, const struct mem_redis_command *command, struct fuzz_in *in);

// Answers the oldest command: `how` 0 rightly, 1 with a byte of it wrong, 2 with an error, 3 with any bytes. False:
// none waits.
bool redis_steps_reply(unsigned how, struct fuzz_in *in, redis_steps_right *right);

// All that waits is answered rightly; `us` pass in the first turn, so that what waits for a moment asks as well.
void redis_steps_serve(struct fuzz_in *in, redis_steps_right *right, int64_t us);

// How a target's time passes, and how its Redis answers.
struct redis_steps {
    int64_t times_us[8];
    redis_steps_right *right;
    int64_t serve_us; // redis_steps_serve
    struct redis_state *state;
};

// Step `what` of 0 … 9: time passes (0), all is answered (1), a connection is made or refused (2), one command is
// answered (3 to 6, redis_steps_reply), connections break (8), or what is stored changes (9). False, and nothing is
// done: it is another, the target's own.
bool redis_steps_step(const struct redis_steps *steps, unsigned what, struct fuzz_in *in);

// A message that the input has, to those who are subscribed.
void redis_steps_push(const char *channel, struct fuzz_in *in);
