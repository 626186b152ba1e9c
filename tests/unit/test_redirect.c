#include "check.h"

#include <string.h>

#include "gateway/redirect.h"

static struct http_request request;

static const char *redirected(const char *text, uint16_t port, size_t size)
{
    static char header[REDIRECT_HEADER_MAX];
    http_request_init(&request);
    assert_int_equal(http_request_feed(&request, text, 0, strlen(text)), strlen(text));
    size_t len = redirect_header(header, size, &request, text, port);
    return len > 0 && len == strlen(header) ? header : NULL;
}

#define GET(target_, host_) "GET " target_ " HTTP/1.1\r\nHost: " host_ "\r\n\r\n"

static void test_locations(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        uint16_t port;
        const char *header;
    } cases[] = {
        {GET("/", "place.example"), 0, "Location: https://place.example/\r\n"},
        {GET("/a?b=%20", "place.example:8080"), 0, "Location: https://place.example:8080/a?b=%20\r\n"},
        {GET("/", "place.example:80"), 443, "Location: https://place.example/\r\n"},
        {GET("/", "place.example"), 8443, "Location: https://place.example:8443/\r\n"},
        {GET("/", "place.example:80"), 8443, "Location: https://place.example:8443/\r\n"},
        {GET("/x", "[2001:db8::1]"), 8443, "Location: https://[2001:db8::1]:8443/x\r\n"},
        {GET("/x", "[2001:db8::1]:80"), 443, "Location: https://[2001:db8::1]/x\r\n"},
        {GET("//evil.example/", "place.example"), 0, "Location: https://place.example//evil.example/\r\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_string_equal(redirected(cases[i].request, cases[i].port, REDIRECT_HEADER_MAX), cases[i].header);
}

static void test_too_long(void **state)
{
    (void)state;
    size_t len = strlen("Location: https://a/\r\n");
    assert_non_null(redirected(GET("/", "a"), 0, len + 1));
    assert_null(redirected(GET("/", "a"), 0, len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_locations), cmocka_unit_test(test_too_long)};
    return cmocka_run_group_tests_name("redirect", tests, NULL, NULL);
}
