// One thread for compressing and PNG. Jobs run one after the other over memory that nobody changes meanwhile; their
// completion is called from the loop. The queue is bounded.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/core/err.h"
#include "common/io/loop.h"

struct worker;

// Embed; owned by the caller from worker_submit until `done` was called, which may free it.
struct worker_job {
    void (*run)(struct worker_job *job);  // on the worker thread
    void (*done)(struct worker_job *job); // on the loop
    bool urgent;                          // short, and somebody waits: goes before all that is not
    struct worker_job *next;
};

// NULL without memory, thread or descriptor.
struct worker *worker_new(struct loop *loop, size_t max_jobs);
// Runs what was submitted to its end: `done` of every job has been called when it returns.
void worker_free(struct worker *worker);
// 0 or ERR_FULL.
MUST_CHECK int worker_submit(struct worker *worker, struct worker_job *job);
