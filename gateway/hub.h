// The gateway's replicas and their fan-out: which tiles are held, who watches them, what goes to whom in which tick.
//
//   bus (subscriber) --updates--> tiles (replica + ring of recent updates) --tick--> audiences --shared_buf--> ws_conn
//   store (reader)   --snapshot, log, positions--^
//
// A client is synced (its audience's buffer of each tick is all it needs) or lagging (it has its own positions, and the
// pump brings it forward from the ring, or with a snapshot, whenever its socket takes bytes). It is nothing else.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/position.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "gateway/shared_buf.h"
#include "proto/canvas_config.h"
#include "proto/ws_proto.h"

struct hub;
struct ws_conn;
struct audience;
struct lag;
struct store;
struct worker;

// The hub's part of a connection, embedded in struct ws_conn, zeroed at first. Small: there are 100,000 of them.
struct hub_client {
    struct ws_conn *conn;
    struct audience *audience; // NULL before hub_join and after hub_leave
    struct lag *lag;           // own positions while lagging; NULL = synced
    uint32_t index;            // in the audience's array
    uint32_t round;            // last round of its lane that served it
    uint32_t asked;            // tiles that its last HELLO, WATCH or RESUME asked for: new ones, or resumed
};

struct hub_options {
    const char *redis_address, *redis_user, *redis_password; // of the subscriber connection
    size_t replica_memory; // cap in bytes over all held tiles, with rings, and watches
    uint32_t linger_ms;    // an unwatched tile is held this long
    uint32_t tick_min_ms, tick_max_ms;
    uint32_t slice_clients; // clients served before the loop turns
    uint32_t lane_clients;  // clients that come one after the other and share a lane of the fan-out; 0: slice_clients
    uint32_t ring_updates;  // recent placements kept per tile
};

// NULL without memory, or when the metrics do not fit. The hub does nothing before hub_configure. `store` must outlive
// it; `worker` (it compresses snapshots) is freed before it, after the last turn of the loop. What `options` points to
// must outlive it.
struct hub *hub_new(struct loop *loop, struct metrics *metrics, struct store *store, struct worker *worker,
                    const struct hub_options *options);
// All clients have left.
void hub_free(struct hub *hub);

// The canvas is known, or changed (it only grows; the edge never changes). Fan-out of CONFIG to clients is the edge's.
void hub_configure(struct hub *hub, const struct canvas_config *config);
// A backup was put in place of what was there: asks where every held tile is now. What went back starts over.
void hub_verify(struct hub *hub);

// HELLO: starts to watch. 0; ERR_MALFORMED for a tile named twice (close 4002); ERR_RANGE for one outside the
// canvas (close 4005); ERR_FULL over the memory cap (ERROR WATCH_LIMIT; the client is joined watching nothing).
// `entries` may go after the call.
MUST_CHECK int hub_join(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count);
// WATCH: 0, ERR_MALFORMED, ERR_RANGE, ERR_FULL (the old watch stays).
MUST_CHECK int hub_watch(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count);
// WATCH that cannot be granted yet: of what is watched, only what it names is watched on. `asked` is how many tiles it
// wants besides; 0: it is granted. Errors as hub_watch.
MUST_CHECK int hub_keep(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count);
// RESUME: 0, ERR_MALFORMED or ERR_RANGE.
MUST_CHECK int hub_resume(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count);
// The connection ends. Harmless when not joined.
void hub_leave(struct hub *hub, struct hub_client *client);
// The socket of a client that had answered WS_WRITE_FULL, or was cut, takes bytes again.
void hub_writable(struct hub *hub, struct hub_client *client);

// Whether the subscriber is connected; for /readyz.
bool hub_ready(const struct hub *hub);

// Whether the tile is here, so that its image costs Redis nothing.
bool hub_holds(const struct hub *hub, struct tile tile);

// Messages of {cluster}:bus go to this callback, and NULL for "the bus (re)connected: read everything anew".
struct bus_message;
typedef void (*hub_cluster_cb)(const struct bus_message *message, void *arg);
void hub_on_cluster(struct hub *hub, hub_cluster_cb cb, void *arg);

// An immutable copy of one held tile at one position. Counted; may be read by the worker thread while a reference is
// held here.
struct tile_image {
    uint32_t refs;
    struct tile tile;
    struct position pos;
    uint64_t checksum;
    uint32_t len; // edge * edge
    uint8_t px[];
};
struct tile_image *tile_image_ref(struct tile_image *image);
void tile_image_unref(struct tile_image *image);

// Answers with the latest images of `count` tiles, loading those that are not held (they linger as if watched), in the
// order asked; or with an error: ERR_FULL (memory cap), ERR_TIMEOUT (5 s), ERR_CLOSED (no Redis). The callback may come
// before hub_images returns. The images are the callee's to unref, the array is not. Returns a handle to cancel with,
// or NULL if the callback has come.
struct hub_request;
typedef void (*hub_images_cb)(int err, struct tile_image *const *images, size_t count, void *arg);
struct hub_request *hub_images(struct hub *hub, const struct tile *tiles, size_t count, hub_images_cb cb, void *arg);
void hub_images_cancel(struct hub_request *request);
