// The windows of all connections on all tiles of this shard: a table in each tile, one list over all of them in the
// order of their last use, and a bound on their number. Pure.
//
// A window counts for WINDOWS_KEEP_MS after its last placement, as long as Redis believes the stored one. When the
// table is full the longest unused one goes, but none that was used within WINDOWS_PROMISE_MS.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/core/hash_table.h"
#include "common/core/monotime.h"
#include "shard/window.h"

#define WINDOWS_KEEP_MS 240000
#define WINDOWS_PROMISE_MS 120000
#define WINDOWS_MAX 1048576u

struct windows_key {
    uint64_t user;
    uint64_t connection;
};

struct windows_entry {
    struct windows_key key;
    struct window window;
    struct windows_tile *tile;
    struct monotime used;
    uint64_t mark; // for whoever looks it up more than once: which round, and which number there
    uint32_t number;
    TAILQ_ENTRY(windows_entry) by_use;
    UT_hash_handle hh;
};

TAILQ_HEAD(windows_list, windows_entry);

// Embedded in a tile; zeroed memory has none.
struct windows_tile {
    struct windows_entry *table;
};

struct windows {
    uint32_t count;
    uint32_t max;
    struct windows_list by_use; // longest unused first
    struct windows_list spare;
};

void windows_init(struct windows *windows, uint32_t max);
// After windows_clear of all tiles.
void windows_fini(struct windows *windows);

// Finds the window of a connection on a tile, or makes an empty one. NULL when there are too many. Valid until the next
// call of this, windows_clear or windows_expire.
struct windows_entry *windows_get(struct windows *windows, struct windows_tile *tile, const struct windows_key *key,
                                  struct monotime now);
// Only finds it; NULL when there is none.
const struct window *windows_find(const struct windows_tile *tile, const struct windows_key *key);
// It was used.
void windows_touch(struct windows *windows, struct windows_entry *entry, struct monotime now);
// Forgets those of a tile.
void windows_clear(struct windows *windows, struct windows_tile *tile);
// Forgets what no longer counts.
void windows_expire(struct windows *windows, struct monotime now);
