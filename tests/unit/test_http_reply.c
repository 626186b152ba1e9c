#include "check.h"

#include "gateway/http_reply.h"

// The other half of http_reply.c gives answers to connections; here only heads are made.
void http_reply(struct conn *conn, const struct http_reply *reply)
{
    (void)conn;
    (void)reply;
}

static void test_head(void **state)
{
    (void)state;
    char head[HTTP_REPLY_HEAD_MAX];
    const struct http_reply reply = {.status = 200, .type = "text/plain", .headers = "X-A: b\r\n"};
    size_t len = http_reply_head(head, sizeof head, &reply, 5, HTTP_KEEP, 784111777);
    const char *want =
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n"
        "X-Content-Type-Options: nosniff\r\nX-A: b\r\n\r\n";
    assert_int_equal(len, strlen(want));
    assert_string_equal(head, want);
}

static void test_not_modified_and_close(void **state)
{
    (void)state;
    char head[HTTP_REPLY_HEAD_MAX];
    const struct http_reply reply = {.status = 304};
    size_t len = http_reply_head(head, sizeof head, &reply, 0, HTTP_CLOSE, 0);
    const char *want =
        "HTTP/1.1 304 Not Modified\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nX-Content-Type-Options: nosniff\r\n"
        "Connection: close\r\n\r\n";
    assert_int_equal(len, strlen(want));
    assert_string_equal(head, want);
}

static void test_no_content(void **state)
{
    (void)state;
    char head[HTTP_REPLY_HEAD_MAX];
    http_reply_head(head, sizeof head, &(struct http_reply){.status = 204}, 0, HTTP_KEEP, 0);
    assert_int_equal(strncmp(head, "HTTP/1.1 204 No Content\r\n", 25), 0);
    assert_null(strstr(head, "Content-Length"));
}

// RFC 7230, 6.3: a client of 1.0 that asked for it keeps the connection only if it is told so.
static void test_keep_alive_of_http_1_0(void **state)
{
    (void)state;
    char head[HTTP_REPLY_HEAD_MAX];
    const struct http_reply reply = {.status = 200, .type = "text/plain"};
    http_reply_head(head, sizeof head, &reply, 5, HTTP_KEEP_1_0, 0);
    assert_non_null(strstr(head, "\r\nConnection: keep-alive\r\n\r\n"));
    http_reply_head(head, sizeof head, &reply, 5, HTTP_KEEP, 0);
    assert_null(strstr(head, "Connection:"));
}

static void test_does_not_fit(void **state)
{
    (void)state;
    char head[HTTP_REPLY_HEAD_MAX];
    const struct http_reply reply = {.status = 200};
    size_t whole = http_reply_head(head, sizeof head, &reply, 5, HTTP_KEEP, 0);
    for (size_t size = 1; size <= whole; size++)
        assert_int_equal(http_reply_head(check_guarded(head, size), size, &reply, 5, HTTP_KEEP, 0), 0);
}

static void test_texts(void **state)
{
    (void)state;
    assert_string_equal(http_reply_phrase(404), "Not Found");
    assert_string_equal(http_reply_code(401), "no_session");
    assert_string_equal(http_reply_phrase(999), "Internal Server Error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_head),         cmocka_unit_test(test_not_modified_and_close),
        cmocka_unit_test(test_no_content),   cmocka_unit_test(test_keep_alive_of_http_1_0),
        cmocka_unit_test(test_does_not_fit), cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests_name("http_reply", tests, NULL, NULL);
}
