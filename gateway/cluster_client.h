// The cluster's part of a connection, embedded in struct ws_conn, zeroed at first: its draws in flight.
#pragma once

#include <stdint.h>

struct route_draw;

struct cluster_client {
    struct route_draw *draws; // those without a verdict; route's
    uint32_t in_flight;       // how many; for the limit of draws in flight
};
