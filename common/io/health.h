// Says when a process can serve and when it cannot: in the log, as a metric, and to systemd (notify.h).
//
//   STARTING ──can serve──► READY ◄──► NOT READY ──health_stopping──► STOPPING
//
// systemd hears READY=1 when the process can serve for the first time, RELOADING=1 and READY=1 around a reload,
// STOPPING=1, what is missing as STATUS=, and WATCHDOG=1 as long as the loop turns.
#pragma once

#include <stdbool.h>

#include "common/core/err.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "common/io/metrics_http.h"
#include "common/io/notify.h"

struct health {
    struct loop *loop;
    metrics_ready_cb *on_ready;
    void *arg;
    const char *listen;
    struct notify notify;
    struct loop_timer timer;
    struct monotime petted;
    char reason[128]; // why it is not ready, as last said
    int64_t ready;
    bool was_ready, stopping;
};

// Begins to look, four times a second and more at the start. `listen` is what the line "ready" names; it and the rest
// outlive it.
void health_start(struct health *health, struct loop *loop, metrics_ready_cb *on_ready, void *arg, const char *listen);

// The gauge `name`, 1 or 0. As metrics_add.
MUST_CHECK int health_add_metric(struct health *health, struct metrics *metrics, const char *name);

void health_reloading(struct health *health);
void health_reloaded(struct health *health);
void health_stopping(struct health *health);

// Harmless when it was not started.
void health_stop(struct health *health);
