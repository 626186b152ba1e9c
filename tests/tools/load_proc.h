// One process of the load client: what its connections share.
//
//   load_run   the life of the process: opens connections, ticks, ends, verifies
//   load_conn  one connection: connects, upgrades, greets, reads frames, comes back when it breaks
//   load_draws its draws in flight: windows, verdicts, repetitions with the same nonce
//   load_view  the tiles that it watches: positions or replicas, gaps, latency to the screen
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/token.h"
#include "common/io/loop.h"
#include "tests/tools/load_api.h"
#include "tests/tools/load_frame.h"
#include "tests/tools/load_heap.h"
#include "tests/tools/load_journal.h"
#include "tests/tools/load_options.h"
#include "tests/tools/load_seen.h"
#include "tests/tools/load_stats.h"
#include "tests/tools/load_work.h"

#define LOAD_IN_LEN (LOAD_FRAME_MAX + 65536u) // most that is read at once, with the unfinished frame before it
#define LOAD_OUT_LEN 65536u                   // one turn's draws of a connection

struct load_conn;

struct load_proc {
    const struct load_options *options;
    const struct load_canvas *canvas;
    const char (*tokens)[TOKEN_TEXT_SIZE];
    struct loop *loop;
    struct load_framer framer;
    struct load_stats *stats;     // this process' block, shared
    struct load_seen *seen;       // shared
    struct load_journal *journal; // NULL = none
    struct load_work work;
    struct load_heap timers; // of the connections
    struct load_conn *conns;
    uint32_t conn_count;
    uint32_t drawer_count; // the first of them draw
    uint32_t started;      // of the connections: so many have begun to connect
    uint32_t connecting;   // on their way now
    uint32_t next_drawer;  // whose turn it is
    uint32_t ever_open;
    bool drawing;   // all are open: draws may begin
    bool said_full; // that a gateway takes no more
    uint64_t random;
    uint8_t in[LOAD_IN_LEN];
    uint8_t out[LOAD_OUT_LEN];
};

// Even enough over 0 … below - 1, for delays.
uint64_t load_proc_random(struct load_proc *proc, uint64_t below);
