// What the gateway reads from Redis (and its own online beat): typed, asynchronous, over one command connection with a
// bounded number in flight. Every callback comes exactly once, with ERR_CLOSED when the connection breaks or is down;
// it may come before the call returns.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/member.h"
#include "common/core/name.h"
#include "common/core/position.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "proto/bus_proto.h"
#include "proto/canvas_config.h"

struct store;

struct store_options {
    const char *address, *user, *password;
};

struct store *store_new(struct loop *loop, struct metrics *metrics, const struct store_options *options);
void store_free(struct store *store);
bool store_ready(const struct store *store);
// Several listeners: called with true at each new connection, false when it is lost. 0, or ERR_FULL: there are
// STORE_LISTENERS_MAX already.
#define STORE_LISTENERS_MAX 4
MUST_CHECK int store_on_state(struct store *store, void (*cb)(bool ready, void *arg), void *arg);
// Whoever `arg` stands for goes: no callback with it comes any more, of questions asked nor of the state.
void store_abandon(struct store *store, const void *arg);

// seed.lua with what the flags say; answers what is stored.
typedef void (*store_config_cb)(int err, const struct canvas_config *config, void *arg);
void store_seed(struct store *store, const struct canvas_config *flags, store_config_cb cb, void *arg);

typedef void (*store_view_cb)(int err, const struct member_view *view, void *arg);
void store_view(struct store *store, store_view_cb cb, void *arg);

// What is stored of a user's name; all zero: nothing is, and the user has the generated name.
struct store_name {
    bool erased;
    uint64_t changed_ms;  // when it was last changed, by Redis TIME; 0 = never
    char text[NAME_SIZE]; // the chosen name; empty = the generated one
};

struct store_user {
    struct user_record record;
    struct store_name name;
    uint64_t now_ms; // Redis TIME
};
typedef void (*store_user_cb)(int err, const struct store_user *user, void *arg);
// The user's record and name together with Redis TIME (pipelined).
void store_user(struct store *store, uint64_t user, store_user_cb cb, void *arg);

// The names of at most STORE_NAMES_MAX users (pipelined), in their order.
#define STORE_NAMES_MAX 32u
typedef void (*store_names_cb)(int err, const struct store_name *names, size_t count, void *arg);
void store_names(struct store *store, const uint64_t *users, size_t count, store_names_cb cb, void *arg);

// name.lua: the user is called `name` from now on (checked by name_check; empty: the generated one), if it still is
// called `old`. The same again only renews its life.
struct store_rename {
    uint64_t user;
    const char *old, *name; // zero-terminated
    uint64_t keep_ms;       // how long a name is kept before the next
    uint64_t life_ms;       // after which it goes, unless it is renewed; 0: never
};
enum store_renamed {
    STORE_RENAMED,
    STORE_RENAME_TAKEN,
    STORE_RENAME_TOO_SOON,
    STORE_RENAME_ERASED,
    STORE_RENAME_CHANGED // the name is another than `old`: read it again
};
// wait_ms: until it may be changed again.
typedef void (*store_rename_cb)(int err, enum store_renamed result, uint64_t wait_ms, void *arg);
void store_rename(struct store *store, const struct store_rename *rename, store_rename_cb cb, void *arg);

// erase.lua. `changed`: the name is another than `old`, nothing was done.
typedef void (*store_erase_cb)(int err, bool changed, void *arg);
void store_erase(struct store *store, uint64_t user, const char *old, store_erase_cb cb, void *arg);

struct store_online {
    uint32_t online;
    uint64_t view;
    uint32_t config_version;
    bool pressure; // used memory above 80 % of maxmemory
};
// ERR_FULL: Redis has no memory left even for this.
typedef void (*store_online_cb)(int err, const struct store_online *online, void *arg);
void store_online_beat(struct store *store, uint64_t gateway, uint32_t connections, store_online_cb cb, void *arg);
// A gateway that stops takes its number out. Not answered.
void store_online_leave(struct store *store, uint64_t gateway);

// Where most is placed, the hottest first.
#define STORE_HEAT_MAX 256u
#define STORE_HEAT_HALF_LIFE_MS 300000u
struct store_heat {
    size_t count;
    struct {
        struct tile tile;
        double heat; // placements, each counted half after every half-life
    } tiles[STORE_HEAT_MAX];
};
typedef void (*store_heat_cb)(int err, const struct store_heat *heat, void *arg);
void store_heat(struct store *store, store_heat_cb cb, void *arg);

struct store_snapshot {
    struct position pos;
    const uint8_t *px; // borrowed for the call
    size_t len;
};
typedef void (*store_snapshot_cb)(int err, const struct store_snapshot *snapshot, void *arg);
void store_snapshot(struct store *store, struct tile tile, store_snapshot_cb cb, void *arg);

// Position, and the stored checksum with the seq it belongs to (has_checksum).
struct store_position {
    struct position pos;
    bool has_checksum;
    uint32_t checksum_seq;
    uint64_t checksum;
};
typedef void (*store_position_cb)(int err, const struct store_position *position, void *arg);
void store_position(struct store *store, struct tile tile, store_position_cb cb, void *arg);

// Log entries from the one that ends at seq `from` (included, so that its epoch can be checked; from = 0: from the
// start), at most `max_entries`.
struct store_entry {
    uint64_t epoch;
    uint32_t first, count;
    const uint8_t *updates; // 3 * count bytes, borrowed for the call
};
typedef void (*store_log_cb)(int err, const struct store_entry *entries, size_t count, void *arg);
void store_log(struct store *store, struct tile tile, uint32_t from, uint32_t max_entries, store_log_cb cb, void *arg);

// pixel.lua: the pixel at `offset`, and its last placements, at most `limit` (of STORE_PLACEMENTS_MAX), the newest
// first; from the one with seq `from` on, if that is not 0.
#define STORE_PLACEMENTS_MAX 32u
struct store_placement {
    uint32_t seq;
    uint8_t color;
    uint64_t user;
    uint64_t time_ms;
};
struct store_pixel {
    uint64_t now_ms; // Redis TIME
    uint8_t color;
    uint32_t next; // seq of the placement before the last one here; 0 = there is none
    size_t count;
    struct store_placement placements[STORE_PLACEMENTS_MAX];
};
struct store_pixel_asked {
    struct tile tile;
    uint16_t offset;
    uint32_t limit, from;
};
typedef void (*store_pixel_cb)(int err, const struct store_pixel *pixel, void *arg);
void store_pixel(struct store *store, const struct store_pixel_asked *asked, store_pixel_cb cb, void *arg);
