// What a shard asks of Redis, typed and asynchronous, over one command connection. Every callback comes exactly once,
// never within the call that asked; with ERR_CLOSED when the connection broke before an answer. A call that returns an
// error asked for nothing and calls nothing back.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/member.h"
#include "common/core/pressure.h"
#include "common/io/loop.h"
#include "common/io/redis_conn.h"
#include "proto/canvas_config.h"
#include "shard/place.h"

#define STORE_BEATS_MAX 64u // position beats in one call

struct store;

struct store_options {
    const char *redis, *user, *password; // must outlive the store
    const char *address;                 // ours in the view; likewise
    uint64_t incarnation;
};

struct store_handlers {
    void (*on_ready)(void *arg); // a new connection
    void (*on_down)(void *arg);  // it broke; after the callbacks of all that was asked
};

// ERR_MALFORMED for the address of Redis, ERR_NOMEM.
MUST_CHECK int store_open(struct store **store, struct loop *loop, const struct store_options *options,
                          const struct store_handlers *handlers, void *arg);
void store_close(struct store *store);
const struct redis_conn_stats *store_stats(const struct store *store);
// Breaks the connection, for when an answer makes no sense. `why` is static text.
void store_reset(struct store *store, const char *why);

// Errors besides ERR_CLOSED, in all of them: ERR_MALFORMED, an answer that cannot be (logged); ERR_FULL, Redis may not
// write now, for want of memory or disk (logged); ERR_UNSUPPORTED, another error of Redis (logged).
typedef void store_config_cb(int err, const struct canvas_config *config, void *arg);
MUST_CHECK int store_seed(struct store *store, const struct canvas_config *flags, store_config_cb *cb, void *arg);
MUST_CHECK int store_config(struct store *store, store_config_cb *cb, void *arg);

typedef void store_number_cb(int err, uint64_t view, void *arg);
MUST_CHECK int store_join(struct store *store, store_number_cb *cb, void *arg);
MUST_CHECK int store_leave(struct store *store, store_number_cb *cb, void *arg);

struct store_beat {
    bool is_member;
    uint64_t view;
    uint32_t config_version;
};
typedef void store_beat_cb(int err, const struct store_beat *beat, void *arg);
// `lease_ms` 0: evict nobody.
MUST_CHECK int store_beat(struct store *store, int64_t lease_ms, store_beat_cb *cb, void *arg);

typedef void store_view_cb(int err, const struct member_view *view, void *arg);
MUST_CHECK int store_view(struct store *store, store_view_cb *cb, void *arg);

typedef void store_pressure_cb(int err, const struct pressure *pressure, void *arg);
MUST_CHECK int store_pressure(struct store *store, store_pressure_cb *cb, void *arg);

// The answers of these go into the place, with the time of the turn; then `done` is called. What Redis refuses and the
// place can live with is no error there: a tile that cannot be taken, ERR_FULL.
typedef void store_done_cb(int err, void *arg);
MUST_CHECK int store_take(struct store *store, struct place *place, const struct place_take *take, store_done_cb *done,
                          void *arg);
MUST_CHECK int store_beats(struct store *store, struct place *place, const struct place_beat *beats, size_t count,
                           store_done_cb *done, void *arg);
// heat.lua, for those of the beats that have something to tell. Not answered: what is lost was heat.
MUST_CHECK int store_heat(struct store *store, const struct place_beat *beats, size_t count);
MUST_CHECK int store_place(struct store *store, struct place *place, struct batch *batch, const struct batch_args *args,
                           store_done_cb *done, void *arg);
// How long place.lua took, from send to answer, in microseconds.
const struct hist *store_place_latency(const struct store *store);
