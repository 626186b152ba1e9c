// The metrics of a process, in Prometheus' text format 0.0.4.
//
// The values stay where they belong, plain integers that their owner counts up; the registry only knows where they are
// and what they mean. Modules describe theirs as static rows:
//
//   static const struct metrics_row rows[] = {
//       {.name = "tessera_draws_total", .type = METRICS_COUNTER, .help = "Draws received.", .value = &stats.draws},
//       {.name = "tessera_refused_total", .type = METRICS_COUNTER, .help = "...", .labels = "verdict=\"cooldown\"",
//       ...},
//   };
//
// Names end in their base unit (_seconds, _bytes) and counters in _total. Rows of one name follow each other.
#pragma once

#include "common/core/err.h"
#include "common/core/hist.h"

#include <stddef.h>
#include <stdint.h>

#define METRICS_ROWS_MAX 512

enum metrics_type {
    METRICS_COUNTER, // value: const uint64_t *
    METRICS_GAUGE,   // value: const int64_t *
    METRICS_HIST,    // value: const struct hist *
};

typedef double metrics_read_cb(void *arg);

struct metrics_row {
    const char *name;
    enum metrics_type type;
    const char *help;
    const char *labels;    // `a="b",c="d"` ready for output, or NULL
    const void *value;     // by type
    double scale;          // what one unit of the value is in the base unit (1e-6 for microseconds); 0 counts as 1
    metrics_read_cb *read; // counter or gauge computed when asked for, instead of value
    void *arg;             // for read
};

struct metrics {
    size_t count;
    struct metrics_row rows[METRICS_ROWS_MAX]; // copied; the texts and values they point to are not
};

void metrics_init(struct metrics *metrics);

// ERR_FULL: none of the rows was added. ERR_MALFORMED for a name or help that breaks the format.
MUST_CHECK int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count);

struct evbuffer;

// Appends all metrics as text. ERR_NOMEM.
MUST_CHECK int metrics_write(const struct metrics *metrics, struct evbuffer *out);
