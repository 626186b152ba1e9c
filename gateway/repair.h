// The rules by which a replica finds out that it is behind or wrong, and what it does about it. Pure.
//
// What follows from an update of the bus is in common/core/replica.h. Here: a beat of the bus, a position read from
// Redis, and the log read from Redis.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/position.h"
#include "gateway/store.h"

#define REPAIR_ENTRIES_MAX 64u      // further behind than this: a snapshot is cheaper
#define REPAIR_PLACEMENTS_MAX 8192u // the same in placements
// To be asked of store_log: those, the entry that ends at my position, and one more that shows that it is too far.
#define REPAIR_ASK_ENTRIES (REPAIR_ENTRIES_MAX + 2u)

enum resync_reason {
    RESYNC_TOO_FAR,   // behind by more than the log is read for
    RESYNC_TRIMMED,   // the log begins after my position
    RESYNC_EPOCH,     // my placement is of another epoch there: histories that parted
    RESYNC_REWOUND,   // the store is behind what I have
    RESYNC_CHECKSUM,  // the same position, other pixels
    RESYNC_MALFORMED, // the log contradicts itself
    RESYNC_STUCK,     // several repairs did not bring me up to the bus
    RESYNC_REASONS,
};

// "too_far", "trimmed" …: label of the metric.
const char *resync_reason_name(enum resync_reason reason);

enum repair_action {
    REPAIR_NOTHING, // all is well, or what was read is merely older
    REPAIR_VERIFY,  // ask the store for the position
    REPAIR_LOG,     // read the log after my position
    REPAIR_RESYNC,  // start over from a snapshot, for `reason`
};

struct repair_judgement {
    enum repair_action action;
    enum resync_reason reason;
};

// A POSITION message. It comes in the order of the tile's updates, but a replica that was loaded meanwhile may be ahead
// of it: what does not fit is only a reason to look.
struct repair_judgement repair_judge_beat(struct position mine, uint64_t my_checksum, struct position beat,
                                          uint64_t beat_checksum);

// A position read from the store. `asked` is what my position was when the question left: the store may not be behind
// that.
struct repair_judgement repair_judge_position(struct position mine, uint64_t my_checksum, struct position asked,
                                              const struct store_position *stored);

struct repair_plan {
    size_t skip; // entries that only prove that our histories are the same; those after them are to be applied
    struct repair_judgement judgement; // REPAIR_NOTHING: go on with the entries; or REPAIR_RESYNC
};

// What store_log answered to (from = mine.seq, REPAIR_ASK_ENTRIES).
struct repair_plan repair_judge_log(struct position mine, const struct store_entry *entries, size_t count);
