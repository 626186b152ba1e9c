#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/verdict.h"

static void test_every_code_has_its_own_name(void **state)
{
    (void)state;
    for (unsigned a = 0; a < VERDICT_COUNT; a++) {
        assert_true(strlen(verdict_name(a)) > 0);
        assert_string_not_equal(verdict_name(a), "unknown");
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(verdict_name(a), verdict_name(b));
    }
    assert_string_equal(verdict_name(VERDICT_PLACED), "placed");
    assert_string_equal(verdict_name(VERDICT_COUNT), "unknown");
    assert_string_equal(verdict_name(UINT32_MAX), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_code_has_its_own_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
