// The life of one process of the load client.
#pragma once

#include "tests/tools/load_api.h"
#include "tests/tools/load_image.h"
#include "tests/tools/load_options.h"
#include "tests/tools/load_seen.h"
#include "tests/tools/load_stats.h"

// What was prepared before the processes were made.
struct load_plan {
    const struct load_options *options;
    const struct load_canvas *canvas;
    const char (*tokens)[TOKEN_TEXT_SIZE]; // options->users of them
    const struct load_image *image;        // paint and replay; else NULL
    uint32_t *changes;
    uint32_t change_count;
    const struct load_image *expected; // of watching connections at the end, or NULL
    struct load_seen *seen;
};

// Connections of process `part`, without observers.
uint32_t load_run_share(const struct load_options *options, unsigned part);

// Runs process `part` to its end; everything it has to say goes to `stats` and standard error. 0, or an error when it
// could not run at all.
MUST_CHECK int load_run(const struct load_plan *plan, unsigned part, struct load_stats *stats);

// Connections of all processes, with observers.
uint64_t load_run_wanted(const struct load_plan *plan);
