// A held tile: its replica with its ring, and the updates that wait while it is read.

#include <stdlib.h>

#include "check.h"
#include "gateway/held.h"

#define LEN 4096u
static const struct tile tile = {3, 4};

static struct replica_update update(uint64_t previous, uint64_t epoch, uint32_t first, uint32_t count,
                                    const uint8_t *records)
{
    return (struct replica_update){previous, epoch, first, count, records};
}

static const uint8_t records[] = {1, 0, 5, 2, 0, 6, 3, 0, 7, 4, 0, 8};

static void test_applies_and_remembers(void **state)
{
    (void)state;
    struct held *held = held_new(tile, LEN, 64);
    struct replica_update first = update(0, 10, 1, 2, records);
    struct replica_update overlapping = update(10, 10, 2, 3, records + 3);
    assert_int_equal(held_apply(held, &first), HELD_APPLIED);
    assert_int_equal(held_apply(held, &first), HELD_IGNORED);
    assert_int_equal(held_apply(held, &overlapping), HELD_APPLIED);
    assert_int_equal(held->replica.pos.seq, 4);
    assert_int_equal(held->replica.px[4], 8);
    assert_true(position_equal(ring_end(&held->ring), held->replica.pos));
    // Only what was new went into the ring, once.
    struct ring_run run;
    uint8_t copy[12];
    assert_true(ring_next(&held->ring, (struct position){0, 0}, held->replica.pos, 99, &run));
    assert_int_equal(run.count, 4);
    ring_copy(&held->ring, &run, copy);
    assert_memory_equal(copy, records, sizeof records);
    held_free(held);
}

static void test_judges(void **state)
{
    (void)state;
    struct held *held = held_new(tile, LEN, 64);
    assert_int_equal(held_load(held, (struct position){10, 100}, records, 3), 0);
    assert_true(held->loaded);
    struct replica_update gap = update(10, 10, 102, 1, records);
    struct replica_update parted = update(11, 12, 101, 1, records);
    struct replica_update old = update(8, 9, 200, 1, records);
    struct replica_update outside = update(10, 10, 101, 1, (const uint8_t[]){0, 16, 1});
    struct replica_update empty = update(10, 10, 101, 0, records);
    struct replica_update next_epoch = update(10, 12, 101, 1, records);
    assert_int_equal(held_apply(held, &gap), HELD_GAP);
    assert_int_equal(held_apply(held, &parted), HELD_GAP);
    assert_int_equal(held_apply(held, &old), HELD_IGNORED);
    assert_int_equal(held_apply(held, &outside), HELD_MALFORMED);
    assert_int_equal(held_apply(held, &empty), HELD_MALFORMED);
    assert_int_equal(held->replica.pos.seq, 100);
    assert_int_equal(held_apply(held, &next_epoch), HELD_APPLIED);
    held_free(held);
}

static void test_loads_anew(void **state)
{
    (void)state;
    struct held *held = held_new(tile, LEN, 64);
    uint8_t *px = calloc(LEN + 1, 1);
    struct replica_update first = update(0, 10, 1, 2, records);
    assert_int_equal(held_apply(held, &first), HELD_APPLIED);
    assert_int_equal(held_load(held, (struct position){10, 9}, px, LEN + 1), ERR_MALFORMED);
    assert_int_equal(held->replica.pos.seq, 2);
    assert_int_equal(held_load(held, (struct position){10, 9}, px, LEN), 0);
    assert_false(ring_has(&held->ring, (struct position){10, 1}));
    assert_true(ring_has(&held->ring, (struct position){10, 9}));
    assert_true(held_bytes(held) <= held_cost(LEN, 64));
    free(px);
    held_free(held);
}

static void test_pending_keeps_the_order(void **state)
{
    (void)state;
    struct pending pending;
    struct replica_update out;
    size_t at = 0;
    pending_init(&pending, 4096);
    for (uint32_t i = 1; i <= 20; i++) {
        struct replica_update in = update(i - 1, i, i, 1 + i % 4, records);
        pending_add(&pending, &in);
    }
    for (uint32_t i = 1; i <= 20; i++) {
        assert_true(pending_next(&pending, &at, &out));
        assert_int_equal(out.first, i);
        assert_true(out.epoch == i && out.prev_epoch == i - 1);
        assert_int_equal(out.count, 1 + i % 4);
        assert_memory_equal(out.records, records, out.count * 3);
    }
    assert_false(pending_next(&pending, &at, &out));
    pending_clear(&pending);
    assert_int_equal(pending.capacity, 0);
    pending_fini(&pending);
}

static void test_pending_is_bounded(void **state)
{
    (void)state;
    struct pending pending;
    struct replica_update one = update(1, 1, 1, 4, records), out;
    size_t at = 0;
    pending_init(&pending, 1000);
    for (unsigned i = 0; i < 1000; i++) {
        pending_add(&pending, &one);
        assert_true(pending.len <= 1000 && pending.capacity <= 1024);
    }
    assert_true(pending.lost);
    assert_false(pending_next(&pending, &at, &out));
    pending_clear(&pending);
    assert_false(pending.lost);
    pending_add(&pending, &one);
    assert_true(pending_next(&pending, &at, &out));
    pending_fini(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_applies_and_remembers),
        cmocka_unit_test(test_judges),
        cmocka_unit_test(test_loads_anew),
        cmocka_unit_test(test_pending_keeps_the_order),
        cmocka_unit_test(test_pending_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
