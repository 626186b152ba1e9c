#include "common/io/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/io/log.h"

#define LOOK_MS 250
#define LOOK_AT_START_MS 20

static void say_ready(struct health *health)
{
    health->ready = 1;
    health->reason[0] = '\0';
    log_info("ready", LOG_STR("listen", health->listen), LOG_STR("version", TESSERA_VERSION));
    notify_send(&health->notify, health->was_ready ? "STATUS=serving" : "READY=1\nSTATUS=serving");
    health->was_ready = true;
}

static void say_not_ready(struct health *health, const char *reason)
{
    char status[160];
    if (health->ready)
        log_warn("not ready", LOG_STR("reason", reason));
    health->ready = 0;
    snprintf(health->reason, sizeof health->reason, "%s", reason);
    snprintf(status, sizeof status, "STATUS=not ready: %s", reason);
    notify_send(&health->notify, status);
}

static void look(struct health *health)
{
    char reason[sizeof health->reason] = "not ready";
    if (health->on_ready(health->arg, reason, sizeof reason)) {
        if (!health->ready)
            say_ready(health);
    } else if (health->ready || strcmp(reason, health->reason) != 0) {
        say_not_ready(health, reason);
    }
}

static void pet(struct health *health)
{
    struct monotime now = loop_now(health->loop);
    if (health->notify.watchdog_ms == 0 || monotime_diff_ms(now, health->petted) < health->notify.watchdog_ms / 3)
        return;
    health->petted = now;
    notify_send(&health->notify, "WATCHDOG=1");
}

static void on_timer(void *arg)
{
    struct health *health = arg;
    if (!health->stopping)
        look(health);
    pet(health);
    loop_timer_arm_ms(&health->timer, health->was_ready ? LOOK_MS : LOOK_AT_START_MS);
}

void health_start(struct health *health, struct loop *loop, metrics_ready_cb *on_ready, void *arg, const char *listen)
{
    *health = (struct health){.loop = loop, .on_ready = on_ready, .arg = arg, .listen = listen};
    notify_open(&health->notify);
    loop_timer_init(&health->timer, loop, on_timer, health);
    loop_timer_arm_ms(&health->timer, 0);
}

int health_add_metric(struct health *health, struct metrics *metrics, const char *name)
{
    const struct metrics_row row = {
        .name = name, .type = METRICS_GAUGE, .help = "1 while /readyz answers 200.", .value = &health->ready};
    return metrics_add(metrics, &row, 1);
}

void health_reloading(struct health *health)
{
    char state[64];
    if (!health->was_ready || health->stopping)
        return;
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, loop_now_exact().us);
    notify_send(&health->notify, state);
}

void health_reloaded(struct health *health)
{
    if (health->was_ready && !health->stopping)
        notify_send(&health->notify, "READY=1");
}

void health_stopping(struct health *health)
{
    if (health->stopping)
        return;
    health->stopping = true;
    health->ready = 0;
    notify_send(&health->notify, "STOPPING=1\nSTATUS=stopping");
}

void health_stop(struct health *health)
{
    if (health->loop == NULL)
        return;
    loop_timer_disarm(&health->timer);
    notify_close(&health->notify);
    health->loop = NULL;
}
