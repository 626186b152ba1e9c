#include "fake_loop.h"

#include <stdlib.h>

#define TIMERS_MAX 4096

struct armed {
    struct loop_timer *timer;
    struct monotime due;
};

static struct monotime now;
static struct armed armed[TIMERS_MAX];
static unsigned armed_count;
static struct loop_deferred_queue queue;
static struct monotime measured; // what loop_now_exact said last
static int64_t cost_us;

struct loop *fake_loop(void)
{
    return (struct loop *)&now;
}

void fake_loop_reset(void)
{
    now.us = 1000000;
    measured = now;
    cost_us = 0;
    armed_count = 0;
    loop_deferred_queue_init(&queue);
}

void fake_loop_cost(int64_t us)
{
    cost_us = us;
}

struct monotime loop_now(struct loop *loop)
{
    (void)loop;
    return now;
}

struct monotime loop_now_exact(void)
{
    measured = monotime_add_us(monotime_before(measured, now) ? now : measured, cost_us);
    return measured;
}

struct event_base *loop_base(struct loop *loop)
{
    (void)loop;
    return NULL;
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *on_fire, void *arg)
{
    (void)loop;
    timer->on_fire = on_fire;
    timer->arg = arg;
}

void loop_timer_disarm(struct loop_timer *timer)
{
    for (unsigned i = 0; i < armed_count; i++) {
        if (armed[i].timer == timer)
            armed[i--] = armed[--armed_count];
    }
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    for (unsigned i = 0; i < armed_count; i++) {
        if (armed[i].timer == timer)
            return true;
    }
    return false;
}

void loop_timer_arm_us(struct loop_timer *timer, int64_t delay_us)
{
    loop_timer_disarm(timer);
    if (armed_count == TIMERS_MAX)
        abort();
    armed[armed_count++] = (struct armed){timer, monotime_add_us(now, delay_us)};
}

void loop_timer_arm_ms(struct loop_timer *timer, int64_t delay_ms)
{
    loop_timer_arm_us(timer, delay_ms * 1000);
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    (void)loop;
    loop_deferred_put(&queue, deferred, false);
}

void loop_defer_last(struct loop *loop, struct loop_deferred *deferred)
{
    (void)loop;
    loop_deferred_put(&queue, deferred, true);
}

static bool fire_one(struct monotime until)
{
    unsigned first = armed_count;
    for (unsigned i = 0; i < armed_count; i++) {
        if (first == armed_count || monotime_before(armed[i].due, armed[first].due))
            first = i;
    }
    if (first == armed_count || monotime_before(until, armed[first].due))
        return false;
    struct loop_timer *timer = armed[first].timer;
    if (monotime_before(now, armed[first].due))
        now = armed[first].due;
    loop_timer_disarm(timer);
    timer->on_fire(timer->arg);
    return true;
}

void fake_loop_turn(int64_t us)
{
    struct monotime until = monotime_add_us(now, us);
    for (unsigned i = 0; i < TIMERS_MAX && fire_one(until); i++)
        ;
    now = until;
    loop_deferred_run(&queue);
}
