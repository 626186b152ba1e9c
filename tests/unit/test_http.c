#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/http.h"

#define HOST "Host: example.org\r\n"

static struct http_request request;
static char *buffer;

// Feeds the text in pieces of `step` bytes, each time from memory of exactly the length that is there.
static ssize_t feed(const char *text, size_t len, size_t step)
{
    http_request_init(&request);
    ssize_t result = 0;
    for (size_t have = 0; have < len && result == 0;) {
        size_t next = have + step < len ? have + step : len;
        char *grown = malloc(next);
        assert_non_null(grown);
        memcpy(grown, text, next);
        free(buffer);
        buffer = grown;
        result = http_request_feed(&request, buffer, have, next);
        have = next;
    }
    return result;
}

static ssize_t feed_text(const char *text, size_t step)
{
    return feed(text, strlen(text), step);
}

static const size_t steps[] = {1, 2, 3, 7, 64, 100000};
#define FOR_STEPS(step_)                                                                                               \
    for (size_t i_ = 0, step_ = steps[0]; i_ < sizeof steps / sizeof steps[0]; i_++, step_ = steps[i_ < 6 ? i_ : 0])

static void expect_refused(const char *text, unsigned status)
{
    FOR_STEPS(step)
    {
        assert_int_equal(feed_text(text, step), ERR_MALFORMED);
        if (request.status != status)
            fail_msg("%s: status %u, not %u (step %zu): %s", text, request.status, status, step, request.why);
        assert_non_null(request.why);
    }
}

static void expect_whole(const char *text, size_t len)
{
    FOR_STEPS(step)
    {
        ssize_t result = feed_text(text, step);
        if (result < 0)
            fail_msg("%s: refused with %u %s", text, request.status, request.why);
        assert_int_equal(result, len);
    }
}

static void test_simple(void **state)
{
    (void)state;
    const char *text = "GET /api/v1/canvas?x=1 HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n";
    expect_whole(text, strlen(text));
    assert_int_equal(request.parser.method, HTTP_GET);
    assert_true(request.keep_alive);
    assert_int_equal(request.target.len, strlen("/api/v1/canvas?x=1"));
    assert_memory_equal(buffer + request.target.at, "/api/v1/canvas?x=1", request.target.len);
    size_t len;
    bool repeated = false;
    const char *host = http_request_single(&request, buffer, "host", &len, &repeated);
    assert_non_null(host);
    assert_int_equal(len, 11);
    assert_memory_equal(host, "example.org", 11);
}

static void test_every_truncation_is_partial(void **state)
{
    (void)state;
    const char *text = "POST /api/v1/session HTTP/1.1\r\n" HOST "Content-Length: 5\r\nX-A: b\r\n\r\nhello";
    for (size_t len = 1; len < strlen(text); len++)
        FOR_STEPS(step)
    assert_int_equal(feed(text, len, step), 0);
    expect_whole(text, strlen(text));
    assert_int_equal(request.body_len, 5);
}

static void test_pipelined(void **state)
{
    (void)state;
    const char *first = "GET /a HTTP/1.1\r\n" HOST "\r\n";
    char both[256];
    snprintf(both, sizeof both, "%sGET /b HTTP/1.1\r\n" HOST "\r\n", first);
    assert_int_equal(feed_text(both, 1000), strlen(first));
    assert_int_equal(feed(both, strlen(first) + 3, 1000), strlen(first));
    snprintf(both, sizeof both, "POST /a HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabcGET /b");
    assert_int_equal(feed_text(both, 1000), strlen(both) - 6);
}

static void test_keep_alive(void **state)
{
    (void)state;
    const struct {
        const char *text;
        bool keep_alive;
    } cases[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", true},
        {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\n" HOST "Connection: foo, CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "\r\n", false},
        {"GET / HTTP/1.0\r\n" HOST "Connection: keep-alive\r\n\r\n", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_whole(cases[i].text, strlen(cases[i].text));
        assert_int_equal(request.keep_alive, cases[i].keep_alive);
    }
}

static void test_smuggling(void **state)
{
    (void)state;
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: identity\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding:\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "transfer-ENCODING: xchunked\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Transfer\tEncoding: chunked\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5, 5\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: -5\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 0x5\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5 5\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length:\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "X: a\r\n\tb\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "X:\r\n Transfer-Encoding: chunked\r\n\r\n", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "X: \r\n \r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\n" HOST "\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "X: a\x01b\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "X Y: a\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "novalue\r\n\r\n", 400);
}

static void test_nul(void **state)
{
    (void)state;
    const char text[] = "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n";
    FOR_STEPS(step)
    {
        assert_int_equal(feed(text, sizeof text - 1, step), ERR_MALFORMED);
        assert_int_equal(request.status, 400);
    }
}

static void test_host(void **state)
{
    (void)state;
    expect_refused("GET / HTTP/1.1\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.0\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\n" HOST "hOST: b\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
    expect_refused("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400);
    const char *v6 = "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n";
    expect_whole(v6, strlen(v6));
}

static void test_target_and_version(void **state)
{
    (void)state;
    expect_refused("GET http://example.org/ HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("CONNECT example.org:443 HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
    expect_refused("GET / HTTP/1.2\r\n" HOST "\r\n", 505);
    expect_refused("GET / HTTP/0.9\r\n" HOST "\r\n", 505);
    expect_refused("GET /\r\n\r\n", 505); // HTTP/0.9
    expect_refused("FROB / HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("get / HTTP/1.1\r\n" HOST "\r\n", 400);
    expect_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400);
    expect_refused("\x16\x03\x01\x02", 400);
}

static void test_bodies(void **state)
{
    (void)state;
    expect_refused("GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 400);
    expect_refused("DELETE / HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\nx", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 1025\r\n\r\n", 413);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 4294967296\r\n\r\n", 413);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nConnection: upgrade\r\n\r\nhello", 400);
    expect_refused("POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 417);
    const char *put = "PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello";
    expect_whole(put, strlen(put));
    const char *none = "GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n";
    expect_whole(none, strlen(none));
    char full[2048];
    int head = snprintf(full, sizeof full, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1024\r\n\r\n");
    memset(full + head, 'x', 1024);
    assert_int_equal(feed(full, (size_t)head + 1023, 5), 0);
    assert_int_equal(feed(full, (size_t)head + 1024, 5), head + 1024);
}

static void test_head_limits(void **state)
{
    (void)state;
    char text[HTTP_HEAD_MAX + 64];
    size_t len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST);
    for (unsigned i = 1; i < HTTP_HEADERS_MAX; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "X-%u: y\r\n", i);
    strcpy(text + len, "\r\n");
    expect_whole(text, strlen(text));
    assert_int_equal(request.count, HTTP_HEADERS_MAX);
    strcpy(text + len, "Z: y\r\n\r\n");
    expect_refused(text, 431);

    // Exactly 8192 bytes of head are accepted, one more is not.
    for (int more = 0; more < 2; more++) {
        len = (size_t)snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "X: ");
        size_t fill = HTTP_HEAD_MAX - len - 4 + (size_t)more;
        memset(text + len, 'a', fill);
        memcpy(text + len + fill, "\r\n\r\n", 5);
        assert_int_equal(strlen(text), HTTP_HEAD_MAX + (size_t)more);
        if (more == 0)
            expect_whole(text, HTTP_HEAD_MAX);
        else
            expect_refused(text, 431);
    }
    memset(text, 'A', sizeof text);
    memcpy(text, "GET /", 5);
    FOR_STEPS(step)
    {
        assert_int_equal(feed(text, sizeof text, step), ERR_MALFORMED);
        assert_int_equal(request.status, 431);
    }
}

static void test_gzip(void **state)
{
    (void)state;
    const struct {
        const char *value;
        bool takes;
    } cases[] = {{"gzip", true},          {"br, GZIP", true}, {"gzip;q=0", false},      {"gzip; q=0.000", false},
                 {"gzip;q=0.5", true},    {"*", true},        {"*;q=0", false},         {"gzip;q=0, *", false},
                 {"x-gzip", false},       {"deflate", false}, {"identity, gzip", true}, {"", false},
                 {"br;q=1, *;q=0", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "GET / HTTP/1.1\r\n" HOST "Accept-Encoding: %s\r\n\r\n", cases[i].value);
        expect_whole(text, strlen(text));
        if (http_request_takes_gzip(&request, buffer) != cases[i].takes)
            fail_msg("%s", cases[i].value);
    }
}

static void test_cookies(void **state)
{
    (void)state;
    const char *text =
        "GET / HTTP/1.1\r\n" HOST "Cookie: a=1; tessera_sessionx=2;tessera_session=abc.def; b\r\nCookie: c=9\r\n\r\n";
    size_t len;
    expect_whole(text, strlen(text));
    const char *value = http_request_cookie(&request, buffer, "tessera_session", 0, &len);
    assert_non_null(value);
    assert_int_equal(len, 7);
    assert_memory_equal(value, "abc.def", 7);
    value = http_request_cookie(&request, buffer, "c", 0, &len);
    assert_non_null(value);
    assert_memory_equal(value, "9", 1);
    assert_null(http_request_cookie(&request, buffer, "b", 0, &len));
    assert_null(http_request_cookie(&request, buffer, "tessera", 0, &len));
}

static void test_cookies_of_one_name(void **state)
{
    (void)state;
    const char *text = "GET / HTTP/1.1\r\n" HOST "Cookie: a=1; b=x; a=2\r\nCookie: a=3\r\n\r\n";
    size_t len;
    expect_whole(text, strlen(text));
    for (unsigned n = 0; n < 3; n++) {
        const char *value = http_request_cookie(&request, buffer, "a", n, &len);
        assert_non_null(value);
        assert_int_equal(len, 1);
        assert_int_equal(*value, '1' + n);
    }
    assert_null(http_request_cookie(&request, buffer, "a", 3, &len));
}

static void test_etags(void **state)
{
    (void)state;
    const char *text = "GET / HTTP/1.1\r\n" HOST "If-None-Match: \"a\", W/\"b\"\r\n\r\n";
    expect_whole(text, strlen(text));
    assert_true(http_request_matches(&request, buffer, "\"a\""));
    assert_true(http_request_matches(&request, buffer, "\"b\""));
    assert_false(http_request_matches(&request, buffer, "\"c\""));
    text = "GET / HTTP/1.1\r\n" HOST "If-None-Match: *\r\n\r\n";
    expect_whole(text, strlen(text));
    assert_true(http_request_matches(&request, buffer, "\"a\""));
}

// Whatever bytes come, in whatever pieces, the parser stays within them and says the same.
static void test_noise(void **state)
{
    (void)state;
    const char *base =
        "POST /api HTTP/1.1\r\n" HOST "Content-Length: 5\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nhello";
    size_t len = strlen(base);
    uint32_t seed = 7;
    for (unsigned round = 0; round < 20000; round++) {
        char text[256];
        memcpy(text, base, len);
        for (unsigned n = 0; n < 1 + round % 4; n++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % len;
            seed = seed * 1664525 + 1013904223;
            text[at] = (char)(seed >> 16);
        }
        ssize_t whole = feed(text, len, 1000);
        unsigned status = request.status;
        ssize_t bytewise = feed(text, len, 1);
        assert_int_equal(whole, bytewise);
        if (whole < 0)
            assert_int_equal(status / 100, request.status / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple),
        cmocka_unit_test(test_every_truncation_is_partial),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_smuggling),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_target_and_version),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_head_limits),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_cookies),
        cmocka_unit_test(test_cookies_of_one_name),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_noise),
    };
    int result = cmocka_run_group_tests_name("http", tests, NULL, NULL);
    free(buffer);
    return result;
}
