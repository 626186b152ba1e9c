// Steps that the tests of the hub in its made-up world (hub_world.h) are made of.
#pragma once

#include "check.h"
#include "hub_world.h"

#define STEPS_WIDE 1000000u // a socket that never fills up

// Each test has a hub of its own, with the bus and the store up.
int steps_begin(void **state);
int steps_end(void **state);
#define STEPS(test_) cmocka_unit_test_setup_teardown(test_, steps_begin, steps_end)

// Of the hub: changed before steps_restart, which begins anew with them.
extern struct hub_options steps_options;
void steps_restart(void);

// Bus, store and worker do all they have to; a few milliseconds pass.
void steps_work(void);
// All clients read all that has come.
void steps_read_all(void);
// Client 0 watches tile 0, which has placements already.
void steps_watch_one(void);
// So many batches of a placement, of which the bus tells nothing.
void steps_place_and_lose(unsigned tile, unsigned batches);
// After some time everybody has what Redis has.
void steps_assert_healed(void);
