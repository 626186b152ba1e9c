#include "common/io/loop.h"

#include <event2/dns.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LAG_PERIOD_MS 100

struct signal_watch {
    struct event *event;
    loop_signal_cb *on_signal;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct evdns_base *dns;

    // The clocks as of the turn that libevent's cached time `turn` stands for.
    struct timeval turn;
    struct monotime now;
    int64_t wall_ms;

    struct event deferred_event;
    struct loop_deferred_queue deferred;

    struct signal_watch signals[LOOP_SIGNALS_MAX];
    unsigned signal_count;

    struct loop_timer lag_timer;
    struct monotime lag_due;
    struct hist lag;
};

// ---- Life ----------------------------------------------------------------------------------------------------------

static void on_deferred(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *loop = arg;
    loop_deferred_run(&loop->deferred);
}

// libevent's default clock is up to 4 ms behind, so timers would fire early by as much. The precise one costs a system
// call per turn.
static struct event_base *new_base(void)
{
    struct event_base *base = NULL;
    struct event_config *config = event_config_new();
    if (config != NULL && event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER) == 0)
        base = event_base_new_with_config(config);
    if (config != NULL)
        event_config_free(config);
    return base;
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL)
        return NULL;
    loop->base = new_base();
    if (loop->base == NULL)
        goto fail;
    if (event_assign(&loop->deferred_event, loop->base, -1, 0, on_deferred, loop) != 0)
        goto fail;
    loop_deferred_queue_init(&loop->deferred);
    // A peer that went away is told by the write, not by a signal that ends the process.
    signal(SIGPIPE, SIG_IGN);
    return loop;

fail:
    if (loop->base != NULL)
        event_base_free(loop->base);
    free(loop);
    return NULL;
}

// Also what deferred calls defer, but not for ever.
static void drain_deferred(struct loop *loop)
{
    for (unsigned round = 0; round < 64 && loop_deferred_waits(&loop->deferred); round++)
        loop_deferred_run(&loop->deferred);
}

void loop_free(struct loop *loop)
{
    if (loop == NULL)
        return;
    drain_deferred(loop);
    if (loop->lag_timer.on_fire != NULL)
        loop_timer_disarm(&loop->lag_timer);
    for (unsigned i = 0; i < loop->signal_count; i++)
        event_free(loop->signals[i].event);
    event_del(&loop->deferred_event);
    if (loop->dns != NULL) {
        // Cancelled look-ups still call back once, and free what they hold.
        event_base_loop(loop->base, EVLOOP_NONBLOCK);
        evdns_base_free(loop->dns, 0);
    }
    event_base_free(loop->base);
    free(loop);
}

int loop_run(struct loop *loop)
{
    int result = event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
    drain_deferred(loop);
    return result < 0 ? ERR_IO : 0;
}

static void on_wait_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

void loop_run_once(struct loop *loop, int64_t wait_ms)
{
    struct timeval wait = {.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
    struct event over;
    if (event_assign(&over, loop->base, -1, 0, on_wait_over, NULL) != 0 || event_add(&over, &wait) != 0)
        abort();
    event_base_loop(loop->base, EVLOOP_ONCE);
    event_del(&over);
}

void loop_stop(struct loop *loop)
{
    event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
    return loop->base;
}

struct evdns_base *loop_dns(struct loop *loop)
{
    const int flags = EVDNS_BASE_DISABLE_WHEN_INACTIVE;
    if (loop->dns != NULL)
        return loop->dns;
    loop->dns = evdns_base_new(loop->base, flags | EVDNS_BASE_INITIALIZE_NAMESERVERS);
    if (loop->dns == NULL) {
        // No usable resolv.conf: names of the hosts file still work, others fail in time.
        loop->dns = evdns_base_new(loop->base, flags);
        if (loop->dns == NULL)
            return NULL;
        evdns_base_load_hosts(loop->dns, "/etc/hosts");
        evdns_base_nameserver_ip_add(loop->dns, "127.0.0.1");
    }
    // Mixed-case questions are a defence against forged answers that some embedded name servers do not survive.
    evdns_base_set_option(loop->dns, "randomize-case:", "0");
    return loop->dns;
}

// ---- Clocks --------------------------------------------------------------------------------------------------------

static int64_t clock_us(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

// libevent keeps one time per turn; when it has changed, a new turn has begun.
static void read_clocks(struct loop *loop)
{
    struct timeval turn;
    event_base_gettimeofday_cached(loop->base, &turn);
    if (turn.tv_sec == loop->turn.tv_sec && turn.tv_usec == loop->turn.tv_usec)
        return;
    loop->turn = turn;
    loop->now.us = clock_us(CLOCK_MONOTONIC);
    loop->wall_ms = clock_us(CLOCK_REALTIME) / 1000;
}

struct monotime loop_now(struct loop *loop)
{
    read_clocks(loop);
    return loop->now;
}

struct monotime loop_now_exact(void)
{
    return (struct monotime){clock_us(CLOCK_MONOTONIC)};
}

int64_t loop_wall_ms(struct loop *loop)
{
    read_clocks(loop);
    return loop->wall_ms;
}

uint32_t loop_wall_s(struct loop *loop)
{
    return (uint32_t)(loop_wall_ms(loop) / 1000);
}

// ---- Timers --------------------------------------------------------------------------------------------------------

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop_timer *timer = arg;
    timer->on_fire(timer->arg);
}

void loop_timer_init(struct loop_timer *timer, struct loop *loop, loop_timer_cb *on_fire, void *arg)
{
    timer->on_fire = on_fire;
    timer->arg = arg;
    evtimer_assign(&timer->event, loop->base, on_timer, timer);
}

void loop_timer_arm_us(struct loop_timer *timer, int64_t delay_us)
{
    if (delay_us < 0)
        delay_us = 0;
    struct timeval delay = {.tv_sec = delay_us / 1000000, .tv_usec = delay_us % 1000000};
    // It fails only without memory for its queue. A process whose deadlines no longer come must not go on.
    if (event_add(&timer->event, &delay) != 0)
        abort();
}

void loop_timer_arm_ms(struct loop_timer *timer, int64_t delay_ms)
{
    const int64_t most_ms = (int64_t)365 * 24 * 3600 * 1000; // further away nobody waits, and libevent may overflow
    loop_timer_arm_us(timer, (delay_ms < most_ms ? delay_ms : most_ms) * 1000);
}

void loop_timer_disarm(struct loop_timer *timer)
{
    event_del(&timer->event);
}

bool loop_timer_armed(const struct loop_timer *timer)
{
    return evtimer_pending(&timer->event, NULL) != 0;
}

// ---- End of turn ---------------------------------------------------------------------------------------------------

static void defer(struct loop *loop, struct loop_deferred *deferred, bool last)
{
    static const struct timeval next_turn = {0, 0};
    if (!loop_deferred_put(&loop->deferred, deferred, last))
        return;
    if (!loop->deferred.running)
        event_active(&loop->deferred_event, EV_TIMEOUT, 0); // goes behind all that is ready now
    else if (event_add(&loop->deferred_event, &next_turn) != 0)
        abort();
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
    defer(loop, deferred, false);
}

void loop_defer_last(struct loop *loop, struct loop_deferred *deferred)
{
    defer(loop, deferred, true);
}

// ---- Signals and health --------------------------------------------------------------------------------------------

static void on_signal_event(evutil_socket_t signo, short what, void *arg)
{
    (void)what;
    struct signal_watch *watch = arg;
    watch->on_signal((int)signo, watch->arg);
}

int loop_on_signal(struct loop *loop, int signo, loop_signal_cb *on_signal, void *arg)
{
    if (loop->signal_count == LOOP_SIGNALS_MAX)
        return ERR_FULL;
    struct signal_watch *watch = &loop->signals[loop->signal_count];
    *watch = (struct signal_watch){.on_signal = on_signal, .arg = arg};
    watch->event = evsignal_new(loop->base, signo, on_signal_event, watch);
    if (watch->event == NULL)
        return ERR_NOMEM;
    if (event_add(watch->event, NULL) != 0) {
        event_free(watch->event);
        return ERR_IO;
    }
    loop->signal_count++;
    return 0;
}

static void lag_arm(struct loop *loop)
{
    loop->lag_due = monotime_add_ms(loop_now_exact(), LAG_PERIOD_MS);
    // libevent counts from the beginning of the turn, we count from now: what is left of the turn must not look like
    // lag.
    loop_timer_arm_us(&loop->lag_timer, monotime_diff_us(loop->lag_due, loop_now(loop)));
}

static void on_lag_timer(void *arg)
{
    struct loop *loop = arg;
    int64_t late_us = monotime_diff_us(loop_now_exact(), loop->lag_due);
    hist_add(&loop->lag, late_us > 0 ? (uint64_t)late_us : 0);
    lag_arm(loop);
}

const struct hist *loop_lag(struct loop *loop)
{
    if (loop->lag_timer.on_fire == NULL) {
        loop_timer_init(&loop->lag_timer, loop, on_lag_timer, loop);
        lag_arm(loop);
    }
    return &loop->lag;
}
