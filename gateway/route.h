// The way of each draw to the shard that owns its tile, and of its verdict back. Pure: `now` and decoded messages come
// in, what is to be done comes out when asked for.
//
//   route_submit --> tile's queue: [in flight, in first order][waiting] --route_next_forward--> link --> shard
//                                   ^                                                                      |
//                                   +--- NOT_OWNER, link lost: all of the tile wait in first order <-------+
//   route_next_verdict <------------------------------- VERDICTS ------------------------------------------+
//
// A tile sends on while its draws in flight go to its owner. Once one comes back, or the owner changes, the tile sends
// nothing until none of its draws is in flight any more: so two shards never have draws of one tile, and no draw
// overtakes another. What came back is sent again after 10 ms, doubling to 500 ms with every failure in a row. A draw
// that has no verdict after 3 s is answered UNAVAILABLE; if it is in flight then, its later verdict is dropped.
//
// After every call that takes something in, the caller asks route_next_link, route_wants_view and route_next_verdict
// until they are empty; route_next_forward at the end of the loop's turn; and calls route_tick when route_deadline has
// come. No draw allocates in steady state: records come from slabs that only grow.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/member.h"
#include "common/core/monotime.h"
#include "gateway/cluster_client.h"
#include "proto/limits.h"
#include "proto/link_proto.h"
#include "proto/ws_proto.h"

#define ROUTE_LINKS_MAX (2 * MEMBER_MAX) // members of the view, and as many that are leaving
#define ROUTE_RETRY_MIN_MS 10
#define ROUTE_RETRY_MAX_MS 500
#define ROUTE_GIVE_UP_MS 3000
#define ROUTE_UNAVAILABLE_WAIT_MS 1000 // in the verdict: when to ask again
#define ROUTE_LEAVE_MS 500             // a shard that left the view has so long to finish what it was sent

struct route;

// Counters only grow. All may be read at any time.
struct route_stats {
    int64_t waiting;    // draws that wait at this gateway
    int64_t in_flight;  // draws that a shard has, those answered UNAVAILABLE meanwhile included
    int64_t tiles;      // tiles with such draws
    uint64_t forwarded; // draws sent, repetitions included
    uint64_t refused;   // draws that came back with NOT_OWNER
    uint64_t lost;      // draws that came back because their link was lost
    uint64_t unavailable;
};

// NULL without memory.
struct route *route_new(void);
// Draws still unanswered are forgotten, without a verdict. Their clients are not touched.
void route_free(struct route *route);
const struct route_stats *route_stats(const struct route *route);

// Takes a draw of `client` on `tile`; draw->id is chosen here. ERR_FULL: LIMIT_GATEWAY_WAITING draws wait, or no
// memory; the caller answers OVERLOADED. Every draw that was taken gets exactly one verdict, unless its client is
// forgotten.
MUST_CHECK int route_submit(struct route *route, struct cluster_client *client, struct tile tile,
                            const struct link_draw *draw, struct monotime now);
// The client goes: its verdicts are dropped, its draws go on.
void route_forget(struct route *route, struct cluster_client *client);

// A view that was read just now; copied. Also the answer to route_wants_view, whatever its number is.
void route_set_view(struct route *route, const struct member_view *view, struct monotime now);
const struct member_view *route_view(const struct route *route);
// Somebody named the view `number`: if it is newer than ours, ours has to be read again.
void route_hint_view(struct route *route, uint64_t number);
bool route_wants_view(const struct route *route);

// Links are numbered slots. After route_set_view: which to open and which to close.
struct route_link_change {
    uint16_t slot;
    bool open;           // else close: the slot is free again, route_link_down is implied
    const char *address; // valid until the slot is closed
};
bool route_next_link(struct route *route, struct monotime now, struct route_link_change *out);
// The challenge of an open slot's link is done, or its link is lost (harmless when it was not up).
void route_link_up(struct route *route, uint16_t slot, struct monotime now);
void route_link_down(struct route *route, uint16_t slot, struct monotime now);

// VERDICTS and NOT_OWNER of a link. ERR_MALFORMED: names a draw that is not in flight there, or an unknown verdict;
// close the link.
MUST_CHECK int route_verdicts(struct route *route, uint16_t slot, const uint8_t *records, uint32_t count,
                              struct monotime now);
MUST_CHECK int route_not_owner(struct route *route, uint16_t slot, uint64_t view, const uint8_t *records,
                               uint32_t count, struct monotime now);

// When route_tick has something to do; MONOTIME_NEVER for nothing.
struct monotime route_deadline(const struct route *route);
void route_tick(struct route *route, struct monotime now);

// The next verdict for a client, and when its draw was submitted. May be called while its answer leads to route_submit
// or route_forget.
bool route_next_verdict(struct route *route, struct cluster_client **client, struct ws_verdict *verdict,
                        struct monotime *submitted);

// The next FORWARD: the draws count as sent. The memory is the route's, valid until the next call.
struct route_forward {
    uint16_t slot;
    uint64_t view;
    uint32_t refusals;
    uint32_t count; // 1 … LIMIT_BATCH_DRAWS
    const uint8_t *draws;
};
bool route_next_forward(struct route *route, struct route_forward *out);
bool route_has_forward(const struct route *route);
