#include "tests/tools/load_upgrade.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <http_parser.h>

#include "proto/ws_proto.h"

// The key need not be secret nor new: it only shows that the other side speaks WebSocket, by the answer that belongs to
// it.
#define KEY "dGVzc2VyYS1sb2FkLTEyMw=="
#define ACCEPT "U8XmaZYOsyzw5PUqFf7yVoo8fDs="
#define HEAD_MAX 8192u

ssize_t load_upgrade_write(char *to, size_t size, const char *host, const char *token)
{
    int len =
        snprintf(to, size,
                 "GET /ws HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " WS_SUBPROTOCOL
                 "\r\nCookie: tessera_session=%s\r\n\r\n",
                 host, token);
    return len < 0 || (size_t)len >= size ? ERR_FULL : len;
}

struct answer {
    const char *name;
    size_t name_len;
    bool accepted;
    bool subprotocol;
    bool whole;
};

static int on_field(struct http_parser *parser, const char *at, size_t len)
{
    struct answer *answer = parser->data;
    answer->name = at;
    answer->name_len = len;
    return 0;
}

static bool equals(const char *at, size_t len, const char *text)
{
    return len == strlen(text) && strncasecmp(at, text, len) == 0;
}

static int on_value(struct http_parser *parser, const char *at, size_t len)
{
    struct answer *answer = parser->data;
    if (equals(answer->name, answer->name_len, "Sec-WebSocket-Accept"))
        answer->accepted = len == sizeof ACCEPT - 1 && memcmp(at, ACCEPT, len) == 0;
    if (equals(answer->name, answer->name_len, "Sec-WebSocket-Protocol"))
        answer->subprotocol = equals(at, len, WS_SUBPROTOCOL);
    return 0;
}

static int on_head(struct http_parser *parser)
{
    struct answer *answer = parser->data;
    answer->whole = true;
    return 1; // no body is read here
}

// The whole head is read each time: it comes in one piece nearly always.
ssize_t load_upgrade_read(const char *data, size_t len, unsigned *status)
{
    static const http_parser_settings settings = {
        .on_header_field = on_field, .on_header_value = on_value, .on_headers_complete = on_head};
    const char *end = memmem(data, len, "\r\n\r\n", 4);
    if (end == NULL)
        return len < HEAD_MAX ? 0 : ERR_MALFORMED;
    struct answer answer = {0};
    struct http_parser parser;
    size_t head_len = (size_t)(end - data) + 4;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &answer;
    (void)http_parser_execute(&parser, &settings, data, head_len);
    if (!answer.whole)
        return ERR_MALFORMED;
    if (parser.status_code == 101 && (!parser.upgrade || !answer.accepted || !answer.subprotocol))
        return ERR_MALFORMED;
    *status = parser.status_code;
    return (ssize_t)head_len;
}
