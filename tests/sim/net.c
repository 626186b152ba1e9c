#include "tests/sim/net.h"

#include <stdlib.h>

#define PIPES_MAX 512u
#define ISOLATED_MAX 32u
#define SPIKES_IN_MILLION 3000u
#define SPIKE_MAX_US 400000

struct direction {
    struct net_message *first, **end;
    int64_t last_at_us; // of the last message: none overtakes it
    sim_event event;    // of the first one
    bool closing;       // the last of them is a close
    int64_t close_at_us;
};

struct net_pipe {
    struct net_end ends[2];
    struct direction to[2]; // towards ends[i]
    int64_t base_us, jitter_us;
    int64_t stalled_until_us;
    uint32_t number;
    bool broken;
};

static struct {
    struct net_pipe *pipes[PIPES_MAX];
    uint32_t count;
    struct {
        struct sim_proc *proc;
        int64_t until_us;
    } isolated[ISOLATED_MAX];
    uint32_t isolated_count;
} net;

static void deliver(void *arg);

// ---- Faults of processes -------------------------------------------------------------------------------------------

static int64_t isolated_until(const struct sim_proc *proc)
{
    for (uint32_t i = 0; i < net.isolated_count; i++) {
        if (net.isolated[i].proc == proc)
            return net.isolated[i].until_us;
    }
    return 0;
}

bool net_isolated(const struct sim_proc *proc)
{
    return isolated_until(proc) > sim_now_us();
}

void net_isolate(struct sim_proc *proc, int64_t us)
{
    int64_t until_us = sim_now_us() + us;
    for (uint32_t i = 0; i < net.isolated_count; i++) {
        if (net.isolated[i].proc == proc) {
            net.isolated[i].until_us = until_us;
            return;
        }
    }
    if (net.isolated_count < ISOLATED_MAX) {
        net.isolated[net.isolated_count].proc = proc;
        net.isolated[net.isolated_count++].until_us = until_us;
    }
}

// ---- Pipes ---------------------------------------------------------------------------------------------------------

static struct direction *towards(struct net_end *end)
{
    return &end->pipe->to[end - end->pipe->ends];
}

static struct net_end *peer_of(struct net_end *end)
{
    return &end->pipe->ends[1 - (end - end->pipe->ends)];
}

static int64_t stalled_until(const struct net_pipe *pipe)
{
    int64_t until_us = pipe->stalled_until_us;
    for (int i = 0; i < 2; i++) {
        int64_t proc_until_us = isolated_until(pipe->ends[i].proc);
        until_us = proc_until_us > until_us ? proc_until_us : until_us;
    }
    return until_us;
}

static void drop_all(struct direction *direction)
{
    while (direction->first != NULL) {
        struct net_message *message = direction->first;
        direction->first = message->next;
        message->drop(message);
    }
    direction->end = &direction->first;
    sim_cancel(direction->event);
    direction->event = 0;
}

static void free_if_over(struct net_pipe *pipe)
{
    if (pipe->ends[0].open || pipe->ends[1].open)
        return;
    drop_all(&pipe->to[0]);
    drop_all(&pipe->to[1]);
    struct net_pipe *last = net.pipes[--net.count];
    net.pipes[pipe->number] = last;
    last->number = pipe->number;
    free(pipe);
}

void net_connect(struct sim_proc *near, struct sim_proc *far, struct net_end **near_end, struct net_end **far_end)
{
    struct net_pipe *pipe = calloc(1, sizeof *pipe);
    if (pipe == NULL || net.count == PIPES_MAX)
        abort();
    pipe->ends[0] = (struct net_end){.pipe = pipe, .proc = near, .open = true};
    pipe->ends[1] = (struct net_end){.pipe = pipe, .proc = far, .open = true};
    for (int i = 0; i < 2; i++)
        pipe->to[i].end = &pipe->to[i].first;
    pipe->base_us = sim_skewed(50, 2000);
    pipe->jitter_us = sim_skewed(50, 8000);
    pipe->number = net.count;
    net.pipes[net.count++] = pipe;
    *near_end = &pipe->ends[0];
    *far_end = &pipe->ends[1];
}

bool net_is_open(const struct net_end *end)
{
    return end != NULL && end->open;
}

static int64_t arrival(const struct net_pipe *pipe)
{
    int64_t delay_us = pipe->base_us + (int64_t)sim_below((uint64_t)pipe->jitter_us + 1);
    if (sim_chance(SPIKES_IN_MILLION))
        delay_us += sim_skewed(0, SPIKE_MAX_US);
    return sim_now_us() + delay_us;
}

// When the first of what is under way arrives.
static void arm(struct net_end *end)
{
    struct direction *direction = towards(end);
    if (direction->event != 0 || end->on_message == NULL || !end->open)
        return;
    if (direction->first == NULL && !direction->closing)
        return;
    int64_t at_us = direction->first != NULL ? direction->first->at_us : direction->close_at_us;
    direction->event = sim_at(end->proc, at_us, deliver, NULL, end);
}

static void deliver(void *arg)
{
    struct net_end *end = arg;
    struct direction *direction = towards(end);
    int64_t until_us = stalled_until(end->pipe);
    direction->event = 0;
    if (until_us > sim_now_us()) {
        direction->event = sim_at(end->proc, until_us + sim_skewed(0, 20000), deliver, NULL, end);
        return;
    }
    struct net_message *message = direction->first;
    sim_count_event();
    if (message == NULL) {
        end->open = false;
        void (*on_closed)(void *) = end->on_closed;
        void *owner = end->arg;
        free_if_over(end->pipe);
        on_closed(owner);
        return;
    }
    direction->first = message->next;
    if (direction->first == NULL)
        direction->end = &direction->first;
    peer_of(end)->queued--;
    arm(end);
    end->on_message(end->arg, message);
}

void net_attach(struct net_end *end, void (*on_message)(void *arg, struct net_message *message),
                void (*on_closed)(void *arg), void *arg)
{
    end->on_message = on_message;
    end->on_closed = on_closed;
    end->arg = arg;
    arm(end);
}

void net_send(struct net_end *end, struct net_message *message)
{
    struct net_end *peer = peer_of(end);
    struct direction *direction = towards(peer);
    if (!end->open || !peer->open || end->pipe->broken || direction->closing) {
        message->drop(message);
        return;
    }
    int64_t at_us = arrival(end->pipe);
    if (at_us < direction->last_at_us)
        at_us = direction->last_at_us;
    direction->last_at_us = message->at_us = at_us;
    message->next = NULL;
    *direction->end = message;
    direction->end = &message->next;
    end->queued++;
    arm(peer);
}

// The end learns of it after what is under way to it.
static void put_close(struct net_end *end)
{
    struct direction *direction = towards(end);
    if (!end->open || direction->closing)
        return;
    direction->closing = true;
    direction->close_at_us = arrival(end->pipe);
    if (direction->close_at_us < direction->last_at_us)
        direction->close_at_us = direction->last_at_us;
    arm(end);
}

void net_close(struct net_end *end)
{
    if (end == NULL || !end->open)
        return;
    drop_all(towards(end));
    end->open = false;
    put_close(peer_of(end));
    free_if_over(end->pipe);
}

// ---- Faults --------------------------------------------------------------------------------------------------------

void net_init(void)
{
    net.count = net.isolated_count = 0;
}

void net_fini(void)
{
    while (net.count > 0) {
        net.pipes[0]->ends[0].open = net.pipes[0]->ends[1].open = false;
        free_if_over(net.pipes[0]);
    }
}

uint32_t net_count(void)
{
    return net.count;
}

static void break_pipe(struct net_pipe *pipe)
{
    if (pipe->broken)
        return;
    pipe->broken = true;
    for (int i = 0; i < 2; i++) {
        struct direction *direction = &pipe->to[i];
        if (sim_below(2) == 0 && !direction->closing) {
            drop_all(direction);
            pipe->ends[1 - i].queued = 0;
        }
        put_close(&pipe->ends[i]);
    }
}

void net_break(uint32_t number)
{
    break_pipe(net.pipes[number]);
}

void net_stall(uint32_t number, int64_t us)
{
    net.pipes[number]->stalled_until_us = sim_now_us() + us;
}

void net_stall_between(const struct sim_proc *a, const struct sim_proc *b, int64_t us)
{
    for (uint32_t i = 0; i < net.count; i++) {
        const struct net_end *ends = net.pipes[i]->ends;
        if ((ends[0].proc == a && ends[1].proc == b) || (ends[0].proc == b && ends[1].proc == a))
            net_stall(i, us);
    }
}

void net_heal(void)
{
    net.isolated_count = 0;
    for (uint32_t i = 0; i < net.count; i++) {
        struct net_pipe *pipe = net.pipes[i];
        pipe->stalled_until_us = 0;
        for (int side = 0; side < 2; side++) {
            sim_cancel(pipe->to[side].event);
            pipe->to[side].event = 0;
            arm(&pipe->ends[side]);
        }
    }
}

void net_reset_all_of(struct sim_proc *proc)
{
    for (uint32_t i = net.count; i-- > 0;) {
        if (net.pipes[i]->ends[0].proc == proc || net.pipes[i]->ends[1].proc == proc)
            break_pipe(net.pipes[i]);
    }
}
