// What one address may have: connections at once, new ones a minute, sessions a minute, names an hour, messages, tiles
// and lookups a second. Pure. The table is bounded; entries that hold connections stay, and of the others the least
// recently used goes first.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "common/core/bucket.h"
#include "common/core/err.h"
#include "common/core/monotime.h"

struct limits;
struct ws_turn;

#define LIMITS_LOOKUP_BURST 8u
#define LIMITS_LOOKUP_MAX 16u // the burst is at least this, and no cost is above it

// What is counted apart: connections that were not upgraded, and WebSockets.
enum limits_kind { LIMITS_HTTP, LIMITS_WS };
#define LIMITS_KINDS 2

struct limits_options {
    uint32_t connections_per_address;    // of each kind; 0 = off
    uint32_t new_connections_per_minute; // 0 = off
    uint32_t sessions_per_minute;        // 0 = off
    uint32_t names_per_hour;             // 0 = off
    uint32_t lookups_per_second;         // with a burst of LIMITS_LOOKUP_BURST times that; 0 = off
    uint32_t idle_entries_max;           // addresses remembered that hold no connection
};

// NULL without memory.
struct limits *limits_new(const struct limits_options *options);
void limits_free(struct limits *limits);

// One more connection of an address. 0; ERR_FULL: over the limit, not counted; ERR_NOMEM. IPv6 addresses are counted by
// /64.
MUST_CHECK int limits_open(struct limits *limits, enum limits_kind kind, const struct addr *addr);
// One less: after each limits_open that returned 0.
void limits_close(struct limits *limits, enum limits_kind kind, const struct addr *addr);

// One more connection is there, whatever becomes of it. 0; ERR_FULL: more than this minute's; ERR_NOMEM.
MUST_CHECK int limits_arrival(struct limits *limits, const struct addr *addr, struct monotime now);

// What all connections of an address share; the rates are the caller's to set. Valid while the address holds a
// connection that limits_open has counted; NULL when it holds none.
struct limits_shared {
    struct bucket messages;
    struct bucket tiles;               // new to a watch, or resumed
    struct ws_turn *turns;             // of those who wait for tiles, in order (ws_tiles.c); NULL: nobody does
    struct limits_shared *prev, *next; // of the addresses where somebody waits
};
struct limits_shared *limits_shared(struct limits *limits, const struct addr *addr);

// One more session. 0; ERR_FULL with the seconds to wait (1 … 60) in *retry_s; ERR_NOMEM.
MUST_CHECK int limits_session(struct limits *limits, const struct addr *addr, struct monotime now, uint32_t *retry_s);

// One more name is asked for, or a user to be erased: what stays for long. Errors as above, up to 3600 s.
MUST_CHECK int limits_name(struct limits *limits, const struct addr *addr, struct monotime now, uint32_t *retry_s);
// Nothing has become of one that was allowed: it does not count.
void limits_name_back(struct limits *limits, const struct addr *addr);

// Something is read, or written, for one who is not connected: `cost` lookups. Errors as above.
MUST_CHECK int limits_lookup(struct limits *limits, const struct addr *addr, uint32_t cost, struct monotime now,
                             uint32_t *retry_s);

// For tests and metrics.
size_t limits_addresses(const struct limits *limits);
