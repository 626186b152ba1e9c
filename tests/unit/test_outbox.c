#include "check.h"

#include <stdlib.h>

#include "gateway/outbox.h"

static struct outbox_pool pool;

static void test_order_and_memory(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    assert_int_equal(outbox_put(&outbox, &pool, "ab", 2, "cde", 3), 0);
    assert_int_equal(outbox_put(&outbox, &pool, "f", 1, NULL, 0), 0);
    assert_int_equal(outbox.len, 6);
    assert_memory_equal(outbox_data(&outbox), "abcdef", 6);
    outbox_eat(&outbox, &pool, 2);
    assert_memory_equal(outbox_data(&outbox), "cdef", 4);
    outbox_eat(&outbox, &pool, 4);
    assert_null(outbox.bytes);
    assert_int_equal(outbox.capacity, 0);
}

static void test_bound(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    static const uint8_t block[OUTBOX_MAX];
    assert_int_equal(outbox_put(&outbox, &pool, "h", 1, block, OUTBOX_MAX), ERR_FULL);
    assert_int_equal(outbox_put(&outbox, &pool, "h", 1, block, SIZE_MAX), ERR_FULL);
    assert_int_equal(outbox_put(&outbox, &pool, block, SIZE_MAX, block, 2), ERR_FULL);
    assert_int_equal(outbox.len, 0);
    assert_int_equal(outbox_put(&outbox, &pool, "h", 1, block, OUTBOX_MAX - 1), 0);
    assert_int_equal(outbox_put(&outbox, &pool, "x", 1, NULL, 0), ERR_FULL);
    assert_int_equal(outbox.len, OUTBOX_MAX);
    // The close frame always fits, but not more than it may be.
    assert_int_equal(outbox_put_last(&outbox, &pool, block, OUTBOX_LAST_MAX), 0);
    assert_int_equal(outbox_put_last(&outbox, &pool, block, 1), ERR_FULL);
    outbox_fini(&outbox, &pool);
}

// Small puts and eats in turn: nothing is mixed up when what is left moves to the front, and the memory stays small.
static void test_stays_small(void **state)
{
    (void)state;
    struct outbox outbox = {0};
    uint8_t in = 0, out = 0;
    for (unsigned round = 0; round < 10000; round++) {
        uint8_t piece[7];
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = in++;
        assert_int_equal(outbox_put(&outbox, &pool, piece, 3, piece + 3, 4), 0);
        size_t n = round % 3 == 0 ? 5 : 8;
        if (n > outbox.len - 1u)
            n = outbox.len - 1u;
        for (size_t i = 0; i < n; i++)
            assert_int_equal(outbox_data(&outbox)[i], out++);
        outbox_eat(&outbox, &pool, n);
        assert_true(outbox.capacity <= 128);
    }
    outbox_fini(&outbox, &pool);
}

// Blocks go round; only so many are kept, and a larger memory never becomes one.
static void test_blocks_are_used_again(void **state)
{
    (void)state;
    static struct outbox boxes[OUTBOX_POOL_MAX + 10];
    struct outbox large = {0};
    static const uint8_t much[OUTBOX_BLOCK + 1];
    outbox_pool_fini(&pool);
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++)
        assert_int_equal(outbox_put(&boxes[i], &pool, "x", 1, NULL, 0), 0);
    assert_int_equal(pool.count, 0);
    for (size_t i = 0; i < sizeof boxes / sizeof boxes[0]; i++)
        outbox_eat(&boxes[i], &pool, 1);
    assert_int_equal(pool.count, OUTBOX_POOL_MAX);
    assert_int_equal(outbox_put(&large, &pool, "abc", 3, NULL, 0), 0);
    assert_int_equal(pool.count, OUTBOX_POOL_MAX - 1);
    assert_int_equal(outbox_put(&large, &pool, much, sizeof much, NULL, 0), 0);
    assert_int_equal(pool.count, OUTBOX_POOL_MAX); // it outgrew its block
    assert_memory_equal(outbox_data(&large), "abc", 3);
    outbox_fini(&large, &pool);
    assert_int_equal(pool.count, OUTBOX_POOL_MAX);
    outbox_pool_fini(&pool);
    assert_int_equal(pool.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_memory),
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_stays_small),
        cmocka_unit_test(test_blocks_are_used_again),
    };
    int result = cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
    outbox_pool_fini(&pool);
    return result;
}
