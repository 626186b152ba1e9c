#include "check.h"

#include "common/core/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static struct addr from(const char *text)
{
    struct addr addr;
    assert_int_equal(addr_from_text(&addr, check_guarded(text, strlen(text)), strlen(text)), 0);
    return addr;
}

static void test_text_and_key(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"192.0.2.7", "192.0.2.7", "192.0.2.7"},
        {"::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"},
        {"2001:DB8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {"::1", "::1", "::/64"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "ffff:ffff:ffff:ffff::/64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[ADDR_TEXT_SIZE];
        char key[ADDR_KEY_SIZE];
        struct addr addr = from(cases[i][0]);
        addr_to_text(&addr, text);
        addr_key(&addr, key);
        assert_string_equal(text, cases[i][1]);
        assert_string_equal(key, cases[i][2]);
    }
}

static void test_text_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"",      "1.2.3",     "1.2.3.4.5", "1.2.3.256", "1.2.3.4 ",
                                        "[::1]", "fe80::1%0", "localhost", ":::",       "1.2.3.4/8"};
    struct addr addr;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(addr_from_text(&addr, texts[i], strlen(texts[i])), ERR_MALFORMED);
    assert_int_equal(addr_from_text(&addr, "1.2.3.4\0", 8), ERR_MALFORMED);
    char text_long[100];
    memset(text_long, '1', sizeof text_long);
    assert_int_equal(addr_from_text(&addr, text_long, sizeof text_long), ERR_MALFORMED);
}

static void test_sockaddr(void **state)
{
    (void)state;
    struct addr addr;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &in.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr), 1);
    struct addr expected = from("192.0.2.7");
    assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&in, sizeof in), 0);
    assert_true(addr_equal(&addr, &expected));
    assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&in6, sizeof in6), 0);
    assert_true(addr_equal(&addr, &expected));
    assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&in6, sizeof in), ERR_UNSUPPORTED);
    in.sin_family = AF_UNIX;
    assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&in, sizeof in), ERR_UNSUPPORTED);
    assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&in, 0), ERR_UNSUPPORTED);
}

static void test_loopback(void **state)
{
    (void)state;
    struct addr a = from("127.8.9.10");
    struct addr b = from("::1");
    struct addr c = from("126.0.0.1");
    struct addr d = from("::2");
    assert_true(addr_is_loopback(&a));
    assert_true(addr_is_loopback(&b));
    assert_false(addr_is_loopback(&c));
    assert_false(addr_is_loopback(&d));
}

static bool listed(const char *list_text, const char *text)
{
    struct addr_list list;
    struct addr addr = from(text);
    assert_int_equal(addr_list_parse(&list, check_guarded(list_text, strlen(list_text)), strlen(list_text)), 0);
    return addr_list_has(&list, &addr);
}

static void test_list(void **state)
{
    (void)state;
    assert_false(listed("", "10.0.0.1"));
    assert_true(listed("10.0.0.0/8", "10.255.255.255"));
    assert_true(listed("10.0.0.0/8", "::ffff:10.1.1.1"));
    assert_false(listed("10.0.0.0/8", "11.0.0.0"));
    assert_true(listed("0.0.0.0/0", "8.8.8.8"));
    assert_false(listed("0.0.0.0/0", "2001:db8::1"));
    assert_true(listed("::/0", "8.8.8.8"));
    assert_true(listed(" 192.0.2.1 , ::1/128 ", "::1"));
    assert_true(listed("192.0.2.1,::1/128", "192.0.2.1"));
    assert_false(listed("192.0.2.1", "192.0.2.2"));
    assert_true(listed("2001:db8:8000::/33", "2001:db8:ffff::1"));
    assert_false(listed("2001:db8:8000::/33", "2001:db8:7fff::1"));
    assert_true(listed("192.168.16.0/20", "192.168.31.255"));
    assert_false(listed("192.168.16.0/20", "192.168.32.0"));
}

static void test_list_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"10.0.0.1/8",  "10.0.0.0/33", "10.0.0.0/",    "10.0.0.0/-1",
                                        "::1/129",     "10.0.0.0/8,", ",10.0.0.0/8",  "10.0.0.0/8x",
                                        "10.0.0.0 /8", "/8",          "10.0.0.0/0008"};
    struct addr_list list;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(addr_list_parse(&list, texts[i], strlen(texts[i])), ERR_MALFORMED);
}

static void test_list_bound(void **state)
{
    (void)state;
    static struct addr_list list;
    char text[ADDR_LIST_MAX * 16 + 16] = "";
    for (int i = 0; i < ADDR_LIST_MAX; i++)
        sprintf(text + strlen(text), "%s10.0.0.%d", i > 0 ? "," : "", i);
    assert_int_equal(addr_list_parse(&list, text, strlen(text)), 0);
    assert_int_equal(list.count, ADDR_LIST_MAX);
    strcat(text, ",::1");
    assert_int_equal(addr_list_parse(&list, text, strlen(text)), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_key), cmocka_unit_test(test_text_refused), cmocka_unit_test(test_sockaddr),
        cmocka_unit_test(test_loopback),     cmocka_unit_test(test_list),         cmocka_unit_test(test_list_refused),
        cmocka_unit_test(test_list_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
