#include "common/core/decimal.h"

#include "check.h"

#include <string.h>

#define SOME UINT64_C(7)

static void test_reads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t max;
        int err;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0, 0},
        {"65535", UINT16_MAX, 0, 65535},
        {"65536", UINT16_MAX, ERR_RANGE, SOME},
        {"1", 0, ERR_RANGE, SOME},
        {"0000065535", UINT16_MAX, 0, 65535},
        {"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
        {"18446744073709551616", UINT64_MAX, ERR_RANGE, SOME},
        {"99999999999999999999999999", UINT64_MAX, ERR_RANGE, SOME},
        {"99999999999999999999999999x", UINT64_MAX, ERR_MALFORMED, SOME},
        {"", UINT64_MAX, ERR_MALFORMED, SOME},
        {"-1", UINT64_MAX, ERR_MALFORMED, SOME},
        {"+1", UINT64_MAX, ERR_MALFORMED, SOME},
        {" 1", UINT64_MAX, ERR_MALFORMED, SOME},
        {"1 ", UINT64_MAX, ERR_MALFORMED, SOME},
        {"1.0", UINT64_MAX, ERR_MALFORMED, SOME},
        {"0x1", UINT64_MAX, ERR_MALFORMED, SOME},
        {"1:", UINT64_MAX, ERR_MALFORMED, SOME},
        {"1/", UINT64_MAX, ERR_MALFORMED, SOME},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = SOME;
        size_t len = strlen(cases[i].text);
        int err = decimal_read(check_guarded(cases[i].text, len), len, cases[i].max, &value);
        if (err != cases[i].err || value != cases[i].value)
            fail_msg("\"%s\": %d, %llu", cases[i].text, err, (unsigned long long)value);
    }
}

// `behind`: how much of the text is taken; -1: it is none.
static void test_takes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int behind;
        uint16_t value;
    } cases[] = {
        {"0", 1, 0},     {"0:1", 1, 0},    {"7", 1, 7},       {"65535", 5, 65535},   {"65535x", 5, 65535},
        {"12 3", 2, 12}, {"65536", -1, 0}, {"655350", -1, 0}, {"4294967296", -1, 0}, {"00", -1, 0},
        {"01", -1, 0},   {"", -1, 0},      {"x", -1, 0},      {"-1", -1, 0},         {"+1", -1, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint16_t value = 0;
        size_t len = strlen(cases[i].text);
        const char *text = check_guarded(cases[i].text, len), *at = text;
        bool taken = decimal_take_u16(&at, text + len, &value);
        if (taken != (cases[i].behind >= 0) || (taken && (at - text != cases[i].behind || value != cases[i].value)))
            fail_msg("\"%s\": %d, %u", cases[i].text, taken, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
