// The gateway's subscriber: one connection to Redis that carries {cluster}:bus and the channels of the tiles that are
// held. It decodes; what to subscribe to, and again after each new connection, is its owner's business.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/io/loop.h"
#include "proto/bus_proto.h"

#define BUS_ASKED_MAX 64u // subscriptions under way

struct bus;

struct bus_options {
    const char *address, *user, *password; // must outlive the bus
};

// None may free the bus.
struct bus_events {
    // Connected, and {cluster}:bus is confirmed: nothing on it is missed from here on. No tile is subscribed.
    void (*on_up)(void *arg);
    // All subscriptions are gone.
    void (*on_down)(void *arg);
    // Confirmed: from here on no message of the tile is missed.
    void (*on_open)(struct tile tile, void *arg);
    void (*on_message)(struct tile tile, const struct bus_message *message, void *arg);
    // VIEW, CONFIG or ERASED.
    void (*on_cluster)(const struct bus_message *message, void *arg);
    void *arg;
};

struct bus_stats {
    uint64_t connects;
    uint64_t messages;  // of tiles
    uint64_t unknown;   // of a type that a later version has, and dropped
    uint64_t malformed; // not understood, and dropped
};

// NULL when it cannot be opened.
struct bus *bus_new(struct loop *loop, const struct bus_options *options, const struct bus_events *events);
void bus_free(struct bus *bus);

bool bus_is_up(const struct bus *bus);
const struct bus_stats *bus_stats(const struct bus *bus);

// 0; ERR_FULL when BUS_ASKED_MAX are under way, or the connection takes no more now: try again after the next on_open;
// ERR_CLOSED when it is down.
MUST_CHECK int bus_subscribe(struct bus *bus, struct tile tile);
// Messages that are on their way still come. Best effort: a channel that stays open costs messages that nobody reads.
void bus_unsubscribe(struct bus *bus, struct tile tile);
