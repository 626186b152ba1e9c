// common/io/loop.h and gateway/worker.h on virtual time. (Deferred work is in sim.c, with the processes' turns.)

#include <stdlib.h>

#include "common/io/loop.h"
#include "gateway/worker.h"
#include "tests/sim/sim.h"

#define JOB_MAX_US 20000 // how long the worker takes for one

// ---- Clock and timers ----------------------------------------------------------------------------------------------

struct monotime loop_now(struct loop *loop)
{
    (void)loop;
    return (struct monotime){sim_now_us()};
}

struct monotime loop_now_exact(void)
{
    return (struct monotime){sim_now_us()};
}

struct event_base *loop_base(struct loop *loop)
{
    return (struct event_base *)loop; // only to be handed to event_assign
}

// What a timer needs lies where libevent's event would be.
static sim_event *event_of(struct loop_timer *timer)
{
    return (sim_event *)(void *)&timer->event.ev_timeout;
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *on_fire, void *arg)
{
    timer->event.ev_base = (struct event_base *)loop;
    timer->on_fire = on_fire;
    timer->arg = arg;
    *event_of(timer) = 0;
}

static void fire(void *arg)
{
    struct loop_timer *timer = arg;
    *event_of(timer) = 0;
    timer->on_fire(timer->arg);
}

void loop_timer_disarm(struct loop_timer *timer)
{
    sim_cancel(*event_of(timer));
    *event_of(timer) = 0;
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return *(const sim_event *)(const void *)&timer->event.ev_timeout != 0;
}

void loop_timer_arm_us(struct loop_timer *timer, int64_t delay_us)
{
    struct sim_proc *proc = sim_proc_of((struct loop *)timer->event.ev_base);
    loop_timer_disarm(timer);
    if (proc->alive)
        *event_of(timer) = sim_after(proc, delay_us, fire, NULL, timer);
}

void loop_timer_arm_ms(struct loop_timer *timer, int64_t delay_ms)
{
    loop_timer_arm_us(timer, delay_ms * 1000);
}

// ---- Worker --------------------------------------------------------------------------------------------------------

struct worker {
    struct sim_proc *proc;
    size_t max, count;
    struct worker_job *first, **end;
    sim_event event;
};

struct worker *worker_new(struct loop *loop, size_t max_jobs)
{
    struct worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL)
        return NULL;
    worker->proc = sim_proc_of(loop);
    worker->max = max_jobs;
    worker->end = &worker->first;
    return worker;
}

static void finish_one(void *arg)
{
    struct worker *worker = arg;
    struct worker_job *job = worker->first;
    worker->first = job->next;
    if (worker->first == NULL)
        worker->end = &worker->first;
    else
        worker->event = sim_after(worker->proc, sim_skewed(10, JOB_MAX_US), finish_one, NULL, worker);
    worker->count--;
    job->run(job);
    job->done(job);
}

int worker_submit(struct worker *worker, struct worker_job *job)
{
    if (worker->count == worker->max)
        return ERR_FULL;
    job->next = NULL;
    *worker->end = job;
    worker->end = &job->next;
    if (worker->count++ == 0)
        worker->event = sim_after(worker->proc, sim_skewed(10, JOB_MAX_US), finish_one, NULL, worker);
    return 0;
}

void worker_free(struct worker *worker)
{
    if (worker == NULL)
        return;
    while (worker->count > 0) {
        sim_cancel(worker->event);
        finish_one(worker);
    }
    sim_cancel(worker->event);
    free(worker);
}
