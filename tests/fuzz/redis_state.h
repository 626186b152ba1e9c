// What a Redis in memory has of the cluster, and its replies about it, for the targets that drive a shard or a gateway.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/resp.h"

#define REDIS_STATE_WIDTH 200u // and height; tiles of 64

struct redis_state {
    uint32_t version, cooldown_ms, restores;
    bool read_only;
    uint64_t view;
    const char *address; // of the shard that is in the view,
    uint64_t incarnation;
    bool others; // with another one
};

void redis_state_config(const struct redis_state *state, struct resp *resp);
void redis_state_view(const struct redis_state *state, struct resp *resp);
// Another version of the settings, and perhaps another view.
void redis_state_change(struct redis_state *state, struct fuzz_in *in);

// A reply that is an error, or nothing.
const char *redis_state_error(struct fuzz_in *in);
