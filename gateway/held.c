#include "gateway/held.h"

#include <stdlib.h>

#include "common/core/palette.h"

struct held *held_new(struct tile tile, uint32_t len, uint32_t ring_max)
{
    struct held *held = calloc(1, sizeof *held);
    if (held == NULL)
        return NULL;
    if (replica_init(&held->replica, len) != 0) {
        free(held);
        return NULL;
    }
    held->tile = tile;
    held->key = tile_key(tile);
    held->hurt = MONOTIME_NEVER;
    for (unsigned lane = 0; lane < INTEREST_LANES; lane++)
        held->outs[lane].held = held;
    ring_init(&held->ring, ring_max);
    pending_init(&held->pending, HELD_PENDING_MAX);
    return held;
}

void held_free(struct held *held)
{
    replica_fini(&held->replica);
    ring_fini(&held->ring);
    pending_fini(&held->pending);
    interest_tile_fini(&held->watchers);
    free(held);
}

int held_load(struct held *held, struct position pos, const uint8_t *px, size_t len)
{
    int err = replica_load(&held->replica, pos, px, len);
    if (err != 0)
        return err;
    ring_restart(&held->ring, pos);
    held->loaded = true;
    return 0;
}

enum held_result held_apply(struct held *held, const struct replica_update *update)
{
    // Epochs only grow: whoever wrote this has lost the tile, and what it wrote before that is contained in mine.
    if (update->epoch < held->replica.pos.epoch)
        return HELD_IGNORED;
    uint32_t applied;
    // Colors were judged by the shard, which may know of a larger palette than this gateway does yet.
    int result = replica_apply(&held->replica, update, PALETTE_COLORS_MAX, &applied);
    if (result == REPLICA_IGNORED)
        return HELD_IGNORED;
    if (result == REPLICA_GAP || result == REPLICA_EPOCH)
        return HELD_GAP;
    if (result != REPLICA_APPLIED)
        return HELD_MALFORMED;
    const uint8_t *fresh = update->records + (size_t)(update->count - applied) * REPLICA_RECORD_LEN;
    ring_push(&held->ring, update->epoch, applied, fresh);
    return HELD_APPLIED;
}

size_t held_cost(uint32_t len, uint32_t ring_max)
{
    struct ring ring;
    ring_init(&ring, ring_max);
    return sizeof(struct held) + len + (size_t)ring.max * REPLICA_RECORD_LEN;
}

size_t held_bytes(const struct held *held)
{
    return sizeof *held + held->replica.len + ring_bytes(&held->ring) + held->pending.capacity;
}
