// What is put off to the end of a turn of the loop, and in which order it runs there. Pure: the loop says when a turn
// ends (common/io/loop.c by libevent, tests/sim by its seed).
//
//   put ─► later ──(the turn ends)──► due ─► run, until nothing is due
//              and what is put meanwhile, and has not run in this turn, goes to `due` at once
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef void loop_deferred_cb(void *arg);

// Embedded in its owner; zero it, or use loop_deferred_init.
struct loop_deferred {
    struct loop_deferred *next; // NULL when it is not queued
    struct loop_deferred *prev;
    loop_deferred_cb *run;
    void *arg;
    uint32_t turn; // in which it ran last
};

void loop_deferred_init(struct loop_deferred *deferred, loop_deferred_cb *run, void *arg);

// Takes it back; harmless when it is not queued.
void loop_deferred_cancel(struct loop_deferred *deferred);

// ---- For the loop --------------------------------------------------------------------------------------------------

// Heads of rings. It must not move in memory.
struct loop_deferred_queue {
    struct loop_deferred later, later_last; // for the end of the next turn
    struct loop_deferred due, due_last;     // of the one that ends now
    bool running;
    uint32_t turn;
};

void loop_deferred_queue_init(struct loop_deferred_queue *queue);

// loop_defer and loop_defer_last (common/io/loop.h). True when it is the first to wait for the next end of a turn: the
// loop has to see to it that there is one.
bool loop_deferred_put(struct loop_deferred_queue *queue, struct loop_deferred *deferred, bool last);

// Something waits for the next end of a turn.
bool loop_deferred_waits(const struct loop_deferred_queue *queue);

// The turn ends. Runs all that waits, and what that puts off; they may cancel one another.
void loop_deferred_run(struct loop_deferred_queue *queue);
