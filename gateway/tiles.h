// The tiles that this gateway holds, and how each is kept equal to Redis.
//
//   held for the first time                    a watcher or a request needs it; the memory cap allows it
//     │ channel: QUEUED ──SUBSCRIBE──► ASKED ──confirmed──► OPEN          (bus down: all back to NONE)
//     ▼
//   need SNAPSHOT ──read──► loaded: updates are applied as they come      (while a read is under way: kept, bounded)
//     ▲                       │ gap, other epoch ──► need LOG ──read──► applied ──► the kept updates
//     │                       │ beat ahead       ──►     "
//     │                       │ not heard of, channel opened anew ──► need POSITION ──read──► equal; or LOG; or:
//     └── resync, counted by reason: too far behind, log trimmed, epochs parted, rewound, other checksum, stuck ◄──┘
//
//   watched by nobody ──► lingers ──linger_ms, or memory needed──► forgotten, UNSUBSCRIBE
//
// One read per tile is under way at a time, TILES_READS_MAX over all; the others wait in a queue. What fails waits 100
// ms, doubling to 3.2 s.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/hist.h"
#include "common/io/loop.h"
#include "gateway/bus.h"
#include "gateway/fanout.h"
#include "gateway/held.h"
#include "gateway/repair.h"
#include "gateway/store.h"

#define TILES_READS_MAX 64u    // reads of the store under way
#define TILES_SWEEP_MS 100     // the clock of polls, retries and lingering
#define TILES_POLL_MIN_MS 1500 // each tile is looked at once in this time,
#define TILES_POLL_MAX_MS 5000 // or, when there are many, as late as this, so as to
#define TILES_POLLS_PER_S 200  // poll no more than this;
#define TILES_HEARD_MS 400     // and is polled if all that was heard of it is older than that time less this
#define TILES_ATTEMPTS_MAX 3u  // repairs in a row without success before a resync

// In which time each of so many tiles is looked at once.
int64_t tiles_poll_ms(uint32_t count);

struct tiles_options {
    size_t memory; // bytes over all tiles, what is kept for clients, and who watches what
    uint32_t linger_ms;
    uint32_t ring_updates;
};

struct tiles_stats {
    uint64_t updates; // placements applied
    uint64_t ignored; // bus messages that said nothing new
    uint64_t epochs;  // changes of an epoch that were followed
    uint64_t gaps;    // times that a tile was found behind
    uint64_t repairs; // healed from the log
    uint64_t resyncs[RESYNC_REASONS];
    uint64_t polls;
    uint64_t overflows; // kept updates dropped
    uint64_t failures;  // reads that failed
    struct hist heal_us;
};

struct tiles {
    struct loop *loop;
    struct store *store;
    struct bus *bus;
    struct fanout *fanout;
    struct tiles_options options;
    // A tile was loaded for the first time.
    void (*on_loaded)(void *arg);
    void *arg;
    struct tiles_stats stats;

    uint32_t len; // pixels of a tile; 0: not configured
    struct geom geom;
    size_t cost; // of one tile, for the cap
    struct held *table;
    uint32_t count;
    struct held_list all;       // in the order of polling
    struct held_list lingering; // oldest first
    struct held_list channels;  // to be subscribed
    struct held_list asks;      // to be read
    struct held_list retries;   // failed
    uint32_t reads;             // under way
    struct loop_timer sweep;
    struct loop_deferred kick; // serves channels and asks at the end of the turn
};

// `bus` is set by the caller before the loop runs on.
void tiles_init(struct tiles *tiles, struct loop *loop, struct store *store, struct fanout *fanout,
                const struct tiles_options *options);
// Nobody watches any.
void tiles_fini(struct tiles *tiles);
void tiles_configure(struct tiles *tiles, const struct geom *geom);

// Pins `count` tiles, all on the canvas, holding those that are not held yet: they stay until tiles_release, and then
// as long as they are watched. `going` of the others are known to be given up before that release, and do not count. 0;
// ERR_FULL over the cap, ERR_NOMEM: none is pinned.
MUST_CHECK int tiles_hold(struct tiles *tiles, const struct tile *wanted, uint32_t count, uint32_t going,
                          struct held **out);
void tiles_release(struct tiles *tiles, struct held *const *helds, uint32_t count);
// All that counts is within the cap, lingering tiles having given way, once `going` bytes of it are gone.
bool tiles_make_room(struct tiles *tiles, size_t going);
// From interest: nobody watches it any more.
void tiles_unwatched(struct tiles *tiles, struct held *held);

struct held *tiles_find(const struct tiles *tiles, struct tile tile);
size_t tiles_bytes(const struct tiles *tiles);

// Asks where each of them is in Redis, whatever was heard.
void tiles_verify(struct tiles *tiles);
// From the bus.
void tiles_bus_up(struct tiles *tiles);
void tiles_bus_down(struct tiles *tiles);
void tiles_bus_open(struct tiles *tiles, struct tile tile);
void tiles_bus_message(struct tiles *tiles, struct tile tile, const struct bus_message *message);
// From the store: it is connected.
void tiles_store_up(struct tiles *tiles);

// ---- Between tiles.c and tiles_sync.c ------------------------------------------------------------------------------

// Asks for (at least) this; served at the end of the turn.
void tiles_need(struct tiles *tiles, struct held *held, enum held_need need);
// Reads as much of the queue as may be under way.
void tiles_read(struct tiles *tiles);
// Takes the tile out of the queues of reads, and gives up the answer that is still to come.
void tiles_forget_reads(struct tiles *tiles, struct held *held);
// Asks again what failed long enough ago.
void tiles_retry(struct tiles *tiles, struct monotime now);
