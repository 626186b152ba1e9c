// The heart of a shard: which tiles it owns, which draws wait for them, and what is to be asked of Redis. Pure: it sees
// no socket, clock or Redis. What happens is told by calls; what is to be done is asked for, until there is no more.
//
//   links:  place_draw ─► a tile's queue ─► place_next_batch ─► Redis ─► place_batch_* ─► place_next_answer ─► links
//   Redis:  place_connected, place_next_view ─► place_view_read, place_next_take ─► place_taken, place_next_beat
//
// Why nothing is lost or doubled:
// - A tile is in at most one batch, so the seq that Redis has is exactly known. Nor does the order of its draws ever
//   change: those of a batch that was fenced, or of unknown outcome, go back to the front of their tile's queue.
// - Only a tile that was taken on the present connection is placed on. place_disconnected makes all unowned; the take
//   raises the epoch, so that whatever of the old connection still arrives at Redis is fenced, and it tells what was
//   placed (seq, windows), so that what was placed before is recognised when it is sent again.
// - A tile that meets the fence is given up and the view read anew. It is taken again only if that view says so, and a
//   taking is refused when the tile was taken in a newer view: an epoch is never raised to win.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/hist.h"
#include "common/core/member.h"
#include "common/core/monotime.h"
#include "common/core/position.h"
#include "proto/canvas_config.h"
#include "proto/limits.h"
#include "proto/verdict.h"
#include "shard/draw.h"
#include "shard/peer.h"

#define PLACE_BATCHES_MAX 4u // scripts in flight
#define PLACE_TAKES_MAX 32u  // takings in flight
#define PLACE_HOLD_MS 500    // how long a draw waits for its tile to be owned
#define PLACE_TRY_MS 3000    // how long it is tried again, as long as a gateway waits for it
#define PLACE_BEAT_EVERY_MS 1000
#define PLACE_BEAT_AFTER_MS 3000 // tiles placed on within this time have position beats

struct place;
struct batch;

struct place_options {
    const char *address; // ours, as in the view; must outlive the place
    uint64_t incarnation;
    uint32_t waiting_max; // draws; 0 = LIMIT_SHARD_WAITING
    uint32_t windows_max; // 0 = WINDOWS_MAX
};

struct place_stats {
    uint64_t verdicts[VERDICT_COUNT];
    uint64_t not_owner; // draws answered so
    uint64_t batches, takes, takes_refused, fenced, rewound, unknown, beats;
    struct hist batch_draws;
    int64_t waiting; // draws that are here now
    int64_t owned;   // tiles
    int64_t windows;
};

// NULL without memory.
struct place *place_new(const struct place_options *options);
void place_free(struct place *place);
const struct place_stats *place_stats(struct place *place);

// The configuration, at first and whenever it changed; copied. Before it is known a draw is answered NOT_OWNER and its
// link has to be closed.
void place_set_config(struct place *place, const struct canvas_config *config);
// Redis is nearly full: every draw is refused READ_ONLY.
void place_set_pressure(struct place *place, bool pressure);

// ---- Links: `peer` is a number below LIMIT_SHARD_LINKS -------------------------------------------------------------

struct peer *place_peer(struct place *place, uint16_t peer);
// Draws of a closed link that wait are dropped, unanswered; those in flight go on.
void place_peer_open(struct place *place, uint16_t peer);
void place_peer_close(struct place *place, uint16_t peer);

// A FORWARD begins. ERR_MALFORMED: close the link.
MUST_CHECK int place_forward(struct place *place, uint16_t peer, uint64_t view, uint32_t refusals);

enum place_result {
    PLACE_QUEUED = 0,  // answered later, by place_next_answer
    PLACE_DECIDED = 1, // `verdict` is the answer
    PLACE_NOT_OWNER = 2,
};
// One of its draws. When the peer is `broken`, or has more than LIMIT_LINK_IN_FLIGHT draws in flight, the link has to
// be closed.
enum place_result place_draw(struct place *place, struct monotime now, uint16_t peer, const struct link_draw *draw,
                             struct link_verdict *verdict);

// The next draw that has its answer (`not_owner`, or `verdict`), for the link it came from if that still has its
// generation; NULL when there is none. Give it back with place_release. When all of one turn were taken and sent, call
// peer_flushed for each link that got a NOT_OWNER.
struct draw *place_next_answer(struct place *place);
void place_release(struct place *place, struct draw *draw);

// ---- Redis ---------------------------------------------------------------------------------------------------------

// A new connection is up and we are a member on it. All tiles have to be taken anew, after the view was read.
void place_connected(struct place *place);
// It broke, or we were evicted. Every batch and taking in flight has to be told of (unknown, failed) before or after.
void place_disconnected(struct place *place, struct monotime now);
// A backup is being put in place of what is there: all that is known of tiles is void, and each is taken anew.
void place_restored(struct place *place, struct monotime now);
// We leave: nothing new is placed, everything that waits is answered NOT_OWNER.
void place_leave(struct place *place);
bool place_is_leaving(const struct place *place);
// Nothing is in flight or waiting.
bool place_is_quiet(const struct place *place);

// A newer view exists (VIEW on the bus, or a beat said so).
void place_view_hint(struct place *place, uint64_t view);
// true: start to read the view now and report with place_view_read; `view` NULL: it could not be read.
bool place_next_view(struct place *place);
void place_view_read(struct place *place, struct monotime now, const struct member_view *view);
// The greatest number of a view that is known of: whoever has an older one should read it.
uint64_t place_view(const struct place *place);

struct place_take {
    struct tile tile;
    uint64_t view;
};
// A tile to take now.
bool place_next_take(struct place *place, struct place_take *out);
struct place_taken {
    uint64_t epoch;
    struct position pos;
    const uint8_t *px;
    size_t px_len;
};
// The reply of take.lua; then, for each field of both its windows in turn, place_taken_window.
void place_taken(struct place *place, struct monotime now, struct tile tile, const struct place_taken *taken);
void place_taken_window(struct place *place, struct monotime now, struct tile tile, const void *field, size_t field_len,
                        const void *value, size_t value_len);
// Refused for a newer view, or (stored_view 0) unknown.
void place_take_failed(struct place *place, struct monotime now, struct tile tile, uint64_t stored_view);
// Redis may not write, or the tile is damaged: its draws are READ_ONLY.
void place_take_refused(struct place *place, struct tile tile);

// ---- Batches -------------------------------------------------------------------------------------------------------

#define BATCH_KEYS_MAX (LIMIT_BATCH_DRAWS * 8u)
#define BATCH_ARGS_MAX (5u + LIMIT_BATCH_DRAWS * 13u)

struct batch_arg {
    const void *data;
    size_t len;
};

// KEYS and ARGV of place.lua, valid until the next call of place_next_batch.
struct batch_args {
    const struct batch_arg *keys;
    size_t key_count;
    const struct batch_arg *args;
    size_t arg_count;
};

// Of each tile of the reply of place.lua, in its order.
struct batch_result {
    int64_t status;
    const uint8_t *colors;
    size_t colors_len;
    const uint8_t *verdicts;
    size_t verdicts_len;
};

// A batch to send now, or NULL. While none is in flight a draw goes out at once; the more are in flight, the fuller the
// next one has to be. Each must come back through exactly one of the three below.
struct batch *place_next_batch(struct place *place, struct monotime now, struct batch_args *args);
uint32_t batch_tiles(const struct batch *batch);
struct monotime batch_sent(const struct batch *batch);

// ERR_MALFORMED: the reply cannot be; nothing was done: break the connection and report it unknown.
MUST_CHECK int place_batch_done(struct place *place, struct monotime now, struct batch *batch,
                                const struct batch_result *results, size_t count);
// Nobody knows whether it was done.
void place_batch_unknown(struct place *place, struct monotime now, struct batch *batch);
// Redis said that it may not write now (OOM, MISCONF): READ_ONLY.
void place_batch_refused(struct place *place, struct monotime now, struct batch *batch);

// ---- Time ----------------------------------------------------------------------------------------------------------

// Refuses what was held too long, forgets old windows, measures the rate, makes position beats due. Call it every 50 ms
// or so.
void place_tick(struct place *place, struct monotime now);

struct place_beat {
    struct tile tile;
    uint64_t epoch;
    uint32_t seq;
    uint64_t checksum;
    uint32_t placed; // placements of ours since the last beat
};
// The next position beat that is due, to be sent before the next batch; false when there is none.
bool place_next_beat(struct place *place, struct place_beat *out);
// position.lua answered FENCED or REWOUND to it.
void place_beat_failed(struct place *place, struct monotime now, const struct place_beat *beat);
