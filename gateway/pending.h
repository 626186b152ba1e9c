// Updates that arrive while a tile is being read, in their order, bounded. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/replica.h"

struct pending {
    uint8_t *bytes;
    size_t len, capacity, max;
    bool lost; // more came than fits: what is here was dropped, and the log has to be read for it
};

// `max` in bytes. Allocates nothing.
void pending_init(struct pending *pending, size_t max);
void pending_fini(struct pending *pending);

// Copies an update to the end. Over the bound, or without memory, everything is dropped and `lost` set.
void pending_add(struct pending *pending, const struct replica_update *update);

// Forgets all, gives the memory back and clears `lost`.
void pending_clear(struct pending *pending);

// Walks from *at = 0 on; the records point into `pending`. False at the end.
bool pending_next(const struct pending *pending, size_t *at, struct replica_update *out);
