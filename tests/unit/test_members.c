#include "check.h"

#include <stdio.h>

#include "proto/members.h"

static int field(struct member_view *view, const char *name, const char *value)
{
    return members_field(view, name, strlen(name), value, strlen(value));
}

static void test_members(void **state)
{
    (void)state;
    static struct member_view view;
    assert_int_equal(field(&view, "s:10.0.0.1:7000", "00000000000000ff 1700000000000 0.1.0"), 0);
    assert_int_equal(field(&view, "view", "12"), 0);
    assert_int_equal(field(&view, "s:b:1", "8000000000000001 5"), 0);
    assert_true(view.number == 12);
    assert_int_equal(view.count, 2);
    assert_string_equal(view.members[0].address, "10.0.0.1:7000");
    assert_true(view.members[0].incarnation == 0xff);
    assert_true(view.members[1].incarnation == 0x8000000000000001u);
}

// One broken field takes nobody's owner away.
static void test_what_is_no_member(void **state)
{
    (void)state;
    static struct member_view view;
    static const char *const fields[][2] = {
        {"", ""},
        {"x", "y"},
        {"s", "0000000000000001 5"},
        {"s:", "0000000000000001 5"},
        {"s:a:1", ""},
        {"s:a:1", "no incarnation"},
        {"s:a:1", "0000000000000001"},
        {"s:a:1", "00000000000000015"},
        {"s:a:1", "000000000000000g 5"},
        {"s:a23456789b123456789c123456789d123456789e123456789f123456789g123:1", "0000000000000001 5"},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        assert_int_equal(field(&view, fields[i][0], fields[i][1]), 0);
    assert_true(view.count == 0 && view.number == 0);
}

static void test_what_is_no_view(void **state)
{
    (void)state;
    static struct member_view view;
    static const char *const numbers[] = {"", "1x", " 1", "-1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        assert_int_equal(field(&view, "view", numbers[i]), ERR_MALFORMED);
    for (unsigned i = 0; i < MEMBER_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "s:h:%u", i);
        assert_int_equal(field(&view, name, "0000000000000001 5"), 0);
    }
    assert_int_equal(field(&view, "s:more:1", "0000000000000001 5"), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_what_is_no_member),
        cmocka_unit_test(test_what_is_no_view),
    };
    return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
