// One simulation from its seed to its end: a cluster of some size, some clients, some faults; then quiet, and the
// question whether all is well.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/sim/ledger.h"
#include "tests/sim/mutant.h"

struct run_options {
    uint64_t seed;
    uint64_t events; // that happen before quiet
    enum mutant mutant;
    bool trace;
    FILE *record; // of client 0, or NULL
};

struct run_result {
    bool failed;
    char invariant[64];
    char failure[512];
    uint64_t events, steps, digest; // steps: timers included
    int64_t virtual_ms;
    int64_t quiet_ms;     // how long it took until everybody had an answer, and the same pixels
    int64_t converged_ms; // the pixels alone
    struct ledger_counts counts;
};

void run_seed(const struct run_options *options, struct run_result *result);
