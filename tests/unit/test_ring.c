// The ring against a plain list of everything.

#include <stdlib.h>

#include "check.h"
#include "gateway/ring.h"

#define HISTORY 5000u

static uint64_t epochs[HISTORY + 1]; // of each seq
static uint8_t records[(HISTORY + 1) * 3];

static void push(struct ring *ring, uint64_t epoch, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        epochs[first + i] = epoch;
        memcpy(records + 3 * (first + i), (uint8_t[]){(uint8_t)(first + i), (uint8_t)((first + i) >> 8), 7}, 3);
    }
    ring_push(ring, epoch, count, records + (size_t)3 * first);
}

static void check_history(const struct ring *ring, struct position from, struct position to)
{
    struct ring_run run;
    uint8_t copy[HISTORY * 3];
    while (ring_next(ring, from, to, 100, &run)) {
        assert_int_equal(run.first, from.seq + 1);
        assert_true(run.previous_epoch == from.epoch);
        assert_in_range(run.count, 1, 100);
        ring_copy(ring, &run, copy);
        assert_memory_equal(copy, records + (size_t)3 * run.first, (size_t)3 * run.count);
        for (uint32_t i = 0; i < run.count; i++)
            assert_true(epochs[run.first + i] == run.epoch);
        from = ring_run_end(&run);
    }
    assert_true(position_equal(from, to));
}

static void check_all(const struct ring *ring, uint32_t end)
{
    assert_int_equal(ring_end(ring).seq, end);
    assert_true(ring_end(ring).epoch == epochs[end]);
    assert_true(ring->count <= ring->max);
    for (uint32_t seq = 0; seq <= end; seq++) {
        struct position pos = {epochs[seq], seq};
        bool inside = seq >= ring->base.seq;
        assert_true(ring_has(ring, pos) == inside);
        assert_false(ring_has(ring, (struct position){epochs[seq] + 1000, seq}));
        if (inside)
            check_history(ring, pos, ring_end(ring));
    }
    assert_false(ring_has(ring, (struct position){epochs[end], end + 1}));
}

static void test_against_a_list(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct ring ring;
        uint64_t epoch = 0;
        uint32_t end = 0;
        srand(seed);
        ring_init(&ring, 1u << (rand() % 8));
        while (end < 600) {
            uint32_t count = 1 + (uint32_t)rand() % (rand() % 8 == 0 ? 200 : 5);
            epoch += epoch == 0 || rand() % 4 == 0 ? 3 : 0;
            push(&ring, epoch, end + 1, count);
            end += count;
            if (rand() % 3 == 0)
                check_all(&ring, end);
        }
        check_all(&ring, end);
        ring_fini(&ring);
    }
}

static void test_keeps_what_it_may(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring, 100); // 128
    for (uint32_t seq = 1; seq <= 1000; seq++)
        push(&ring, 5, seq, 1);
    assert_int_equal(ring.count, 128);
    assert_int_equal(ring_bytes(&ring), 128 * 3);
    push(&ring, 5, 1001, 500);
    assert_int_equal(ring.count, 128);
    assert_int_equal(ring.base.seq, 1500 - 128);
    ring_fini(&ring);
}

static void test_few_epochs(void **state)
{
    (void)state;
    struct ring ring;
    ring_init(&ring, 1024);
    for (uint32_t seq = 1; seq <= 100; seq++)
        push(&ring, seq * 10, seq, 1);
    assert_int_equal(ring.span_count, RING_EPOCHS);
    assert_int_equal(ring.base.seq, 100 - RING_EPOCHS);
    check_all(&ring, 100);
    ring_fini(&ring);
}

static void test_restarts(void **state)
{
    (void)state;
    struct ring ring;
    struct ring_run run;
    ring_init(&ring, 64);
    push(&ring, 3, 1, 10);
    ring_restart(&ring, (struct position){9, 700});
    assert_true(position_equal(ring_end(&ring), (struct position){9, 700}));
    assert_true(ring_has(&ring, (struct position){9, 700}));
    assert_false(ring_has(&ring, (struct position){3, 5}));
    epochs[700] = 9;
    push(&ring, 9, 701, 3);
    assert_true(ring_next(&ring, (struct position){9, 700}, ring_end(&ring), 8, &run));
    assert_int_equal(run.first, 701);
    assert_int_equal(run.count, 3);
    ring_fini(&ring);
}

static void test_last_numbers(void **state)
{
    (void)state;
    static const uint8_t some[9];
    struct ring ring;
    struct ring_run run;
    ring_init(&ring, 4);
    ring_restart(&ring, (struct position){1, UINT32_MAX - 3});
    ring_push(&ring, 1, 3, some);
    assert_int_equal(ring_end(&ring).seq, UINT32_MAX);
    assert_true(ring_next(&ring, (struct position){1, UINT32_MAX - 3}, ring_end(&ring), 8192, &run));
    assert_int_equal(run.count, 3);
    ring_fini(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_list), cmocka_unit_test(test_keeps_what_it_may),
        cmocka_unit_test(test_few_epochs),     cmocka_unit_test(test_restarts),
        cmocka_unit_test(test_last_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
