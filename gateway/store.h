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
// Several listeners (at most 4): called with true at each new connection, false when it is lost.
void store_on_state(struct store *store, void (*cb)(bool ready, void *arg), void *arg);
// Whoever `arg` stands for goes: no callback with it comes any more, of questions asked nor of the state.
void store_abandon(struct store *store, const void *arg);

// seed.lua with what the flags say; answers what is stored.
typedef void (*store_config_cb)(int err, const struct canvas_config *config, void *arg);
void store_seed(struct store *store, const struct canvas_config *flags, store_config_cb cb, void *arg);

typedef void (*store_view_cb)(int err, const struct member_view *view, void *arg);
void store_view(struct store *store, store_view_cb cb, void *arg);

typedef void (*store_user_cb)(int err, const struct user_record *record, uint64_t now_ms, void *arg);
// The user's record together with Redis TIME (pipelined).
void store_user(struct store *store, uint64_t user, store_user_cb cb, void *arg);

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
