// Snapshots of tiles, compressed by the worker: once per position, for all clients that need one.
#pragma once

#include <stdbool.h>

#include "gateway/fanout.h"
#include "gateway/tiles.h"
#include "gateway/worker.h"

struct snaps {
    struct worker *worker;
    struct tiles *tiles;
    struct fanout *fanout;
    uint64_t made, refused;
};

// The worker must have called every `done` before the snaps go (worker_free).
void snaps_init(struct snaps *snaps, struct worker *worker, struct tiles *tiles, struct fanout *fanout);

// For fanout_options.ask_snapshot, with the snaps as its argument.
bool snaps_ask(struct held *held, void *arg);
