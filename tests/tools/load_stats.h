// What the processes of the load client count, in memory that they share with the one that sums up. Each process writes
// its own block only, the reader may see it a moment old.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/core/err.h"
#include "common/core/hist.h"
#include "proto/verdict.h"
#include "tests/tools/load_options.h"

#define LOAD_COUNTERS (21 + VERDICT_COUNT + 1)

struct load_stats {
    union {
        uint64_t counters[LOAD_COUNTERS]; // all of the following, for adding up
        struct {
            // now
            uint64_t open;      // connections past WELCOME
            uint64_t in_flight; // draws sent and not answered

            // connections
            uint64_t connects;         // WELCOMEs
            uint64_t reconnects;       // of these, after the connection had been open before
            uint64_t connect_failures; // refused, reset or refused at the upgrade, before a WELCOME
            uint64_t abandoned;        // closed by the gateway in a way that forbids to come back

            // draws
            uint64_t draws;                       // sent for the first time
            uint64_t resent;                      // sent again with the same nonce
            uint64_t verdicts[VERDICT_COUNT + 1]; // the last: unknown codes
            uint64_t unknown;                     // never answered
            uint64_t refused;                     // pixels of an image that were refused for good
            uint64_t unexpected;                  // verdicts that answer no draw of ours, or another one

            // frames
            uint64_t bytes_in;
            uint64_t tile_frames;
            uint64_t updates;
            uint64_t snapshots;
            uint64_t gaps;      // jumps in a tile's positions; each is repaired by a RESUME
            uint64_t malformed; // messages that are none
            uint64_t bad_checksums;

            // at the end
            uint64_t mismatches; // pixels that are not what they ought to be
            uint64_t behind;     // tiles whose position was not that of a gateway in time
            uint64_t errors;     // comparisons that could not be made
        };
    };

    int64_t first_draw_us; // 0 = none
    int64_t last_verdict_us;
    int64_t started_us;
    int64_t all_open_us; // when the last of the process' connections was open first; 0 = not yet
    uint64_t cpu_us;     // of the process, at its end

    struct hist connect_us; // from connect() to WELCOME
    struct hist ack_us;     // from the first sending of a draw to PLACED
    struct hist seen_us;    // from there to the TILE frame at a watching connection
    struct hist read_us;    // of that and all else that came: from its arrival in the kernel to our reading it
};

_Static_assert(offsetof(struct load_stats, errors) == (LOAD_COUNTERS - 1) * sizeof(uint64_t),
               "errors is the last counter");

void load_stats_merge(struct load_stats *sum, const struct load_stats *from);

// Draws that nobody answered, or that are not where they ought to be: whether the run failed.
bool load_stats_failed(const struct load_stats *sum);

void load_stats_progress(FILE *out, const struct load_stats *sum, const struct load_stats *before, uint64_t wanted,
                         double seconds);
void load_stats_print(FILE *out, const struct load_options *options, const struct load_stats *sum);
// 0 or ERR_IO.
MUST_CHECK int load_stats_write_json(const char *path, const struct load_options *options,
                                     const struct load_stats *sum);
