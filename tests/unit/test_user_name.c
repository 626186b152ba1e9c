#include "check.h"

#include "gateway/user_name.h"

static void test_what_a_user_is_called(void **state)
{
    (void)state;
    char called[NAME_SIZE], expected[NAME_SIZE];
    struct store_name name = {0};
    name_generate(7, expected);
    user_name(&name, 7, called);
    assert_string_equal(called, expected);
    strcpy(name.text, "Anna");
    user_name(&name, 7, called);
    assert_string_equal(called, "Anna");
    name.erased = true;
    name_pseudonym(7, expected);
    user_name(&name, 7, called);
    assert_string_equal(called, expected);
}

static void test_life(void **state)
{
    (void)state;
    assert_true(user_name_life_ms(&(struct store_user){.record.nonce = 1}, 3600) == 0);
    assert_true(user_name_life_ms(&(struct store_user){.record.nonce = 0}, 3600) == 3600000 + UINT64_C(30) * 86400000);
}

static void test_wait(void **state)
{
    (void)state;
    assert_int_equal(user_name_wait_ms(&(struct store_name){.changed_ms = 0}, 1000, 5), 0);
    assert_int_equal(user_name_wait_ms(&(struct store_name){.changed_ms = 5000}, 1000, 5400), 600);
    assert_int_equal(user_name_wait_ms(&(struct store_name){.changed_ms = 5000}, 1000, 6000), 0);
    assert_int_equal(user_name_wait_ms(&(struct store_name){.changed_ms = 5000}, 0, 5000), 0);
    // The clock was set back: as if it had been changed now.
    assert_int_equal(user_name_wait_ms(&(struct store_name){.changed_ms = 9000}, 1000, 5000), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_a_user_is_called), cmocka_unit_test(test_life),
                                       cmocka_unit_test(test_wait)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
