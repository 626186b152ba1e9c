// What lies behind the edge, for the target that drives the whole public port: hub, cluster, store and content as fakes
// that remember each question until the input answers it. (The hub has a target of its own, fuzz_hub.c.)
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gateway/edge.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/edge_facts.h"

struct edge_back {
    struct cluster_events events;
    struct shared_buf *next; // for the first client that may be written to again; NULL: nothing is
    unsigned draws_max;      // in flight of one client
};

extern struct edge_back edge_back;

void edge_back_begin(void);
// One of the questions that wait is answered, as the input says. False: none waits.
bool edge_back_answer(struct fuzz_in *in);
// A draw that waits gets its verdict. False: none waits.
bool edge_back_verdict(struct fuzz_in *in);
// All that waits is answered; nothing may wait after it.
void edge_back_end(void);

// What it has on the heap.
size_t edge_back_bytes(void);

// A ready frame: a TILE of `count` updates.
struct shared_buf *edge_back_frame(unsigned count);
// The edge is asked to send it to one of the joined clients, by number.
void edge_back_send(unsigned number, struct shared_buf *frame);
