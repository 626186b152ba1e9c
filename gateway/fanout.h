// What goes to whom, and when. Pure: time comes in, bytes go out through ws_conn.h.
//
// Clients are dealt out over lanes, each of which has its own idea of what was sent of a tile, and its own tick. A tick
// starts a round of the lane. The round moves each dirty tile's `sent` up to its replica, encodes the step once, joins
// the steps for each audience, and writes them to its clients, a slice per turn of the loop:
//
//   updates ──► dirty tiles ──tick──► round: frame per tile ──► buffer per audience ──► one write per synced client
//                  │  ▲                                                                    │ socket full
//     ring too     ▼  │ snapshot                                                           ▼
//     short      stalled                    lagging: positions of its own ──► pump: ring, or snapshot ──► synced
//
// One lane's round is under way at a time. What comes meanwhile waits neither for all clients to be served nor for the
// next time that they are, but leaves with the lane that begins next: a client waits for its lane's tick, and for that
// lane's share of the clients.
//
//   lane 0  ▓▓▓▓············▓▓▓▓············    a tick is as long as all lanes' rounds take together and a little more,
//   lane 1  ····▓▓▓▓············▓▓▓▓········    and the same for each client as if all were one lane
//   lane 2  ········▓▓▓▓············▓▓▓▓····
//
// A lane gets `lane_clients` clients one after the other, before the next one does: small crowds are one lane, and
// those whose memory lies together are served together.
//
// Where a client is, tile by tile:
//   lagging             client->lag says
//   synced              at `sent` of its lane's held_out; or, in a round of its lane that has not reached it yet
//                       (client->round is not the round's number) and of whose tiles this is one, at `before`
// So whoever becomes synced while a round is under way takes the round's number: it has all that the round brings. And
// whose socket was full starts to lag at exactly the positions that it was left with. Nobody misses a placement, nobody
// gets one twice.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/core/err.h"
#include "common/core/hist.h"
#include "common/core/monotime.h"
#include "gateway/held.h"
#include "gateway/hub.h"
#include "gateway/interest.h"

#define FANOUT_LANES INTEREST_LANES
// The position of synced clients of a tile that started over: no history contains it.
#define FANOUT_NOWHERE ((struct position){UINT64_MAX, 0})

enum lag_queue {
    LAG_READY,   // to be pumped
    LAG_WAITING, // for its lane's next round, a tile or a snapshot
    LAG_BLOCKED, // its socket is full: hub_writable comes
};

struct lag {
    TAILQ_ENTRY(lag) link;
    struct hub_client *client;
    uint32_t lane; // in whose list it waits
    enum lag_queue queue;
    uint32_t cursor;   // tile to go on with
    uint32_t count;    // tiles
    bool misses, told; // a tile that is not loaded; that this is so
    struct monotime misses_since;
    struct position pos[]; // in the order of the audience's tiles
};

TAILQ_HEAD(lag_list, lag);

struct lane {
    struct held_outs dirty, stalled;
    struct monotime next;    // no round begins before
    uint32_t round;          // number of the round under way, or of the last one
    int64_t cost_us;         // of the last round
    struct lag_list waiting; // LAG_WAITING
    bool woken;              // something came that those who wait may wait for
};

struct fanout_stats {
    uint64_t rounds, writes, frames, bytes, snapshots, full_sockets;
    struct hist round_us; // from start to end of a lane's round
    struct hist delay_us; // from the arrival of a round's oldest update to the end of the round
    int64_t tick_us, lagging;
};

struct fanout_options {
    uint32_t tick_min_ms, tick_max_ms;
    uint32_t slice_clients, lane_clients;
    // Asks for held's snapshot to be compressed: fanout_snapshot follows, unless it returns false.
    bool (*ask_snapshot)(struct held *held, void *arg);
    // fanout_due may have become earlier.
    void (*on_work)(void *arg);
    void *arg;
};

struct fanout {
    struct interest *interest;
    struct fanout_options options;
    struct fanout_stats stats;

    struct lane lanes[FANOUT_LANES];
    uint32_t filling; // the lane that new clients get into
    uint32_t filled;  // so many in a row have

    // The round under way.
    bool active;
    bool ended;       // it is over, but not accounted for
    struct lane *now; // the lane whose round it is, or was
    struct held_outs round_tiles;
    struct audience **audiences;
    uint32_t audience_count, audience_capacity;
    uint32_t at, client_at; // audience and client that come next
    struct shared_buf *buf; // for audience `at`
    uint32_t buf_tiles;     // of how many tiles
    struct monotime started, oldest;
    int64_t spent_us;

    // Lagging clients.
    struct lag_list ready, blocked; // LAG_READY, LAG_BLOCKED
    uint32_t generations;
    bool starved;      // some wait for what there was no memory or room for
    size_t kept_bytes; // of the snapshots and deltas that tiles keep, and of all lags
    struct monotime complain_at;
};

void fanout_init(struct fanout *fanout, struct interest *interest, const struct fanout_options *options);
// All clients and tiles have left.
void fanout_fini(struct fanout *fanout);

// ---- Tiles ---------------------------------------------------------------------------------------------------------

// It was loaded for the first time.
void fanout_loaded(struct fanout *fanout, struct held *held);
// It started over: its clients need a snapshot, whatever they have.
void fanout_replaced(struct fanout *fanout, struct held *held, struct monotime now);
// Updates were applied.
void fanout_updated(struct fanout *fanout, struct held *held, struct monotime now);
// Answers ask_snapshot, if the tile still has the generation of the question. `buf` (borrowed) is NULL if it failed.
void fanout_snapshot(struct fanout *fanout, struct held *held, struct shared_buf *buf, struct position pos);
// It goes. Nobody watches it.
void fanout_forget(struct fanout *fanout, struct held *held);

// ---- Clients -------------------------------------------------------------------------------------------------------

// The lane that the client is in, or is to be in when it is new.
uint32_t fanout_lane(const struct fanout *fanout, const struct hub_client *client);
// Moves a client (new, or from another audience) into `audience`. Tiles that it watched before go
// on from where it is, the others from `given`, in the order of the audience's tiles. ERR_NOMEM: nothing changed, and
// an audience that got no client is settled.
MUST_CHECK int fanout_watch(struct fanout *fanout, struct hub_client *client, struct audience *audience,
                            const struct position *given);
// Tile `index` of its audience starts over from `pos`. ERR_NOMEM.
MUST_CHECK int fanout_resume(struct fanout *fanout, struct hub_client *client, uint32_t index, struct position pos);
void fanout_leave(struct fanout *fanout, struct hub_client *client);
void fanout_writable(struct fanout *fanout, struct hub_client *client);

// ---- Time ----------------------------------------------------------------------------------------------------------

// When fanout_run has something to do; MONOTIME_NEVER if nothing.
struct monotime fanout_due(const struct fanout *fanout, struct monotime now);
// One slice of the round and of the pump. Its caller measures it, and then says how long it took and what time it is:
// the tick follows from that.
void fanout_run(struct fanout *fanout, struct monotime now);
void fanout_spent(struct fanout *fanout, int64_t us, struct monotime now);
// Now and then: those who wait look again if what they wait for failed for want of memory; and who has missed a tile
// for 5 s is told ERROR TILE_UNAVAILABLE.
void fanout_sweep(struct fanout *fanout, struct monotime now);

// ---- Between the files of the fan-out ------------------------------------------------------------------------------

// Something came that those who wait may wait for, in this lane or in all.
void fanout_wake_lane(struct fanout *fanout, struct lane *lane);
void fanout_wake(struct fanout *fanout);
void fanout_make_clean(struct lane *lane, struct held_out *out);
// From dirty to stalled, where it stays until its snapshot comes.
void fanout_stall(struct lane *lane, struct held_out *out);
// The step from `from` to sent, encoded once and kept; both are in the ring. A reference for the caller, or NULL.
struct shared_buf *fanout_delta(struct fanout *fanout, struct held_out *out, struct position from);
void fanout_keep_delta(struct fanout *fanout, struct held_out *out, struct position from, struct shared_buf *buf);
void fanout_drop_deltas(struct fanout *fanout, struct held_out *out);
// The snapshot, if the ring goes on from it; else NULL, and one is asked for. Borrowed.
struct shared_buf *fanout_usable_snapshot(struct fanout *fanout, struct held *held);
struct position fanout_position(const struct fanout *fanout, const struct hub_client *client, uint32_t index);
void fanout_count_write(struct fanout *fanout, const struct shared_buf *buf);

// Takes in the lane's dirty tiles. Without memory, or when none has something to send now, no round begins.
void round_begin(struct fanout *fanout, struct lane *lane, struct monotime now);
void round_slice(struct fanout *fanout);
// The round that ended is paid for: says when the lane's next may begin.
void round_account(struct fanout *fanout, struct monotime now);

// Memory for the positions of `count` tiles. NULL without memory.
struct lag *pump_new(struct hub_client *client, uint32_t count);
// The client lags at these positions, which become its own.
void pump_enter(struct fanout *fanout, struct lag *lag, enum lag_queue queue);
// The client, synced so far, lags from where it is. ERR_NOMEM.
MUST_CHECK int pump_start(struct fanout *fanout, struct hub_client *client, enum lag_queue queue);
void pump_move(struct fanout *fanout, struct lag *lag, enum lag_queue queue);
// It no longer lags, if it did.
void pump_end(struct fanout *fanout, struct hub_client *client);
// Nobody's position of this tile holds any longer.
void pump_invalidate(struct fanout *fanout, const struct held *held);
void pump_complain(struct fanout *fanout, struct monotime now);
bool pump_has_work(const struct fanout *fanout);
void pump_run(struct fanout *fanout);
