// The parts of a shard put together, and the pump that carries what is to be done from the place to Redis and the links
// once per turn of the loop: so everything that arrived in one turn goes out together.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/io/loop.h"
#include "common/io/metrics.h"
#include "shard/link_server.h"
#include "shard/membership.h"
#include "shard/place.h"

#define SHARD_TICK_MS 50
#define SHARD_LEAVE_MS 2000 // at most, from shard_leave to on_stopped

struct shard {
    struct loop *loop;
    uint64_t incarnation;
    char address[MEMBER_ADDRESS_SIZE];
    struct store_options redis;
    struct place *place;
    struct membership *membership;
    struct link_server *links;
    struct loop_deferred pump;
    struct loop_timer tick;
    struct monotime leave_until; // MONOTIME_NEVER while not leaving
    uint64_t said_view;          // in the log
    void (*on_stopped)(void *arg);
    void *arg;
};

struct shard_options {
    const char *listen;
    const char *advertise; // host:port; empty: the address it listens on
    const char *redis, *redis_user, *redis_password;
    const uint8_t *secret;
    size_t secret_len;
    int64_t lease_ms;
    const struct canvas_config *canvas; // to seed with
    unsigned canvas_given;              // enum canvas_given: what of it was asked for
};

// On the caller's memory, which may not move. On an error everything is as before; a reason was logged. on_stopped
// comes once after shard_leave.
MUST_CHECK int shard_init(struct shard *shard, struct loop *loop, const struct shard_options *options,
                          void (*on_stopped)(void *arg), void *arg);
void shard_fini(struct shard *shard);
void shard_leave(struct shard *shard);
bool shard_is_ready(const struct shard *shard);

// shard_metrics.c. ERR_FULL, ERR_MALFORMED.
MUST_CHECK int shard_add_metrics(struct shard *shard, struct metrics *metrics);
