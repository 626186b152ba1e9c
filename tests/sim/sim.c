#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/mix.h"

struct happening {
    int64_t at_us;
    uint64_t order;
    struct sim_proc *proc;
    sim_event_cb *run, *drop;
    void *arg;
    uint32_t generation;
    uint32_t next_free;
    bool waits;
    bool put_off; // its process is paused
};

static struct {
    int64_t now_us;
    uint64_t random;
    int64_t phase_ms;
    uint64_t order;
    uint64_t happened, counted;
    uint64_t digest;
    bool trace;
    struct sim_proc *running;
    struct happening *slots;
    uint32_t slot_count, slot_capacity, free; // free: slot + 1
    uint32_t *heap;
    uint32_t heap_count, heap_capacity;
    char invariant[64];
    char failure[512];
} sim;

// ---- Chance --------------------------------------------------------------------------------------------------------

uint64_t sim_random(void)
{
    sim.random += 0x9E3779B97F4A7C15u;
    return mix_final(sim.random);
}

uint64_t sim_below(uint64_t below)
{
    return below == 0 ? 0 : sim_random() % below;
}

bool sim_chance(uint32_t in_million)
{
    return sim_below(1000000) < in_million;
}

int64_t sim_between(int64_t from, int64_t to)
{
    return from + (int64_t)sim_below((uint64_t)(to - from) + 1);
}

int64_t sim_skewed(int64_t from, int64_t to)
{
    int64_t span = to - from;
    for (uint64_t halvings = sim_below(8); halvings > 0; halvings--)
        span /= 2;
    return sim_between(from, from + span);
}

// ---- Events --------------------------------------------------------------------------------------------------------

static bool earlier(uint32_t a, uint32_t b)
{
    const struct happening *x = &sim.slots[a], *y = &sim.slots[b];
    return x->at_us < y->at_us || (x->at_us == y->at_us && x->order < y->order);
}

static void heap_push(uint32_t slot)
{
    if (sim.heap_count == sim.heap_capacity) {
        sim.heap_capacity = sim.heap_capacity == 0 ? 1024 : 2 * sim.heap_capacity;
        sim.heap = realloc(sim.heap, sim.heap_capacity * sizeof sim.heap[0]);
        if (sim.heap == NULL)
            abort();
    }
    uint32_t at = sim.heap_count++;
    while (at > 0 && earlier(slot, sim.heap[(at - 1) / 2])) {
        sim.heap[at] = sim.heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    sim.heap[at] = slot;
}

static uint32_t heap_pop(void)
{
    uint32_t top = sim.heap[0], last = sim.heap[--sim.heap_count], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= sim.heap_count)
            break;
        if (child + 1 < sim.heap_count && earlier(sim.heap[child + 1], sim.heap[child]))
            child++;
        if (!earlier(sim.heap[child], last))
            break;
        sim.heap[at] = sim.heap[child];
        at = child;
    }
    if (sim.heap_count > 0)
        sim.heap[at] = last;
    return top;
}

static uint32_t take_slot(void)
{
    if (sim.free != 0) {
        uint32_t slot = sim.free - 1;
        sim.free = sim.slots[slot].next_free;
        return slot;
    }
    if (sim.slot_count == sim.slot_capacity) {
        sim.slot_capacity = sim.slot_capacity == 0 ? 1024 : 2 * sim.slot_capacity;
        sim.slots = realloc(sim.slots, sim.slot_capacity * sizeof sim.slots[0]);
        if (sim.slots == NULL)
            abort();
    }
    sim.slots[sim.slot_count].generation = 0;
    return sim.slot_count++;
}

static void give_slot(uint32_t slot)
{
    struct happening *event = &sim.slots[slot];
    event->generation++;
    event->waits = false;
    event->next_free = sim.free;
    sim.free = slot + 1;
}

sim_event sim_at(struct sim_proc *proc, int64_t at_us, sim_event_cb *run, sim_event_cb *drop, void *arg)
{
    uint32_t slot = take_slot();
    struct happening *event = &sim.slots[slot];
    uint32_t generation = event->generation;
    *event = (struct happening){.at_us = at_us < sim.now_us ? sim.now_us : at_us,
                                .order = ++sim.order,
                                .proc = proc,
                                .run = run,
                                .drop = drop,
                                .arg = arg,
                                .generation = generation,
                                .waits = true};
    heap_push(slot);
    return (uint64_t)generation << 32 | (slot + 1u);
}

sim_event sim_after(struct sim_proc *proc, int64_t us, sim_event_cb *run, sim_event_cb *drop, void *arg)
{
    return sim_at(proc, sim.now_us + (us > 0 ? us : 0), run, drop, arg);
}

bool sim_waits(sim_event event)
{
    uint32_t slot = (uint32_t)event;
    return slot != 0 && slot <= sim.slot_count && sim.slots[slot - 1].generation == event >> 32 &&
           sim.slots[slot - 1].waits;
}

void sim_cancel(sim_event event)
{
    if (sim_waits(event))
        sim.slots[(uint32_t)event - 1].waits = false; // the heap gives it up when it comes up
}

static void happen(uint32_t slot)
{
    struct happening event = sim.slots[slot];
    give_slot(slot);
    sim.happened++;
    sim.digest = mix_final(sim.digest ^ (uint64_t)sim.now_us ^ event.order << 20);
    sim.running = event.proc;
    event.run(event.arg);
    sim.running = NULL;
}

bool sim_step(int64_t until_us)
{
    while (sim.heap_count > 0) {
        uint32_t slot = sim.heap[0];
        struct happening *event = &sim.slots[slot];
        if (!event->waits) {
            give_slot(heap_pop());
            continue;
        }
        if (event->at_us > until_us)
            break;
        heap_pop();
        if (event->proc != NULL && event->proc->paused_until_us > event->at_us) {
            event->at_us = event->proc->paused_until_us; // in the order that they came
            event->order = ++sim.order;
            event->put_off = true;
            heap_push(slot);
            continue;
        }
        sim.now_us = event->at_us;
        happen(slot);
        return true;
    }
    sim.now_us = until_us;
    return false;
}

// ---- Processes -----------------------------------------------------------------------------------------------------

struct loop *sim_loop(struct sim_proc *proc)
{
    return (struct loop *)proc;
}

struct sim_proc *sim_proc_of(struct loop *loop)
{
    return (struct sim_proc *)loop;
}

void sim_proc_start(struct sim_proc *proc, const char *name)
{
    *proc = (struct sim_proc){.name = name, .alive = true};
    loop_deferred_queue_init(&proc->deferred);
}

void sim_proc_end(struct sim_proc *proc)
{
    for (int i = 0; i < 8; i++)
        loop_deferred_run(&proc->deferred);
    proc->alive = false;
    proc->paused_until_us = 0;
}

void sim_proc_pause(struct sim_proc *proc, int64_t us)
{
    if (proc->alive && proc->paused_until_us < sim.now_us + us)
        proc->paused_until_us = sim.now_us + us;
}

void sim_proc_resume(struct sim_proc *proc)
{
    uint32_t count = sim.heap_count;
    proc->paused_until_us = 0;
    sim.heap_count = 0;
    // Pushing never grows past where the next one is read from.
    for (uint32_t i = 0; i < count; i++) {
        struct happening *event = &sim.slots[sim.heap[i]];
        if (event->put_off && event->proc == proc)
            event->at_us = sim.now_us;
        heap_push(sim.heap[i]);
    }
}

bool sim_proc_paused(const struct sim_proc *proc)
{
    return proc->paused_until_us > sim.now_us;
}

static void end_turn(void *arg)
{
    struct sim_proc *proc = arg;
    loop_deferred_run(&proc->deferred);
}

static void defer(struct loop *loop, struct loop_deferred *deferred, bool last)
{
    struct sim_proc *proc = sim_proc_of(loop);
    if (loop_deferred_put(&proc->deferred, deferred, last) && proc->alive)
        sim_after(proc, sim_skewed(0, SIM_TURN_MAX_US), end_turn, NULL, proc);
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    defer(loop, deferred, false);
}

void loop_defer_last(struct loop *loop, struct loop_deferred *deferred)
{
    defer(loop, deferred, true);
}

// ---- What is said --------------------------------------------------------------------------------------------------

bool sim_tracing(void)
{
    return sim.trace;
}

void sim_trace(const char *format, ...)
{
    va_list args;
    if (!sim.trace)
        return;
    printf("%10.3f ms  %-4s ", (double)sim.now_us / 1000.0, sim.running != NULL ? sim.running->name : "");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void sim_fail(const char *invariant, const char *format, ...)
{
    va_list args;
    if (sim.failure[0] != '\0')
        return;
    snprintf(sim.invariant, sizeof sim.invariant, "%s", invariant);
    int len = snprintf(sim.failure, sizeof sim.failure, "at %.3f ms: ", (double)sim.now_us / 1000.0);
    va_start(args, format);
    vsnprintf(sim.failure + len, sizeof sim.failure - (size_t)len, format, args);
    va_end(args);
    sim_trace("FAILED %s: %s", invariant, sim.failure);
}

const char *sim_failure(void)
{
    return sim.failure[0] != '\0' ? sim.failure : NULL;
}

const char *sim_failed_invariant(void)
{
    return sim.invariant;
}

uint64_t sim_digest(void)
{
    return sim.digest;
}

// ---- Life ----------------------------------------------------------------------------------------------------------

void sim_begin(uint64_t seed, bool trace)
{
    sim.now_us = 1000000;
    sim.random = mix_final(seed ^ 0x7465737365726100u);
    sim.order = sim.happened = sim.counted = 0;
    sim.phase_ms = (int64_t)sim_below(SIM_PHASE_MS);
    sim.digest = seed;
    sim.trace = trace;
    sim.slot_count = sim.free = sim.heap_count = 0;
    sim.failure[0] = sim.invariant[0] = '\0';
}

void sim_end(void)
{
    while (sim.heap_count > 0) {
        uint32_t slot = heap_pop();
        struct happening event = sim.slots[slot];
        give_slot(slot);
        if (event.drop != NULL)
            event.drop(event.arg);
    }
}

int64_t sim_now_us(void)
{
    return sim.now_us;
}

int64_t sim_wall_ms(void)
{
    return SIM_EPOCH_MS + sim.phase_ms + sim.now_us / 1000;
}

void sim_set_clock_back(int64_t ms)
{
    sim.phase_ms -= ms;
}

uint64_t sim_events(void)
{
    return sim.counted;
}

void sim_count_event(void)
{
    sim.counted++;
}

uint64_t sim_steps(void)
{
    return sim.happened;
}
