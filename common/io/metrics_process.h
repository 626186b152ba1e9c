// What every process tells of itself, under the names that Prometheus' own libraries use, and its version.
#pragma once

#include "common/core/err.h"
#include "common/io/metrics.h"

// As metrics_add. Call it at the start: the time of the call counts as that of the process.
MUST_CHECK int metrics_process_add(struct metrics *metrics);
