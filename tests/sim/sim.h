// A whole cluster in one thread on virtual time: everything that happens is an event, and one seed decides when.
//
//   sim_begin(seed) ─► processes, connections, timers put in events ─► sim_step until enough ─► sim_end
//
// Nothing here knows what runs in it. A process is what timers and deliveries belong to: it can be paused (its events
// wait, as for one that was stopped) and it can be dead (its events find nobody). There is one simulation at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/io/loop.h"

#define SIM_EPOCH_MS 1700000000000 // Unix time at the beginning, and as much more by chance
#define SIM_PHASE_MS 240000
#define SIM_TURN_MAX_US 300 // from the first thing that is put off to the end of a process' turn

// A process, embedded in its owner. It is also the `struct loop` of what runs in it.
struct sim_proc {
    const char *name;
    bool alive;
    int64_t paused_until_us;
    struct loop_deferred_queue deferred;
};

void sim_begin(uint64_t seed, bool trace);
// Drops what has not happened.
void sim_end(void);
int64_t sim_now_us(void);
int64_t sim_wall_ms(void); // of Redis, by which everything is decided
void sim_set_clock_back(int64_t ms);
uint64_t sim_events(void); // that were counted so far: messages that arrived, faults, attempts to draw; no timers
void sim_count_event(void);
uint64_t sim_steps(void); // all of them

// The next event happens; false when there is none before `until_us` (the time is then that).
bool sim_step(int64_t until_us);

// ---- Chance --------------------------------------------------------------------------------------------------------
//
// Never two of them among the arguments of one call: which comes first would be the compiler's to say.

uint64_t sim_random(void);
uint64_t sim_below(uint64_t below);            // 0 … below - 1
bool sim_chance(uint32_t in_million);          // true so many times in a million
int64_t sim_between(int64_t from, int64_t to); // both included
int64_t sim_skewed(int64_t from, int64_t to);  // mostly small: uniform in its order of magnitude

// ---- Events --------------------------------------------------------------------------------------------------------

typedef void sim_event_cb(void *arg);
typedef uint64_t sim_event; // 0 = none

// `proc` NULL: the world's own, never paused. `drop` (may be NULL) is called instead when the simulation ends before.
sim_event sim_at(struct sim_proc *proc, int64_t at_us, sim_event_cb *run, sim_event_cb *drop, void *arg);
sim_event sim_after(struct sim_proc *proc, int64_t us, sim_event_cb *run, sim_event_cb *drop, void *arg);
void sim_cancel(sim_event event); // harmless when it has happened
bool sim_waits(sim_event event);

// ---- Processes -----------------------------------------------------------------------------------------------------

void sim_proc_start(struct sim_proc *proc, const char *name);
// What was deferred runs; nothing happens in it any more. The owner has ended what runs in it.
void sim_proc_end(struct sim_proc *proc);
void sim_proc_pause(struct sim_proc *proc, int64_t us);
void sim_proc_resume(struct sim_proc *proc);
bool sim_proc_paused(const struct sim_proc *proc);
struct loop *sim_loop(struct sim_proc *proc);
struct sim_proc *sim_proc_of(struct loop *loop);

// ---- What is said --------------------------------------------------------------------------------------------------

bool sim_tracing(void);
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
// A broken promise: the first one is kept. The simulation goes on until its driver looks.
void sim_fail(const char *invariant, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *sim_failure(void);          // NULL: all is well; else what happened
const char *sim_failed_invariant(void); // its name
uint64_t sim_digest(void);              // of all events so far: equal for equal seeds
