#include "tests/tools/load_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/io/rand.h"
#include "proto/limits.h"
#include "tests/tools/load_conn.h"
#include "tests/tools/load_draws.h"
#include "tests/tools/load_view.h"

#define TICK_MS 2
#define TURNS_MS 20
#define START_PATIENCE_MS 60000 // for all connections to be open, before draws begin without the rest
#define QUIET_STEP_MS 100
#define IDLE_DRAWERS 64

// What the loop's callbacks share; ends with load_run.
struct run {
    struct load_proc *proc;
    const struct load_plan *plan;
    struct loop_timer tick;
    struct loop_timer second;
    struct monotime started;
    struct monotime end;   // of draw, idle, watch
    struct monotime turns; // next time for give_turns
    uint64_t placed;       // at the last sign of progress
    struct monotime progress;
    bool ended;
};

uint64_t load_proc_random(struct load_proc *proc, uint64_t below)
{
    proc->random = proc->random * 6364136223846793005u + 1442695040888963407u;
    return below > 0 ? (proc->random >> 20) % below : 0;
}

// ---- Connections --------------------------------------------------------------------------------------------------

static uint32_t share(uint32_t total, unsigned part, unsigned parts)
{
    return total / parts + (part < total % parts ? 1 : 0);
}

uint32_t load_run_share(const struct load_options *options, unsigned part)
{
    return share((uint32_t)options->connections, part, (unsigned)options->processes);
}

// A connection watches at most so many tiles: that many of them see the whole canvas.
static uint32_t view_count(const struct load_plan *plan)
{
    uint32_t tiles = (uint32_t)plan->options->tiles;
    return (geom_count(&plan->canvas->geom) + tiles - 1) / tiles;
}

static uint32_t observers_per_process(const struct load_plan *plan)
{
    const struct load_options *options = plan->options;
    if (options->mode == LOAD_IDLE || options->mode == LOAD_WATCH)
        return 0;
    return (uint32_t)options->observers * options->target_count * view_count(plan);
}

uint64_t load_run_wanted(const struct load_plan *plan)
{
    return (uint64_t)plan->options->connections + (uint64_t)plan->options->processes * observers_per_process(plan);
}

static struct load_view *new_view(const struct load_plan *plan, uint32_t number, bool replicas)
{
    uint32_t tiles = (uint32_t)plan->options->tiles;
    uint32_t all = geom_count(&plan->canvas->geom);
    uint32_t first = number % view_count(plan) * tiles;
    return load_view_new(&plan->canvas->geom, first, all - first < tiles ? all - first : tiles, replicas);
}

static uint32_t drawers_of(const struct load_proc *proc, uint32_t connections)
{
    const struct load_options *options = proc->options;
    if (!load_mode_draws(options))
        return 0;
    if (options->mode != LOAD_IDLE)
        return connections;
    // As many as the rate takes.
    uint64_t waiting = 2 * (proc->work.rate + 1) * proc->canvas->cooldown_ms / 1000;
    uint64_t wanted = waiting > IDLE_DRAWERS ? waiting : IDLE_DRAWERS;
    return wanted < connections ? (uint32_t)wanted : connections;
}

static int make_conns(struct load_proc *proc, const struct load_plan *plan, unsigned part)
{
    const struct load_options *options = proc->options;
    uint32_t connections = load_run_share(options, part);
    bool all_watch = options->mode == LOAD_IDLE || options->mode == LOAD_WATCH;
    proc->conn_count = connections + observers_per_process(plan);
    proc->drawer_count = drawers_of(proc, connections);
    proc->conns = calloc(proc->conn_count, sizeof *proc->conns);
    if (proc->conns == NULL || load_heap_init(&proc->timers, proc->conn_count) != 0)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < proc->conn_count; i++) {
        struct load_conn *conn = &proc->conns[i];
        bool observer = i >= connections;
        uint32_t number = observer ? i - connections : i;
        load_conn_init(conn, proc, i * (uint32_t)options->processes + part, (uint8_t)(number % options->target_count));
        conn->pinned = observer || options->mode == LOAD_WATCH;
        if (i < proc->drawer_count)
            conn->draws = load_draws_new((uint32_t)options->window, proc->canvas->cooldown_ms);
        if (observer || all_watch)
            conn->view = new_view(plan, number / options->target_count, options->mode != LOAD_IDLE);
        if ((i < proc->drawer_count && conn->draws == NULL) || ((observer || all_watch) && conn->view == NULL))
            return ERR_NOMEM;
    }
    return 0;
}

static void open_more(struct load_proc *proc)
{
    uint32_t most = proc->options->connecting > 0 ? (uint32_t)proc->options->connecting : UINT32_MAX;
    while (proc->started < proc->conn_count && proc->connecting < most)
        load_conn_start(&proc->conns[proc->started++]);
}

// ---- The loop's turns ---------------------------------------------------------------------------------------------

static bool all_answered(const struct load_proc *proc)
{
    return proc->stats->in_flight == 0;
}

static void end_run(struct run *run)
{
    run->ended = true;
    loop_stop(run->proc->loop);
}

// All that ought to be open is, once; or patience is over.
static void check_start(struct run *run, struct monotime now)
{
    struct load_proc *proc = run->proc;
    if (proc->drawing)
        return;
    bool all = proc->ever_open == proc->conn_count;
    if (!all && monotime_before(now, monotime_add_ms(run->started, START_PATIENCE_MS)))
        return;
    if (all)
        proc->stats->all_open_us = now.us;
    else
        (void)fprintf(stderr, "only %u of %u connections are open\n", proc->ever_open, proc->conn_count);
    proc->drawing = true;
    run->progress = now;
    proc->work.start = now;
    if (proc->options->seconds > 0)
        run->end = monotime_add_ms(now, proc->options->seconds * 1000);
}

static bool is_timed(const struct load_options *options)
{
    return options->mode == LOAD_DRAW || options->mode == LOAD_IDLE || options->mode == LOAD_WATCH;
}

static void check_end(struct run *run, struct monotime now)
{
    struct load_proc *proc = run->proc;
    const struct load_options *options = proc->options;
    if (!proc->drawing)
        return;
    if (is_timed(options) && monotime_reached(run->end, now))
        load_work_stop(&proc->work);
    bool work_over = load_work_done(&proc->work);
    if (!load_mode_draws(options))
        work_over = monotime_reached(run->end, now);
    if (work_over && all_answered(proc))
        end_run(run);
}

// Answers make room for more draws at once; here begin those that wait for something else: the start, a rate, a pixel
// that was given back.
static void give_turns(struct run *run, struct monotime now)
{
    struct load_proc *proc = run->proc;
    uint32_t first = proc->next_drawer;
    if (!proc->drawing || monotime_before(now, run->turns))
        return;
    if (proc->work.rate == 0)
        run->turns = monotime_add_ms(now, TURNS_MS);
    for (uint32_t i = 0; i < proc->drawer_count && load_work_ready(&proc->work, now); i++) {
        uint32_t at = (first + i) % proc->drawer_count;
        // Who drew last is the last to draw again, so that a rate is spread over all.
        if (load_draws_pump(&proc->conns[at], now) > 0)
            proc->next_drawer = (at + 1) % proc->drawer_count;
    }
}

static void on_tick(void *arg)
{
    struct run *run = arg;
    struct load_proc *proc = run->proc;
    struct monotime now = loop_now_exact();
    struct load_timer *timer;
    open_more(proc);
    while ((timer = load_heap_first(&proc->timers)) != NULL && monotime_reached(timer->due, now))
        load_conn_on_timer((struct load_conn *)(void *)timer, now);
    check_start(run, now);
    give_turns(run, now);
    check_end(run, now);
    if (!run->ended)
        loop_timer_arm_ms(&run->tick, TICK_MS);
}

static void on_second(void *arg)
{
    struct run *run = arg;
    struct load_proc *proc = run->proc;
    struct monotime now = loop_now_exact();
    struct monotime expired = monotime_add_ms(now, -proc->options->give_up_ms);
    for (uint32_t i = 0; i < proc->drawer_count; i++)
        load_draws_expire(&proc->conns[i], expired);
    uint64_t placed = proc->stats->verdicts[VERDICT_PLACED];
    if (placed != run->placed || !proc->drawing)
        run->progress = now;
    run->placed = placed;
    // An image that nobody takes ends some time as well.
    if (proc->work.image != NULL && monotime_reached(run->progress, expired) && !proc->work.stopped) {
        (void)fprintf(stderr, "no draw was placed for %lld ms\n", (long long)proc->options->give_up_ms);
        proc->stats->refused += load_work_left(&proc->work);
        load_work_stop(&proc->work);
    }
    if (load_journal_flush(proc->journal) != 0)
        proc->stats->errors++;
    loop_timer_arm_ms(&run->second, 1000);
}

static void on_signal(int signo, void *arg)
{
    (void)signo;
    struct run *run = arg;
    struct load_proc *proc = run->proc;
    if (proc->work.image != NULL && !proc->work.stopped)
        proc->stats->refused += load_work_left(&proc->work);
    load_work_stop(&proc->work);
    run->end = loop_now_exact();
    proc->drawing = true; // also when it never began
}

// ---- At the end ---------------------------------------------------------------------------------------------------

static struct load_view_difference compare_all(const struct load_proc *proc, const struct load_tiles *tiles)
{
    struct load_view_difference sum = {0};
    for (uint32_t i = 0; i < proc->conn_count; i++) {
        if (proc->conns[i].view == NULL)
            continue;
        struct load_view_difference one = load_view_compare(proc->conns[i].view, tiles);
        sum.behind += one.behind;
        sum.pixels += one.pixels;
    }
    return sum;
}

// Every view against every gateway; they may need a moment to be equal.
static void verify_views(struct run *run)
{
    struct load_proc *proc = run->proc;
    struct monotime deadline = monotime_add_ms(loop_now_exact(), proc->options->settle_ms);
    for (unsigned t = 0; t < proc->options->target_count; t++) {
        for (;;) {
            struct load_tiles tiles;
            loop_run_once(proc->loop, QUIET_STEP_MS);
            bool late = monotime_reached(deadline, loop_now_exact());
            if (load_api_tiles(&proc->options->targets[t], &proc->canvas->geom, &tiles) != 0) {
                proc->stats->errors += late;
                if (late)
                    break;
                continue;
            }
            struct load_view_difference difference = compare_all(proc, &tiles);
            load_tiles_fini(&tiles);
            if (difference.behind + difference.pixels > 0 && !late)
                continue;
            proc->stats->behind += difference.behind;
            proc->stats->mismatches += difference.pixels;
            break;
        }
    }
    for (uint32_t i = 0; i < proc->conn_count && run->plan->expected != NULL; i++) {
        if (proc->conns[i].view != NULL)
            proc->stats->mismatches += load_view_mismatches(proc->conns[i].view, run->plan->expected);
    }
}

static bool has_views(const struct load_proc *proc)
{
    for (uint32_t i = 0; i < proc->conn_count; i++) {
        if (proc->conns[i].view != NULL)
            return true;
    }
    return false;
}

static void finish(struct run *run)
{
    struct load_proc *proc = run->proc;
    struct rusage usage;
    loop_timer_arm_ms(&run->tick, TICK_MS);
    if (proc->options->verify && has_views(proc))
        verify_views(run);
    loop_timer_disarm(&run->tick);
    loop_timer_disarm(&run->second);
    if (load_journal_flush(proc->journal) != 0)
        proc->stats->errors++;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        proc->stats->cpu_us = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                              (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int set_up(struct run *run, const struct load_plan *plan, unsigned part)
{
    struct load_proc *proc = run->proc;
    const struct load_options *options = plan->options;
    proc->loop = loop_new();
    if (proc->loop == NULL || load_framer_init(&proc->framer, rand_u64()) != 0)
        return ERR_NOMEM;
    if (options->journal[0] != '\0' && (proc->journal = load_journal_open(options->journal)) == NULL) {
        (void)fprintf(stderr, "%s: %s\n", options->journal, strerror(errno));
        return ERR_IO;
    }
    run->started = loop_now_exact();
    load_work_init(&proc->work, options, plan->canvas, part, (unsigned)options->processes, run->started);
    if (plan->image != NULL)
        load_work_image(&proc->work, options, plan->image, plan->changes, plan->change_count, part,
                        (unsigned)options->processes);
    if (loop_on_signal(proc->loop, SIGTERM, on_signal, run) != 0 ||
        loop_on_signal(proc->loop, SIGINT, on_signal, run) != 0)
        return ERR_IO;
    loop_timer_init(&run->tick, proc->loop, on_tick, run);
    loop_timer_init(&run->second, proc->loop, on_second, run);
    return make_conns(proc, plan, part);
}

static void tear_down(struct load_proc *proc)
{
    for (uint32_t i = 0; proc->conns != NULL && i < proc->conn_count; i++) {
        if (proc->conns[i].proc != NULL)
            load_conn_fini(&proc->conns[i]);
    }
    free(proc->conns);
    load_heap_fini(&proc->timers);
    load_work_fini(&proc->work);
    load_journal_close(proc->journal);
    load_framer_fini(&proc->framer);
    loop_free(proc->loop);
    free(proc);
}

int load_run(const struct load_plan *plan, unsigned part, struct load_stats *stats)
{
    struct load_proc *proc = calloc(1, sizeof *proc);
    struct run run = {.proc = proc, .plan = plan, .end = MONOTIME_NEVER};
    if (proc == NULL)
        return ERR_NOMEM;
    proc->options = plan->options;
    proc->canvas = plan->canvas;
    proc->tokens = plan->tokens;
    proc->seen = plan->seen;
    proc->stats = stats;
    proc->random = rand_u64();
    int err = set_up(&run, plan, part);
    if (err == 0) {
        stats->started_us = run.started.us;
        loop_timer_arm_ms(&run.tick, 0);
        loop_timer_arm_ms(&run.second, 1000);
        err = loop_run(proc->loop);
    }
    if (err == 0)
        finish(&run);
    tear_down(proc);
    return err;
}
