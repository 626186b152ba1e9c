#include "check.h"

#include "shard/draw.h"

static void test_lists(void **state)
{
    (void)state;
    struct draw draws[4] = {0};
    struct draw_list list = {0}, other = {0};
    assert_null(draw_pop(&list));
    draw_push(&list, &draws[1]);
    draw_push(&other, &draws[0]);
    draw_prepend(&list, &other);
    assert_int_equal(other.count, 0);
    assert_null(other.first);
    draw_push(&other, &draws[2]);
    draw_push(&other, &draws[3]);
    draw_append(&list, &other);
    draw_append(&list, &other);
    draw_prepend(&list, &other);
    assert_int_equal(list.count, 4);
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(draw_pop(&list), &draws[i]);
    assert_null(draw_pop(&list));
    assert_int_equal(list.count, 0);
    draw_push(&list, &draws[0]);
    assert_ptr_equal(list.first, list.last);
}

static void test_pool(void **state)
{
    (void)state;
    struct draw_pool pool = {.max = 1500};
    static struct draw *draws[1500];
    for (size_t i = 0; i < 1500; i++) {
        draws[i] = draw_new(&pool);
        assert_non_null(draws[i]);
        memset(draws[i], 0xff, sizeof *draws[i]);
    }
    assert_null(draw_new(&pool));
    assert_int_equal(pool.used, 1500);
    draw_release(&pool, draws[3]);
    assert_ptr_equal(draw_new(&pool), draws[3]);
    assert_int_equal(draws[3]->asked.nonce, 0);
    assert_null(draw_new(&pool));
    draw_pool_fini(&pool);
    assert_int_equal(pool.made, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lists), cmocka_unit_test(test_pool)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
