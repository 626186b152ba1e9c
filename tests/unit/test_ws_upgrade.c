#include "request.h"

#include <stdio.h>

#include "gateway/ws_upgrade.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="

static int check(const char *headers, struct ws_upgrade *upgrade)
{
    char text[1024];
    struct http_request request;
    snprintf(text, sizeof text, "GET /ws HTTP/1.1\r\nHost: a\r\n%s\r\n", headers);
    request_parse(&request, text);
    *upgrade = (struct ws_upgrade){0};
    return ws_upgrade_check(upgrade, &request, text);
}

static void test_accept_of_the_rfc(void **state)
{
    (void)state;
    struct ws_upgrade upgrade;
    assert_int_equal(check("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Protocol: other, tessera.v1\r\n",
                           &upgrade),
                     0);
    assert_string_equal(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *headers;
        unsigned status;
    } cases[] = {
        {"", 426},
        {"Connection: Upgrade\r\n", 426},
        {"Upgrade: websocket\r\n", 426},
        {"Connection: Upgrade\r\nUpgrade: h2c\r\n", 426},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: " KEY "\r\n", 426},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: " KEY "\r\n",
         426},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n",
         426},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n", 400},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short==\r\n",
         400},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
         "dGhlIHNhbXBsZSBub25jZQ=!\r\n",
         400},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
         "dGhl!HNhbXBsZSBub25jZQ==\r\n",
         400},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY
         "\r\nSec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Protocol: tessera.v1\r\n",
         400},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n",
         400},
        {"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY
         "\r\nSec-WebSocket-Protocol: tessera.v2\r\n",
         400},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ws_upgrade upgrade;
        assert_int_equal(check(cases[i].headers, &upgrade), ERR_MALFORMED);
        if (upgrade.status != cases[i].status)
            fail_msg("%s: %u", cases[i].headers, upgrade.status);
        assert_non_null(upgrade.why);
    }
}

static void test_old_http(void **state)
{
    (void)state;
    struct ws_upgrade upgrade;
    struct http_request request;
    const char *text = "GET /ws HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    request_parse(&request, text);
    assert_int_equal(ws_upgrade_check(&upgrade, &request, text), ERR_MALFORMED);
    assert_int_equal(upgrade.status, 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept_of_the_rfc),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_old_http),
    };
    return cmocka_run_group_tests_name("ws_upgrade", tests, NULL, NULL);
}
