// Connections between processes: two directions, each in order, each message after a delay of its own; between
// connections there is no order. A connection may stall (what is sent waits: a partition, or a network that repeats),
// break (what was under way arrives or is lost, then both ends learn of it, each in its time) or be closed by an end
// (what it had sent still arrives).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/sim.h"

struct net_pipe;

// What travels. Embedded at the beginning of what its sender makes of it.
struct net_message {
    struct net_message *next;
    int64_t at_us;
    void (*drop)(struct net_message *message); // frees it
};

struct net_end {
    struct net_pipe *pipe;
    struct sim_proc *proc; // whose turn a delivery is
    // Takes the message over. NULL on_message: not attached yet, what comes waits.
    void (*on_message)(void *arg, struct net_message *message);
    void (*on_closed)(void *arg); // the peer, or the network, has closed it; the end is closed then
    void *arg;
    bool open;
    size_t queued; // messages under way to the peer
};

// Both ends open, attached to nobody.
void net_connect(struct sim_proc *near, struct sim_proc *far, struct net_end **near_end, struct net_end **far_end);
void net_attach(struct net_end *end, void (*on_message)(void *arg, struct net_message *message),
                void (*on_closed)(void *arg), void *arg);
// Takes the message over; drops it when the connection is gone.
void net_send(struct net_end *end, struct net_message *message);
// No callback comes any more. Harmless for NULL.
void net_close(struct net_end *end);
// The process dies: what it sent is on its way, the peer gets a reset.
bool net_is_open(const struct net_end *end);

// ---- Faults --------------------------------------------------------------------------------------------------------

void net_init(void);
void net_fini(void); // every end has been closed
uint32_t net_count(void);
// A connection by number; NULL when that one is going already.
void net_break(uint32_t number);
void net_stall(uint32_t number, int64_t us);
// Those between two processes.
void net_stall_between(const struct sim_proc *a, const struct sim_proc *b, int64_t us);
// All that `proc` has, and will have, for so long.
void net_isolate(struct sim_proc *proc, int64_t us);
bool net_isolated(const struct sim_proc *proc);
void net_heal(void);
// Every process' connections: for the one who ends it.
void net_reset_all_of(struct sim_proc *proc);
