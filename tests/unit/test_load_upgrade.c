#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/load_upgrade.h"

#define ACCEPTED                                                                                                       \
    "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nConnection: Upgrade\r\n"                                \
    "Sec-WebSocket-Accept: U8XmaZYOsyzw5PUqFf7yVoo8fDs=\r\nSec-WebSocket-Protocol: tessera.v1\r\n\r\n"

static void test_request(void **state)
{
    (void)state;
    char text[512];
    ssize_t len = load_upgrade_write(text, sizeof text, "127.0.0.1:80", "t1.k.a.b");
    assert_int_equal(len, strlen(text));
    assert_non_null(strstr(text, "\r\nHost: 127.0.0.1:80\r\n"));
    assert_non_null(strstr(text, "\r\nCookie: tessera_session=t1.k.a.b\r\n\r\n"));
    assert_int_equal(load_upgrade_write(text, (size_t)len, "127.0.0.1:80", "t1.k.a.b"), ERR_FULL);
}

static void test_answer_at_every_length(void **state)
{
    (void)state;
    static const char text[] = ACCEPTED "\x82\x00";
    size_t head = sizeof text - 3;
    unsigned status = 0;
    for (size_t len = 0; len < head; len++)
        assert_int_equal(load_upgrade_read(text, len, &status), 0);
    assert_int_equal(load_upgrade_read(text, head, &status), head);
    assert_int_equal(load_upgrade_read(text, sizeof text - 1, &status), head); // frames behind it stay
    assert_int_equal(status, 101);
}

static ssize_t read_text(const char *text, unsigned *status)
{
    return load_upgrade_read(text, strlen(text), status);
}

static void test_refusals(void **state)
{
    (void)state;
    unsigned status = 0;
    assert_true(read_text("HTTP/1.1 401 Unauthorized\r\nContent-Length: 20\r\n\r\n", &status) > 0);
    assert_int_equal(status, 401);
    assert_true(read_text("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n", &status) > 0);
    assert_int_equal(status, 503);
}

static void test_answers_that_do_not_fit(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nSec-WebSocket-Protocol: tessera.v1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: U8XmaZYOsyzw5PUqFf7yVoo8fDs=\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n"
        "Sec-WebSocket-Accept: U8XmaZYOsyzw5PUqFf7yVoo8fDs=\r\nSec-WebSocket-Protocol: tessera.v1\r\n\r\n",
    };
    unsigned status;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_text(bad[i], &status), ERR_MALFORMED);
    static char endless[9000];
    memset(endless, 'a', sizeof endless);
    assert_int_equal(load_upgrade_read(endless, sizeof endless, &status), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer_at_every_length),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_answers_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
