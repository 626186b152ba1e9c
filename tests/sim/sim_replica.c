#include "tests/sim/sim_replica.h"

static enum mutant mutant;

void sim_replica_init(enum mutant which)
{
    mutant = which;
}

int sim_replica_apply(struct replica *replica, const struct replica_update *update, uint16_t colors, uint32_t *applied)
{
    int result = replica_apply(replica, update, colors, applied);
    if (mutant != MUTANT_GAP_IGNORED || (result != REPLICA_GAP && result != REPLICA_EPOCH))
        return result;
    replica->pos = (struct position){update->prev_epoch, update->first - 1};
    return replica_apply(replica, update, colors, applied);
}
