#include "check.h"

#include "common/core/member.h"

#include <stdio.h>

static void add(struct member_view *view, const char *address, uint64_t incarnation)
{
    assert_int_equal(member_view_add(view, address, strlen(address), incarnation), 0);
}

static void test_nobody(void **state)
{
    (void)state;
    struct member_view view = {0};
    assert_null(member_owner(&view, (struct tile){0, 0}));
}

static void test_add_and_find(void **state)
{
    (void)state;
    struct member_view view = {0};
    add(&view, "a:1", 1);
    add(&view, "b:1", 2);
    add(&view, "a:1", 3);
    assert_int_equal(view.count, 2);
    assert_int_equal(view.members[0].incarnation, 3);
}

static void test_bounds(void **state)
{
    (void)state;
    static struct member_view view;
    char address[80];
    memset(address, 'x', sizeof address);
    assert_int_equal(member_view_add(&view, address, 64, 1), ERR_RANGE);
    assert_int_equal(member_view_add(&view, address, 0, 1), ERR_RANGE);
    assert_int_equal(member_view_add(&view, "a\0b", 3, 1), ERR_RANGE);
    assert_int_equal(member_view_add(&view, address, 63, 1), 0);
    while (view.count < MEMBER_MAX) {
        snprintf(address, sizeof address, "host:%d", view.count);
        add(&view, address, 1);
    }
    assert_int_equal(member_view_add(&view, "one more:1", 10, 1), ERR_FULL);
    assert_int_equal(member_view_add(&view, "host:7", 6, 9), 0);
}

// The value is part of the protocol between all processes: whoever changes it moves every tile.
static void test_weight_is_fixed(void **state)
{
    (void)state;
    assert_true(member_weight("127.0.0.1:7100", (struct tile){0, 0}) == 0xd934c8ed878ec9c7u);
    assert_true(member_weight("shard-2:7100", (struct tile){3, 1000}) == 0xdb941eabe73a77c6u);
}

static void test_order_and_incarnation_do_not_matter(void **state)
{
    (void)state;
    struct member_view forth = {0};
    struct member_view back = {0};
    for (int i = 0; i < 7; i++) {
        char address[32];
        snprintf(address, sizeof address, "s%d:1", i);
        add(&forth, address, 1);
        snprintf(address, sizeof address, "s%d:1", 6 - i);
        add(&back, address, 2);
    }
    for (uint16_t i = 0; i < 500; i++) {
        struct tile tile = {i, (uint16_t)(i * 7)};
        assert_string_equal(member_owner(&forth, tile)->address, member_owner(&back, tile)->address);
    }
}

static void test_spread_and_minimal_movement(void **state)
{
    (void)state;
    struct member_view four = {0};
    unsigned owned[5] = {0};
    unsigned moved = 0;
    for (int i = 0; i < 4; i++) {
        char address[32];
        snprintf(address, sizeof address, "shard%d:7100", i);
        add(&four, address, 1);
    }
    struct member_view five = four;
    add(&five, "shard4:7100", 1);
    for (uint16_t ty = 0; ty < 64; ty++) {
        for (uint16_t tx = 0; tx < 64; tx++) {
            const struct member *before = member_owner(&four, (struct tile){tx, ty});
            const struct member *after = member_owner(&five, (struct tile){tx, ty});
            owned[after - five.members]++;
            if (strcmp(before->address, after->address) != 0) {
                assert_string_equal(after->address, "shard4:7100");
                moved++;
            }
        }
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(owned[i], 4096 / 5 - 120, 4096 / 5 + 120);
    assert_int_equal(moved, owned[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody),
        cmocka_unit_test(test_add_and_find),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_weight_is_fixed),
        cmocka_unit_test(test_order_and_incarnation_do_not_matter),
        cmocka_unit_test(test_spread_and_minimal_movement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
