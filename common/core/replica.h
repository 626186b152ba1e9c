// A copy of one tile in memory that follows the tile's updates, and knows when it may not.
//
// What to do with an update, where `mine` is the position of the replica and the update covers first … last:
//
//     same epoch    last <= mine           IGNORED  all of it is known
//                   first <= mine + 1      APPLIED  from mine + 1 on
//                   else                   GAP      read the stream after mine
//     other epoch   its previous position
//                   is mine                APPLIED
//                   else                   EPOCH    read the stream; its entry that ends at mine must carry my epoch,
//                                                   else start over from a snapshot
#pragma once

#include "common/core/err.h"
#include "common/core/position.h"

#include <stddef.h>
#include <stdint.h>

#define REPLICA_RECORD_LEN 3 // offset u16 little-endian, color u8

enum replica_result {
    REPLICA_APPLIED = 0,
    REPLICA_IGNORED = 1,
    REPLICA_GAP = 2,
    REPLICA_EPOCH = 3,
};

struct replica {
    struct position pos;
    uint64_t checksum; // mix_tile_checksum of px, kept up with every change
    uint32_t len;      // edge * edge
    uint8_t *px;       // len bytes, owned
};

struct replica_update {
    uint64_t prev_epoch;    // epoch of placement first - 1; 0 when first is 1
    uint64_t epoch;         // epoch of all placements of this update
    uint32_t first;         // number of the first record, from 1
    uint32_t count;         // records, at least 1
    const uint8_t *records; // count * REPLICA_RECORD_LEN bytes, in the order of their numbers
};

// An all-background tile that was never placed on. `len` is 1 … 65536. ERR_NOMEM.
MUST_CHECK int replica_init(struct replica *replica, uint32_t len);
void replica_fini(struct replica *replica);

// Starts over from a snapshot: `stored` may be shorter than the tile (the rest is background), may not be longer
// (ERR_MALFORMED, nothing changed). `stored` may be NULL when stored_len is 0. Colors are taken as they are stored.
MUST_CHECK int replica_load(struct replica *replica, struct position pos, const uint8_t *stored, size_t stored_len);

// Applies an update by the rules above. Returns an enum replica_result, or ERR_MALFORMED for an update that cannot be:
// no record, numbers outside 1 … 2^32-1, an epoch before its previous one, an offset outside the tile, a color not
// below `colors`. Then, as for every result but APPLIED, nothing has changed. When `applied` is not NULL it receives
// how many records at the end of the update were new.
MUST_CHECK int replica_apply(struct replica *replica, const struct replica_update *update, uint16_t colors,
                             uint32_t *applied);
