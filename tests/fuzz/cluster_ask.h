// The questions of gateway/store.h, each asked at random and answered once; and what Redis would answer.
#pragma once

#include "gateway/store.h"
#include "tests/fuzz/mem_redis.h"
#include "tests/fuzz/redis_state.h"

void cluster_ask(struct store *store, struct fuzz_in *in);
// Nothing waits for an answer any more.
void cluster_ask_end(void);

void cluster_ask_reply(const struct redis_state *state, const struct mem_redis_command *command, struct resp *resp,
                       struct fuzz_in *in);
