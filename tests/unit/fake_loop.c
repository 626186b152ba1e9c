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
static struct loop_deferred queue;
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
    queue.next = queue.prev = &queue;
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

void loop_deferred_init(struct loop_deferred *deferred, loop_deferred_cb *run, void *arg)
{
    *deferred = (struct loop_deferred){.run = run, .arg = arg};
}

static void append(struct loop_deferred *head, struct loop_deferred *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    (void)loop;
    if (deferred->next == NULL)
        append(&queue, deferred);
}

void loop_defer_last(struct loop *loop, struct loop_deferred *deferred)
{
    loop_defer(loop, deferred);
}

void loop_deferred_cancel(struct loop_deferred *deferred)
{
    if (deferred->next == NULL)
        return;
    deferred->prev->next = deferred->next;
    deferred->next->prev = deferred->prev;
    deferred->next = deferred->prev = NULL;
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
    struct loop_deferred due = {.next = &due, .prev = &due};
    for (unsigned i = 0; i < TIMERS_MAX && fire_one(until); i++)
        ;
    now = until;
    while (queue.next != &queue) {
        struct loop_deferred *item = queue.next;
        loop_deferred_cancel(item);
        append(&due, item);
    }
    while (due.next != &due) {
        struct loop_deferred *item = due.next;
        loop_deferred_cancel(item);
        item->run(item->arg);
    }
}
