// The shard as a member: configuration, joining, lease beats, the view and how full Redis is. It tells the place.
//
//   store ready ─► seed ─► join ─► place_connected ─► beats every MEMBERSHIP_BEAT_MS, INFO every second
//                           ▲                           │ evicted: place_disconnected
//                           └───────────────────────────┘
//
// A connection of its own listens to {cluster}:bus for new views and configurations; what it misses, the beats tell.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/io/loop.h"
#include "shard/store.h"

#define MEMBERSHIP_BEAT_MS 500

struct membership;

struct membership_options {
    const struct store_options *redis; // must outlive it, as what it points to
    const struct canvas_config *flags; // to seed with; likewise
    unsigned flags_given;              // enum canvas_given: what differs is warned of
    int64_t lease_ms;
};

struct membership_stats {
    uint64_t joins, evictions, configs;
};

struct membership_handlers {
    void (*on_change)(void *arg); // the place may have something to do
    void (*on_left)(void *arg);   // after membership_leave
};

// ERR_MALFORMED for the address of Redis, ERR_NOMEM.
MUST_CHECK int membership_open(struct membership **membership, struct loop *loop, struct place *place,
                               const struct membership_options *options, const struct membership_handlers *handlers,
                               void *arg);
void membership_close(struct membership *membership);

// For the owner's pump.
struct store *membership_store(struct membership *membership);
// We are a member on the present connection.
bool membership_is_joined(const struct membership *membership);
// Of the settings that the place goes by; 0 before the first are known.
uint32_t membership_config_version(const struct membership *membership);
const struct membership_stats *membership_stats(const struct membership *membership);

// Leaves the view; on_left comes when Redis knows, or when it cannot be told. Nothing is joined again.
void membership_leave(struct membership *membership);
