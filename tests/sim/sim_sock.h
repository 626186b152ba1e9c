// Sockets of the simulation: listening, accepting, and connections that carry bytes. The programs see them as
// descriptors with libevent's events (common/io/sock.h); clients and messages over TCP (sim_io.c) hold the net's ends.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/net.h"

void sim_sock_init(void);

// Some bytes of a stream. None: the sender has ended its direction.
struct net_bytes {
    struct net_message head;
    size_t len;
    uint8_t bytes[];
};
struct net_bytes *net_bytes_new(const void *bytes, size_t len);

// The near end of a connection to that address; NULL: refused. `user` is handed to who accepts it, and has to live as
// long as it does.
struct net_end *sim_dial(struct sim_proc *from, const char *address, const void *user);
// Whether packets to that address get there now.
bool sim_reachable(const char *address);

// An accepted descriptor becomes an end again; it is none any more.
struct net_end *sim_sock_take(int fd);
const void *sim_sock_user(int fd);
