#include "tests/fuzz/edge_text.h"

#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define TEXTS_MAX 32
#define HOST " HTTP/1.1\r\nHost: a\r\n"
#define BEARER "Authorization: Bearer %s\r\n"
#define UPGRADE                                                                                                        \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                                       \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tessera.v1\r\n"

// %s is the token.
static const char *const texts[] = {
    "GET /ws" HOST UPGRADE BEARER "\r\n",
    "GET /ws" HOST UPGRADE BEARER "Origin: https://other.example\r\n\r\n",
    "GET /api/v1/me" HOST BEARER "\r\n",
    "PUT /api/v1/me" HOST BEARER "Content-Length: 14\r\n\r\n{\"name\":\"Ann\"}",
    "DELETE /api/v1/me" HOST "Cookie: tessera_session=%s\r\n\r\n",
    "POST /api/v1/session" HOST BEARER "\r\n",
    "POST /api/v1/session?fresh" HOST "\r\n",
    "GET /api/v1/canvas" HOST "\r\n",
    "HEAD /api/v1/canvas" HOST "\r\n",
    "GET /api/v1/tiles/1/2" HOST "Accept-Encoding: gzip\r\n\r\n",
    "GET /api/v1/tiles" HOST "If-None-Match: \"7-9-raw\"\r\n\r\n",
    "GET /api/v1/canvas.png" HOST "\r\n",
    "GET /api/v1/region.png?x=0&y=-5&w=10&h=10&scale=2" HOST "\r\n",
    "GET /api/v1/pixel/7/9?history=20" HOST "\r\n",
    "GET /api/v1/heat" HOST "\r\n",
    "GET /?x=3&y=4&zoom=5" HOST "Accept-Encoding: gzip\r\n\r\n",
    "GET /a.js" HOST "\r\n",
    "GET /livez HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
    "GET /readyz" HOST "Connection: close\r\n\r\n",
    "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    "PROXY UNKNOWN\r\n",
    "\r\n\r\n",
};

static struct token_keys keys;
static char token[TOKEN_TEXT_SIZE];

const struct token_keys *edge_text_keys(void)
{
    static const char text[] = "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    static const struct token guest = {.kind = TOKEN_GUEST, .user = EDGE_TEXT_USER, .expires = UINT32_MAX};
    char error[128];
    if (keys.count == 0) {
        FUZZ_CHECK(token_keys_parse(&keys, text, sizeof text - 1, error, sizeof error) == 0);
        FUZZ_CHECK(token_sign(&keys, &guest, token) > 0);
    }
    return &keys;
}

const char *edge_text_token(void)
{
    (void)edge_text_keys();
    return token;
}

const char *edge_text(unsigned number, size_t *len)
{
    static char filled[TEXTS_MAX][512];
    number %= sizeof texts / sizeof texts[0];
    char *text = filled[number];
    if (text[0] == '\0') {
        const char *hole = strstr(texts[number], "%s");
        int before = hole != NULL ? (int)(hole - texts[number]) : (int)strlen(texts[number]);
        snprintf(text, sizeof filled[0], "%.*s%s%s", before, texts[number], hole != NULL ? edge_text_token() : "",
                 hole != NULL ? hole + 2 : "");
    }
    *len = strlen(text);
    return text;
}

static struct shared_buf *text_buf(const char *text)
{
    struct shared_buf *buf = shared_buf_new(strlen(text));
    FUZZ_CHECK(buf != NULL);
    memcpy(buf->bytes, text, strlen(text));
    return buf;
}

const struct static_files *edge_text_files(void)
{
    static char root[] = "/", script[] = "/a.js";
    static struct static_file files[] = {
        {.path = root, .type = "text/html", .etag = "\"1\""},
        {.path = script, .type = "text/javascript", .etag = "\"2\"", .gzip_etag = "\"2-gz\""},
    };
    static const struct static_files all = {sizeof files / sizeof files[0], files};
    if (files[0].raw == NULL) {
        files[0].raw = text_buf("<html><head></head><body></body></html>");
        files[1].raw = text_buf("export const long = 'long';");
        files[1].gzip = text_buf("short");
    }
    return &all;
}
