// What the files of route share. Not for others.
#pragma once

#include <utlist.h>

#include "common/core/hash_table.h"
#include "gateway/route.h"

#define ROUTE_SLAB_DRAWS 1024u
// More than can be under way: all that may wait, all that all links may have in flight, and verdicts not yet taken.
#define ROUTE_SLABS_MAX ((LIMIT_GATEWAY_WAITING * 2u + ROUTE_LINKS_MAX * LIMIT_LINK_IN_FLIGHT) / ROUTE_SLAB_DRAWS)
#define ROUTE_IDLE_TILES_MAX 4096u // tiles without draws that keep their place in the table
#define ROUTE_HOLD_CLASSES 7u      // 10, 20, 40 … 320, 500 ms
#define ROUTE_NO_SLOT UINT16_MAX

// A draw is in its tile's queue while WAITING or FLIGHT, in its client's list while it has a client, and in one list by
// age.
enum route_draw_state {
    ROUTE_DRAW_FREE,
    ROUTE_DRAW_WAITING, // in route->pending
    ROUTE_DRAW_FLIGHT,  // in route->pending; once it was told UNAVAILABLE: in route->done until that is taken, then in
                        // none
    ROUTE_DRAW_DONE,    // in route->done
};

struct route_draw {
    struct link_draw draw;
    struct cluster_client *client; // NULL: nobody waits for the verdict
    struct route_tile *tile;
    struct route_draw *queue_prev, *queue_next;
    struct route_draw *client_prev, *client_next;
    struct route_draw *age_prev, *age_next; // free records: age_next
    struct monotime submitted;
    enum route_draw_state state;
    bool uncertain;     // came back: an earlier attempt may have placed it
    bool told;          // FLIGHT: answered UNAVAILABLE already
    bool verdict_waits; // in route->done
    struct ws_verdict verdict;
};

// Where a tile is listed. Whoever changes it goes through route_tile_place.
enum route_place {
    ROUTE_PLACE_NONE,  // waits for its draws in flight, for a view, or for its owner's link; or has nothing to send
    ROUTE_PLACE_READY, // in its owner's link->ready
    ROUTE_PLACE_HELD,  // in route->held[class] until retry_at
    ROUTE_PLACE_IDLE,  // in route->idle: no draws
};

struct route_tile {
    uint32_t key;
    struct tile tile;
    struct route_draw *queue;     // all in their first order
    struct route_draw *next_send; // first that waits; meaningless while `refused` and others are in flight
    uint32_t in_flight, waiting;
    uint32_t failures; // in a row
    bool refused;      // something came back, and nothing was sent since
    enum route_place place;
    uint16_t flight_slot; // where in_flight draws are
    uint16_t ready_slot;  // whose link->ready it is in
    uint16_t owner_slot;  // by the view of owner_generation; ROUTE_NO_SLOT: nobody
    uint64_t owner_generation;
    uint32_t hold_class;
    struct monotime retry_at;
    struct route_tile *prev, *next; // of the place
    UT_hash_handle hh;
};

struct route_link {
    char address[MEMBER_ADDRESS_SIZE];
    bool used, opened, up, in_view;
    bool sendable; // in route->sendable: up, has ready tiles and room
    uint32_t in_flight;
    uint32_t refusals;
    struct monotime leave_at;
    struct route_tile *ready;
    struct route_link *prev, *next;
};

struct route {
    struct member_view view;
    uint64_t generation;          // grows with each view that was set
    uint16_t slot_of[MEMBER_MAX]; // of view.members
    bool view_stale;
    bool links_changed;
    uint16_t leaving; // opened links that are not in the view
    struct route_link links[ROUTE_LINKS_MAX];
    struct route_link *sendable;
    struct route_tile *tiles; // table by key
    struct route_tile *idle;  // oldest first
    uint32_t idle_count;
    struct route_tile *held[ROUTE_HOLD_CLASSES];
    struct route_draw *pending; // without a verdict, oldest first
    struct route_draw *done;    // verdicts to be taken
    struct route_draw *slabs[ROUTE_SLABS_MAX];
    uint32_t slab_count;
    struct route_draw *free;
    struct route_stats stats;
    uint8_t batch[LIMIT_BATCH_DRAWS * LINK_DRAW_LEN];
};

// ---- route_pool.c: records, and what lists they are in -------------------------------------------------------------

struct route_draw *route_draw_take(struct route *route);
void route_draw_release(struct route *route, struct route_draw *draw);
// The record of an id that a shard named, or NULL.
struct route_draw *route_draw_by_id(struct route *route, uint32_t id);
// Answers a draw that has left its tile's queue: released, or put where route_next_verdict finds it.
void route_draw_finish(struct route *route, struct route_draw *draw, const struct link_verdict *verdict);
// Answers one that stays in flight: what comes for it later is dropped.
void route_draw_tell(struct route *route, struct route_draw *draw, const struct link_verdict *verdict);

// ---- route_tile.c: what a tile may do next -------------------------------------------------------------------------

// The tile's record, made if need be; NULL without memory.
struct route_tile *route_tile_get(struct route *route, struct tile tile);
void route_tile_append(struct route *route, struct route_tile *tile, struct route_draw *draw);
// Takes a draw out of its queue, in whatever state, and counts. An empty tile becomes idle.
void route_tile_remove(struct route *route, struct route_draw *draw);
// A draw in flight is waiting again. The caller decides about holding when it has put back all.
void route_tile_put_back(struct route *route, struct route_draw *draw);
// Something came back: sends nothing for a while, longer each time. Once per round.
void route_tile_hold(struct route *route, struct route_tile *tile, struct monotime now);
// Lists the tile where its state says. Called whenever something that it waits for has changed.
void route_tile_update(struct route *route, struct route_tile *tile);
void route_tile_place(struct route *route, struct route_tile *tile, enum route_place place);
// Same for a link: whether route_next_forward looks at it.
void route_link_update(struct route *route, struct route_link *link);
