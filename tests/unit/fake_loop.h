// The loop of common/io/loop.h on virtual time, for tests that link it instead. There is only one.
#pragma once

#include <stdint.h>

#include "common/io/loop.h"

// Nothing armed, nothing deferred, time 1 s.
void fake_loop_reset(void);

// Time passes, due timers fire in their order, then what was deferred runs once: one turn.
void fake_loop_turn(int64_t us);

// From now on each reading of loop_now_exact is so much later than the last: what was done between two seems to have
// cost that.
void fake_loop_cost(int64_t us);

// Any pointer will do as the loop.
struct loop *fake_loop(void);
