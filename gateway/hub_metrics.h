// The metrics of the hub's parts.
#pragma once

#include "common/core/err.h"
#include "common/io/metrics.h"
#include "gateway/bus.h"
#include "gateway/fanout.h"
#include "gateway/interest.h"
#include "gateway/snaps.h"
#include "gateway/tiles.h"

// All of them outlive the metrics' use.
struct hub_metrics_parts {
    struct tiles *tiles;
    struct interest *interest;
    struct fanout *fanout;
    struct snaps *snaps;
    const struct bus_stats *bus;
};

// As metrics_add.
MUST_CHECK int hub_metrics_add(struct metrics *metrics, const struct hub_metrics_parts *parts);
