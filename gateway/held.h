// One tile that the gateway holds: the replica, its recent updates, what is being done to bring it up to date, and what
// its watchers have been sent. Pure: tiles.c talks with bus and store for it, fanout.c with clients.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/monotime.h"
#include "common/core/replica.h"
#include "gateway/interest.h"
#include "gateway/pending.h"
#include "gateway/ring.h"
#include "gateway/shared_buf.h"

#define HELD_PENDING_MAX 65536u // bytes of updates kept while a read is under way
#define HELD_DELTAS 4u

// Its channel.
enum held_channel {
    HELD_CHANNEL_NONE,   // the bus is down
    HELD_CHANNEL_QUEUED, // waits until fewer subscriptions are under way
    HELD_CHANNEL_ASKED,  // SUBSCRIBE was sent
    HELD_CHANNEL_OPEN,   // confirmed: nothing is missed from here on
};

// What it needs from the store, in rising order: a greater need includes the smaller.
enum held_need { HELD_NEED_NOTHING, HELD_NEED_POSITION, HELD_NEED_LOG, HELD_NEED_SNAPSHOT };

// Which of the table's queues it is in.
enum held_queue { HELD_QUEUE_NONE, HELD_QUEUE_ASK, HELD_QUEUE_RETRY };

struct tiles;

// An encoded step from a position to `sent`, shared by all clients that lag there.
struct held_delta {
    struct position from;
    struct shared_buf *buf; // NULL: unused
};

// What fanout.c knows of it in one lane.
struct held_out {
    struct held *held;
    bool dirty, stalled;      // in the lane's list of that name; stalled: dirty, but waits for its snapshot
    uint32_t round;           // the lane's last round with something for it
    struct position sent;     // where every synced client of it is, once the round that is under way is over
    struct position before;   // where it was before that round
    struct monotime since;    // arrival of the oldest update that was not sent
    struct shared_buf *frame; // of the round under way
    struct held_delta deltas[HELD_DELTAS];
    uint32_t next_delta;
    TAILQ_ENTRY(held_out) dirty_link; // in dirty or stalled
    TAILQ_ENTRY(held_out) round_link;
};

TAILQ_HEAD(held_outs, held_out);

// Its snapshot, which is the same for all lanes.
struct held_snapshot {
    bool asked; // the worker makes one
    struct shared_buf *frame;
    struct position pos; // of the frame, if there is one
};

struct held {
    struct tile tile;
    uint32_t key; // tile_key
    struct tiles *tiles;

    struct replica replica;
    struct ring ring;
    struct pending pending;

    enum held_channel channel;
    bool loaded;
    enum held_need need;   // to be asked for
    enum held_need asking; // in flight
    enum held_queue queue;
    struct position asked;    // my position when the question left
    struct monotime heard;    // when its position was last confirmed by bus or store
    struct monotime again_at; // in HELD_QUEUE_RETRY: not before this
    struct monotime hurt;     // since when it is known to be behind or wrong; MONOTIME_NEVER: it is not
    uint32_t failures;        // answers in a row that were errors
    uint32_t attempts;        // repairs in a row that did not bring it up to date

    uint32_t pins;             // users beside audiences
    struct monotime unwatched; // since when nobody does
    bool lingering;            // in the list of those
    struct interest_tile watchers;
    bool ready;          // loaded: has something to send
    uint32_t generation; // changes whenever the replica starts over
    struct held_snapshot snapshot;
    struct held_out outs[INTEREST_LANES];

    UT_hash_handle hh;
    TAILQ_ENTRY(held) all_link, linger_link, channel_link, queue_link;
};

TAILQ_HEAD(held_list, held);

// What came of an update.
enum held_result {
    HELD_APPLIED,
    HELD_IGNORED,   // known, or of an epoch that is over
    HELD_GAP,       // behind, or in another epoch: read the log
    HELD_MALFORMED, // it cannot be; nothing changed
};

// No pixels yet. NULL without memory.
struct held *held_new(struct tile tile, uint32_t len, uint32_t ring_max);
// The caller has taken it out of every list.
void held_free(struct held *held);

// The replica starts over. 0 or ERR_MALFORMED (nothing changed).
MUST_CHECK int held_load(struct held *held, struct position pos, const uint8_t *px, size_t len);

// Applies an update to a loaded tile and keeps it in the ring.
enum held_result held_apply(struct held *held, const struct replica_update *update);

// Bytes that it may come to, without what is shared with clients: for the memory cap.
size_t held_cost(uint32_t len, uint32_t ring_max);
// Bytes allocated now.
size_t held_bytes(const struct held *held);
