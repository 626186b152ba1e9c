#include "check.h"

#include "common/core/pressure.h"

static int parse(struct pressure *pressure, const char *text)
{
    size_t len = strlen(text);
    return pressure_parse(pressure, check_guarded(text, len), len);
}

static void test_info(void **state)
{
    (void)state;
    struct pressure pressure;
    assert_int_equal(parse(&pressure, "# Memory\r\nused_memory:864032\r\nused_memory_human:843.78K\r\n"
                                      "maxmemory_human:1M\r\nmaxmemory:1048576\r\nmaxmemory_policy:noeviction\r\n"),
                     0);
    assert_int_equal(pressure.used_bytes, 864032);
    assert_int_equal(pressure.max_bytes, 1048576);
    assert_int_equal(parse(&pressure, "maxmemory:0\nused_memory:5"), 0);
    assert_int_equal(pressure.used_bytes, 5);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "used_memory:",
        "used_memory:1\r\n",
        "maxmemory:1\r\n",
        "xused_memory:1\r\nmaxmemory:1\r\n",
        "used_memory:x\r\nmaxmemory:1\r\n",
        "used_memory:1k\r\nmaxmemory:1\r\n",
        "used_memory:\r\nmaxmemory:1\r\n",
        "used_memory:99999999999999999999\r\nmaxmemory:1\r\n",
    };
    struct pressure pressure;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(parse(&pressure, texts[i]), ERR_MALFORMED);
}

static void test_high(void **state)
{
    (void)state;
    assert_false(pressure_high(&(struct pressure){80, 100}));
    assert_true(pressure_high(&(struct pressure){81, 100}));
    assert_false(pressure_high(&(struct pressure){UINT64_MAX, 0}));
    assert_true(pressure_high(&(struct pressure){UINT64_MAX, UINT64_MAX}));
    assert_false(pressure_high(&(struct pressure){8, 10}));
    assert_true(pressure_high(&(struct pressure){1, 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_info), cmocka_unit_test(test_malformed),
                                       cmocka_unit_test(test_high)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
