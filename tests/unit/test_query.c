#include "check.h"

#include "gateway/query.h"

static struct query of(const char *text)
{
    size_t len = strlen(text);
    return (struct query){check_guarded(text, len), len};
}

static void test_find(void **state)
{
    (void)state;
    static const struct {
        const char *query, *name, *value;
    } cases[] = {
        {"x=1&y=2", "x", "1"}, {"x=1&y=2", "y", "2"}, {"xx=1&x=2", "x", "2"},  {"x=1&x=2", "x", "1"},
        {"x", "x", ""},        {"fresh&x=", "x", ""}, {"a&x=1=2", "x", "1=2"}, {"", "x", NULL},
        {"y=x", "x", NULL},    {"xy=1", "x", NULL},   {"&&x=1&&", "x", "1"},   {"=x", "x", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct query query = of(cases[i].query);
        size_t len;
        const char *value = query_find(&query, cases[i].name, &len);
        assert_true((value == NULL) == (cases[i].value == NULL));
        if (value != NULL) {
            assert_int_equal(len, strlen(cases[i].value));
            assert_memory_equal(value, cases[i].value, len);
        }
    }
    size_t len;
    assert_null(query_find(&(struct query){NULL, 0}, "x", &len));
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct {
        const char *query;
        int err, whole_err;
        int64_t value;
    } cases[] = {
        {"x=0", 0, 0, 0},
        {"x=007", 0, 0, 7},
        {"x=-5", 0, 0, -5},
        {"x=100", 0, 0, 100},
        {"x=-10", 0, 0, -10},
        {"x=101", ERR_RANGE, ERR_RANGE, 0},
        {"x=-11", ERR_RANGE, ERR_RANGE, 0},
        {"x=999999999999", ERR_RANGE, ERR_RANGE, 0},
        {"x=99999999999999999999999", ERR_RANGE, ERR_RANGE, 0},
        {"x=", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=-", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=+1", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=1e1", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=1 ", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=%31", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=1.5", ERR_MALFORMED, 0, 1},
        {"x=-1.25", ERR_MALFORMED, 0, -2},
        {"x=-1.00", ERR_MALFORMED, 0, -1},
        {"x=-0.5", ERR_MALFORMED, 0, -1},
        {"x=2.", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=2.01234567890123456789", ERR_MALFORMED, 0, 2},
        {"x=2.012345678901234567890", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=0000007", 0, 0, 7},
        {"x=00000007", 0, ERR_RANGE, 7},
        {"x=.5", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=1.5.5", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"x=1.x", ERR_MALFORMED, ERR_MALFORMED, 0},
        {"y=1", ERR_NOT_FOUND, ERR_NOT_FOUND, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct query query = of(cases[i].query);
        int64_t value = 77;
        assert_int_equal(query_number(&query, "x", -10, 100, &value), cases[i].err);
        assert_int_equal(value, cases[i].err == 0 ? cases[i].value : 77);
        value = 77;
        assert_int_equal(query_whole(&query, "x", -10, 100, &value), cases[i].whole_err);
        assert_int_equal(value, cases[i].whole_err == 0 ? cases[i].value : 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
