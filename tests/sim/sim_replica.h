// Between the programs' replicas and their rule: where the mutant "gap-ignored" is.
#pragma once

#include "common/core/replica.h"
#include "tests/sim/mutant.h"

void sim_replica_init(enum mutant mutant);
MUST_CHECK int sim_replica_apply(struct replica *replica, const struct replica_update *update, uint16_t colors,
                                 uint32_t *applied);
