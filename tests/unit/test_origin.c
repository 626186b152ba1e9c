#include "check.h"

#include "gateway/origin.h"

static bool allowed(const char *origin, const char *host, const char *list)
{
    return origin_allowed(check_guarded(origin, strlen(origin)), strlen(origin), host, strlen(host), false, list);
}

static void test_same_host(void **state)
{
    (void)state;
    assert_true(allowed("http://example.org", "example.org", ""));
    assert_true(allowed("https://example.org", "example.org", "")); // TLS may end at the balancer
    assert_true(allowed("HTTP://Example.ORG", "example.org", ""));
    assert_true(allowed("http://example.org:80", "example.org", ""));
    assert_true(allowed("https://example.org", "example.org:443", ""));
    assert_true(allowed("http://localhost:8080", "localhost:8080", ""));
    assert_true(allowed("http://[::1]:8080", "[::1]:8080", ""));
    assert_false(allowed("http://localhost:8080", "localhost:8081", ""));
    assert_false(allowed("http://localhost:8080", "localhost", ""));
    assert_false(allowed("https://example.org", "example.org:80", ""));
    assert_false(allowed("http://evil.org", "example.org", ""));
    assert_false(allowed("http://example.org.evil.org", "example.org", ""));
    assert_false(allowed("http://evilexample.org", "example.org", ""));
}

static void test_over_tls(void **state)
{
    (void)state;
    const char *host = "example.org";
    const char *plain = "http://example.org", *safe = "https://example.org";
    assert_true(origin_allowed(safe, strlen(safe), host, strlen(host), true, ""));
    assert_false(origin_allowed(plain, strlen(plain), host, strlen(host), true, ""));
    assert_true(origin_allowed(plain, strlen(plain), host, strlen(host), true, "http://example.org"));
}

static void test_malformed(void **state)
{
    (void)state;
    const char *const origins[] = {"",
                                   "null",
                                   "http://",
                                   "http:///x",
                                   "example.org",
                                   "ftp://example.org",
                                   "http://:80",
                                   "http://a:",
                                   "http://a:65536",
                                   "http://a:123456",
                                   "http://a:99999999999999999999",
                                   "http://a:0",
                                   "http://a:8x",
                                   "http://a/",
                                   "http://[::1",
                                   "http://[::1]x"};
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        assert_false(allowed(origins[i], "a", ""));
        assert_false(allowed(origins[i], "example.org", ""));
    }
    assert_false(allowed("http://a", "", ""));
    assert_false(allowed("http://a", "a:b:c", ""));
}

static void test_list(void **state)
{
    (void)state;
    const char *list = "https://one.example, http://two.example:8080";
    assert_true(allowed("https://one.example", "canvas.example", list));
    assert_true(allowed("http://two.example:8080", "canvas.example", list));
    assert_false(allowed("http://one.example", "canvas.example", list)); // another scheme
    assert_false(allowed("http://two.example", "canvas.example", list));
    assert_int_equal(origin_check_list(list), 0);
    assert_int_equal(origin_check_list(""), 0);
    assert_int_equal(origin_check_list("one.example"), ERR_MALFORMED);
    assert_int_equal(origin_check_list("https://one.example,*"), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_host),
        cmocka_unit_test(test_over_tls),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests_name("origin", tests, NULL, NULL);
}
