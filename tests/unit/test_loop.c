#include "check.h"

#include "common/io/loop.h"
#include "common/io/rand.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static struct loop *loop;
static char trace[256]; // what happened, in order

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    trace[0] = '\0';
    return loop == NULL;
}

static int teardown(void **state)
{
    (void)state;
    loop_free(loop);
    return 0;
}

static void note(const char *text)
{
    strcat(trace, text);
}

static void on_note(void *arg)
{
    note(arg);
}

static void on_stop(void *arg)
{
    (void)arg;
    note("stop ");
    loop_stop(loop);
}

static void test_timers_fire_in_order_and_can_be_disarmed(void **state)
{
    (void)state;
    struct loop_timer a, b, c, d;
    static char text_a[] = "a ";
    static char text_b[] = "b ";
    loop_timer_init(&a, loop, on_note, text_a);
    loop_timer_init(&b, loop, on_note, text_b);
    loop_timer_init(&c, loop, on_note, text_b);
    loop_timer_init(&d, loop, on_stop, NULL);
    loop_timer_arm_ms(&d, 30);
    loop_timer_arm_ms(&b, 15);
    loop_timer_arm_ms(&a, 1000);
    loop_timer_arm_ms(&a, -5); // moves it
    loop_timer_arm_ms(&c, 5);
    assert_true(loop_timer_armed(&c));
    loop_timer_disarm(&c);
    assert_false(loop_timer_armed(&c));
    struct monotime start = loop_now_exact();
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(trace, "a b stop ");
    assert_in_range(monotime_diff_ms(loop_now_exact(), start), 29, 10000);
    loop_timer_arm_ms(&c, INT64_MAX);
    loop_timer_disarm(&c);
}

// ---- Deferred calls ------------------------------------------------------------------------------------------------

struct scene {
    struct loop_timer first;
    struct loop_timer second;
    struct loop_timer end;
    struct loop_deferred once;
    struct loop_deferred again;
    struct loop_deferred never;
};

static void on_once(void *arg)
{
    struct scene *scene = arg;
    note("once ");
    loop_deferred_cancel(&scene->never); // behind us in the same ring
}

static void on_again(void *arg)
{
    static unsigned times;
    struct scene *scene = arg;
    note("again ");
    if (++times < 3)
        loop_defer(loop, &scene->again);
}

static void on_first(void *arg)
{
    struct scene *scene = arg;
    note("first ");
    loop_defer(loop, &scene->once);
    loop_defer(loop, &scene->once);
    loop_defer(loop, &scene->again);
    loop_defer(loop, &scene->never);
}

static void test_deferred_calls_come_behind_what_is_ready(void **state)
{
    (void)state;
    static char second[] = "second ";
    static char never[] = "never ";
    struct scene scene;
    loop_timer_init(&scene.first, loop, on_first, &scene);
    loop_timer_init(&scene.second, loop, on_note, second);
    loop_timer_init(&scene.end, loop, on_stop, NULL);
    loop_deferred_init(&scene.once, on_once, &scene);
    loop_deferred_init(&scene.again, on_again, &scene);
    loop_deferred_init(&scene.never, on_note, never);
    loop_timer_arm_ms(&scene.first, 0);
    loop_timer_arm_us(&scene.second, 1);
    usleep(1000); // both are due in the first turn
    loop_timer_arm_ms(&scene.end, 50);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(trace, "first second once again again again stop ");
}

struct ends {
    struct loop_timer start, timer, end;
    struct loop_deferred slice, outer, inner;
    unsigned slices;
};

static void on_slice(void *arg)
{
    struct ends *ends = arg;
    note("slice ");
    loop_defer(loop, &ends->inner);
    if (++ends->slices < 2)
        loop_defer_last(loop, &ends->slice);
}

static void on_outer(void *arg)
{
    static char once_more[] = "once more ";
    struct ends *ends = arg;
    note("outer ");
    loop_defer(loop, &ends->inner);
    loop_defer(loop, &ends->outer); // not again in this turn
    ends->outer.run = on_note;
    ends->outer.arg = once_more;
    loop_timer_arm_ms(&ends->timer, 0);
}

static void on_start(void *arg)
{
    struct ends *ends = arg;
    loop_defer_last(loop, &ends->slice);
    loop_defer(loop, &ends->outer);
}

// What a deferred call defers leaves in the same turn, and before a slice of long work; nothing runs twice in a turn.
static void test_one_turn_has_one_end(void **state)
{
    (void)state;
    static char later[] = "later ", inner[] = "inner ";
    struct ends ends = {.slices = 0};
    loop_timer_init(&ends.start, loop, on_start, &ends);
    loop_timer_init(&ends.timer, loop, on_note, later);
    loop_timer_init(&ends.end, loop, on_stop, NULL);
    loop_deferred_init(&ends.slice, on_slice, &ends);
    loop_deferred_init(&ends.outer, on_outer, &ends);
    loop_deferred_init(&ends.inner, on_note, inner);
    loop_timer_arm_ms(&ends.start, 0);
    loop_timer_arm_ms(&ends.end, 50);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(trace, "outer inner slice once more inner slice later inner stop ");
}

static void on_free(void *arg)
{
    note("freed ");
    free(arg);
}

static void test_what_is_deferred_when_the_loop_stops_still_runs(void **state)
{
    (void)state;
    struct loop_timer timer;
    struct loop_deferred *mine = malloc(sizeof *mine);
    loop_deferred_init(mine, on_free, mine);
    loop_timer_init(&timer, loop, on_stop, NULL);
    loop_timer_arm_ms(&timer, 0);
    loop_defer(loop, mine);
    assert_int_equal(loop_run(loop), 0);
    assert_non_null(strstr(trace, "freed "));
    struct loop_deferred *other = malloc(sizeof *other);
    loop_deferred_init(other, on_free, other);
    loop_defer(loop, other); // freed by loop_free
}

// ---- Clocks --------------------------------------------------------------------------------------------------------

static struct monotime seen[2];

static void on_busy(void *arg)
{
    (void)arg;
    seen[0] = loop_now(loop);
    usleep(5000);
    seen[1] = loop_now(loop);
    loop_stop(loop);
}

static void test_time_stands_still_within_a_turn(void **state)
{
    (void)state;
    struct loop_timer timer;
    loop_timer_init(&timer, loop, on_busy, NULL);
    loop_timer_arm_ms(&timer, 0);
    assert_int_equal(loop_run(loop), 0);
    struct monotime first = seen[0];
    assert_true(seen[0].us == seen[1].us);
    assert_true(monotime_diff_us(loop_now_exact(), first) >= 5000);
    loop_timer_arm_ms(&timer, 0);
    assert_int_equal(loop_run(loop), 0);
    assert_true(monotime_diff_us(seen[0], first) >= 5000);
    assert_true(loop_wall_ms(loop) > 1600000000000);
    assert_int_equal(loop_wall_s(loop), loop_wall_ms(loop) / 1000);
}

static uint64_t measured; // how often, when the block was over

static void on_block(void *arg)
{
    (void)arg;
    usleep(250000);
    measured = loop_lag(loop)->count;
}

static void on_look(void *arg)
{
    if (measured != UINT64_MAX && loop_lag(loop)->count > measured + 1)
        loop_stop(loop);
    else
        loop_timer_arm_ms(arg, 10);
}

static void test_lag_sees_a_blocking_callback(void **state)
{
    (void)state;
    struct loop_timer block, look;
    struct monotime began = loop_now_exact();
    const struct hist *lag = loop_lag(loop);
    measured = UINT64_MAX;
    loop_timer_init(&block, loop, on_block, NULL);
    loop_timer_init(&look, loop, on_look, &look);
    loop_timer_arm_ms(&block, 50);
    loop_timer_arm_ms(&look, 0);
    assert_int_equal(loop_run(loop), 0);
    // It is measured every 100 ms, so wherever the block began, 150 ms of it were left when that was due. How late a
    // busy machine was otherwise is in it as well: no more than all of this took.
    assert_in_range(lag->max, 150000, monotime_diff_us(loop_now_exact(), began) - 100000);
}

static void on_signal(int signo, void *arg)
{
    (void)arg;
    assert_int_equal(signo, SIGHUP);
    note("hup ");
    loop_stop(loop);
}

static void test_signals(void **state)
{
    (void)state;
    assert_int_equal(loop_on_signal(loop, SIGHUP, on_signal, NULL), 0);
    raise(SIGHUP);
    raise(SIGPIPE);
    assert_int_equal(loop_run(loop), 0);
    assert_string_equal(trace, "hup ");
    for (int i = 1; i < LOOP_SIGNALS_MAX; i++)
        assert_int_equal(loop_on_signal(loop, SIGHUP, on_signal, NULL), 0);
    assert_int_equal(loop_on_signal(loop, SIGTERM, on_signal, NULL), ERR_FULL);
}

static void test_rand(void **state)
{
    (void)state;
    unsigned seen_values[3] = {0};
    assert_true(rand_u64() != rand_u64());
    assert_int_equal(rand_below(0), 0);
    assert_int_equal(rand_below(1), 0);
    for (int i = 0; i < 3000; i++)
        seen_values[rand_below(3)]++;
    for (int i = 0; i < 3; i++)
        assert_in_range(seen_values[i], 850, 1150);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_timers_fire_in_order_and_can_be_disarmed),
        TEST(test_deferred_calls_come_behind_what_is_ready),
        TEST(test_one_turn_has_one_end),
        TEST(test_what_is_deferred_when_the_loop_stops_still_runs),
        TEST(test_time_stands_still_within_a_turn),
        TEST(test_lag_sees_a_blocking_callback),
        TEST(test_signals),
        TEST(test_rand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
