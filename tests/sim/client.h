// The core of a client in C, as web/src has it in JavaScript: nonces, what is not answered yet, coming back with the
// same nonces and the positions it has, and a replica of each watched tile.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "tests/sim/mutant.h"
#include "tests/sim/nodes.h"

#define CLIENTS_MAX 12u

struct client_settings {
    uint32_t count, users, tiles, gateways;
    uint32_t side;   // draws fall into side * side pixels of each tile
    uint32_t window; // draws in flight at once, cooldown 0
    int64_t pace_us; // between two attempts to draw, on average
    uint32_t addresses;
    struct geom geom;
    uint16_t colors;
    uint32_t cooldown_ms;
    bool undisturbed; // nothing goes wrong: every draw is placed, soon, and no connection ends before it was moved
    enum mutant mutant;
    FILE *record; // what client 0 gets and shows, a line each, for tests/unit/js; NULL: nothing
};

void clients_begin(const struct client_settings *settings);
void clients_end(void);
// No new draw from now on.
void clients_rest(void);
// Nobody waits for an answer, and everybody is connected.
bool clients_quiet(void);
// Its socket is gone; it comes back by itself.
void client_drop(uint32_t number);
struct sim_proc *client_proc(uint32_t number);
// At quiet: whether it shows what the store has; else says what is not so (static text).
bool client_converged(uint32_t number, const char **why);
