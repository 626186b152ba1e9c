// The worker, on the real loop.

#include <stdatomic.h>
#include <unistd.h>

#include "check.h"
#include "gateway/worker.h"

#define JOBS 50

struct job {
    struct worker_job job;
    int number, waits_us;
    bool held, ran; // held: until `released`
};

static struct loop *loop;
static struct job jobs[JOBS];
static int order[JOBS], done_count;
static atomic_bool begun, released;

static void run(struct worker_job *job)
{
    struct job *mine = (struct job *)job;
    if (mine->waits_us > 0)
        usleep((useconds_t)mine->waits_us);
    atomic_store(&begun, true);
    while (mine->held && !atomic_load(&released))
        usleep(1000);
    mine->ran = true;
}

static void done(struct worker_job *job)
{
    struct job *mine = (struct job *)job;
    assert_true(mine->ran);
    order[done_count++] = mine->number;
}

static void prepare(void)
{
    done_count = 0;
    atomic_store(&begun, false);
    atomic_store(&released, false);
    for (int i = 0; i < JOBS; i++)
        jobs[i] = (struct job){.job = {.run = run, .done = done}, .number = i};
}

static void wait_for(int count)
{
    for (int i = 0; i < 2000 && done_count < count; i++)
        loop_run_once(loop, 10);
    assert_int_equal(done_count, count);
}

static void test_in_order(void **state)
{
    (void)state;
    struct worker *worker = worker_new(loop, JOBS);
    prepare();
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(worker_submit(worker, &jobs[i].job), 0);
    wait_for(JOBS);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(order[i], i);
    worker_free(worker);
}

static void test_urgent_goes_first(void **state)
{
    (void)state;
    struct worker *worker = worker_new(loop, JOBS);
    prepare();
    jobs[0].held = true; // the others queue up behind it
    for (int i = 0; i < 10; i++) {
        jobs[i].job.urgent = i >= 8;
        assert_int_equal(worker_submit(worker, &jobs[i].job), 0);
        while (!atomic_load(&begun))
            usleep(1000);
    }
    atomic_store(&released, true);
    wait_for(10);
    static const int expected[] = {0, 8, 9, 1, 2, 3, 4, 5, 6, 7};
    assert_memory_equal(order, expected, sizeof expected);
    worker_free(worker);
}

static void test_bounded(void **state)
{
    (void)state;
    struct worker *worker = worker_new(loop, 3);
    prepare();
    jobs[0].held = true;
    for (int i = 0; i < 3; i++)
        assert_int_equal(worker_submit(worker, &jobs[i].job), 0);
    assert_int_equal(worker_submit(worker, &jobs[3].job), ERR_FULL);
    atomic_store(&released, true);
    wait_for(3);
    assert_int_equal(worker_submit(worker, &jobs[3].job), 0);
    wait_for(4);
    worker_free(worker);
}

static void test_finishes_at_the_end(void **state)
{
    (void)state;
    struct worker *worker = worker_new(loop, JOBS);
    prepare();
    for (int i = 0; i < 20; i++) {
        jobs[i].waits_us = 1000;
        assert_int_equal(worker_submit(worker, &jobs[i].job), 0);
    }
    worker_free(worker);
    assert_int_equal(done_count, 20);
    worker_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_urgent_goes_first),
        cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_finishes_at_the_end),
    };
    loop = loop_new();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    loop_free(loop);
    return failed;
}
