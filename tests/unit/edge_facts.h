// What the parts behind the edge are asked for and say at once: whether there is a canvas, how many are online, who may
// be written to. For tests of the edge whose hub and cluster are fakes: those answer all that takes time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/canvas_config.h"

struct edge_facts {
    struct canvas_config config;
    bool config_known; // else nothing is ready
    bool read_only;
    uint32_t online;
    uint32_t connections; // as the edge said last
};

// Of hub.h: ready, and holding the tiles of column 0. Of cluster.h: what stands here.
extern struct edge_facts edge_facts;
