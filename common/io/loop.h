// The event loop of a process: libevent's, with one clock reading per turn, timers that live in their owner, and work
// that is put off to the end of the turn.
//
// A turn is one wait of the kernel and the callbacks of all that it found ready. Everything here belongs to the thread
// that runs the loop.
//
//   struct loop *loop = loop_new();
//   ... open things on it ...
//   loop_run(loop);                       until loop_stop
//   ... close them ...
//   loop_free(loop);
#pragma once

#include "common/core/err.h"
#include "common/core/hist.h"
#include "common/core/monotime.h"
#include "common/io/loop_deferred.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct evdns_base;

// NULL when memory or descriptors are short. Ignores SIGPIPE for the process.
struct loop *loop_new(void);

// Runs what was deferred, then frees. Timers and deferred calls must be disarmed or due no more.
void loop_free(struct loop *loop);

// Runs until loop_stop is called. Returns 0, or ERR_IO when libevent fails.
MUST_CHECK int loop_run(struct loop *loop);

// Runs one turn and waits for it at most `wait_ms` (for tests and tools).
void loop_run_once(struct loop *loop, int64_t wait_ms);

// Ends loop_run after the running callback. Deferred work still runs before loop_run returns.
void loop_stop(struct loop *loop);

// For bufferevents and events of one's own.
struct event_base *loop_base(struct loop *loop);

// The resolver that this loop shares, made at first use; NULL when it cannot be made.
struct evdns_base *loop_dns(struct loop *loop);

// The moment at which this turn began: the same for all callbacks of one turn.
struct monotime loop_now(struct loop *loop);

// A fresh reading of the same clock, for measuring within a turn.
struct monotime loop_now_exact(void);

// Unix time in milliseconds at the beginning of this turn. For logs and expiry only: it may jump.
int64_t loop_wall_ms(struct loop *loop);
uint32_t loop_wall_s(struct loop *loop);

// ---- Timers --------------------------------------------------------------------------------------------------------

typedef void loop_timer_cb(void *arg);

// Embedded in its owner. One shot: a timer that goes on arms itself again in its callback.
struct loop_timer {
    struct event event;
    loop_timer_cb *on_fire;
    void *arg;
};

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *on_fire, void *arg);

// Fires once, `delay_ms` from now (negative counts as 0, never within the running callback). Arming again moves it.
void loop_timer_arm_ms(struct loop_timer *timer, int64_t delay_ms);

// Finer, for ticks.
void loop_timer_arm_us(struct loop_timer *timer, int64_t delay_us);

// Harmless when it is not armed. After it the memory may go.
void loop_timer_disarm(struct loop_timer *timer);
bool loop_timer_armed(const struct loop_timer *timer);

// ---- End of turn ---------------------------------------------------------------------------------------------------
//
// What is put off is a struct loop_deferred (common/io/loop_deferred.h), embedded in its owner.

// Calls run(arg) once, after the callbacks that are ready now and in the order of the calls. Queueing again before it
// ran changes nothing. What is deferred from within a deferred call still runs at the end of this turn, so that what
// one of them has to send leaves with it; but nothing runs twice in a turn: then it waits for the next. `run` may free
// its owner: this is how an object dies, never inside its own callback.
void loop_defer(struct loop *loop, struct loop_deferred *deferred);

// The same, after all that loop_defer has put off: for a slice of long work, behind which nothing else should wait.
void loop_defer_last(struct loop *loop, struct loop_deferred *deferred);

// ---- Signals and health --------------------------------------------------------------------------------------------

#define LOOP_SIGNALS_MAX 8

typedef void loop_signal_cb(int signo, void *arg);

// Calls back from the loop, never from the signal handler. ERR_FULL after LOOP_SIGNALS_MAX, ERR_IO.
MUST_CHECK int loop_on_signal(struct loop *loop, int signo, loop_signal_cb *on_signal, void *arg);

// How late a timer of the loop was, in microseconds, ten times a second: the delay that everything else saw as well.
// Measured from the first call on.
const struct hist *loop_lag(struct loop *loop);
