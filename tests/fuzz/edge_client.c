#include "tests/fuzz/edge_client.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gateway/http_reply.h"
#include "proto/verdict.h"
#include "proto/ws_proto.h"
#include "tests/fuzz/fuzz.h"

#define HEAD_END "\r\n\r\n"
#define START "HTTP/1.1 "
#define START_LEN (sizeof START - 1)

// ---- HTTP -----------------------------------------------------------------------------------------------------------

static bool begins(const uint8_t *at, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

static void check_line(const uint8_t *line, size_t len)
{
    const uint8_t *colon = memchr(line, ':', len);
    FUZZ_CHECK(colon != NULL && colon > line && colon[1] == ' ');
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK(line[i] >= 0x20 && line[i] < 0x7f);
}

// A head without its empty line; what it says of the body goes into the client.
static void check_head(struct edge_client *client, const uint8_t *head, size_t len)
{
    unsigned lengths = 0, dates = 0;
    FUZZ_CHECK(begins(head, len, START) && len < HTTP_REPLY_HEAD_MAX);
    int status = atoi((const char *)head + START_LEN);
    FUZZ_CHECK(status == 101 || (status >= 200 && status < 600));
    FUZZ_CHECK(status == 101 || strcmp(http_reply_phrase((uint16_t)status), "Internal Server Error") != 0 ||
               status == 500);
    client->body_len = 0;
    client->is_json = false;
    const uint8_t *at = memmem(head, len, "\r\n", 2), *end = head + len;
    for (at += 2; at < end;) {
        const uint8_t *stop = memmem(at, (size_t)(end - at), "\r\n", 2);
        size_t n = (size_t)(stop - at);
        check_line(at, n);
        dates += begins(at, n, "Date: ");
        client->is_json |= begins(at, n, "Content-Type: application/json");
        if (begins(at, n, "Content-Length: ")) {
            lengths++;
            client->body_len = (size_t)strtoull((const char *)at + 16, NULL, 10);
        }
        at = stop + 2;
    }
    client->is_ws = status == 101;
    FUZZ_CHECK(client->is_ws || dates == 1);
    FUZZ_CHECK(lengths == (status == 101 || status == 204 || status == 304 ? 0 : 1));
    client->body_due = client->body_len > 0;
    client->answers++;
}

static size_t read_head(struct edge_client *client, const uint8_t *bytes, size_t len)
{
    const uint8_t *end = memmem(bytes, len, HEAD_END, strlen(HEAD_END));
    FUZZ_CHECK(end != NULL || len < HTTP_REPLY_HEAD_MAX);
    if (end == NULL)
        return 0;
    size_t head_len = (size_t)(end - bytes) + 2;
    check_head(client, bytes, head_len);
    return head_len + 2;
}

// None of our bodies looks like the next answer.
static size_t read_body(struct edge_client *client, const uint8_t *bytes, size_t len)
{
    size_t seen = len < START_LEN ? len : START_LEN;
    if (seen > 0 && memcmp(bytes, START, seen) == 0) {
        if (len >= START_LEN)
            client->body_due = false; // it was HEAD
        return 0;
    }
    if (len < client->body_len)
        return 0;
    if (client->is_json) {
        json_t *json = json_loadb((const char *)bytes, client->body_len, JSON_REJECT_DUPLICATES, NULL);
        FUZZ_CHECK(json_is_object(json));
        json_decref(json);
    }
    client->body_due = false;
    return client->body_len;
}

// ---- WebSocket ------------------------------------------------------------------------------------------------------

static void check_message(const uint8_t *bytes, size_t len)
{
    struct ws_welcome welcome;
    struct ws_verdict verdict;
    struct ws_tile tile;
    struct ws_status status;
    struct ws_config config;
    struct ws_announcement announcement;
    struct palette palette;
    uint32_t delay_ms;
    uint8_t code;
    bool known = ws_decode_welcome(bytes, len, &welcome) == 0 || ws_decode_tile(bytes, len, &tile) == 0 ||
                 (ws_decode_verdict(bytes, len, &verdict) == 0 && verdict.code < VERDICT_COUNT) ||
                 ws_decode_status(bytes, len, &status) == 0 || ws_decode_config(bytes, len, &config) == 0 ||
                 ws_decode_announcement(bytes, len, &announcement) == 0 ||
                 ws_decode_palette(bytes, len, &palette) == 0 || ws_decode_move(bytes, len, &delay_ms) == 0 ||
                 (ws_decode_error(bytes, len, &code) == 0 && code == WS_ERROR_WATCH_LIMIT);
    FUZZ_CHECK(known);
}

static void check_close(struct edge_client *client, const uint8_t *payload, size_t len)
{
    FUZZ_CHECK(len == 2);
    unsigned code = (unsigned)payload[0] << 8 | payload[1];
    // What a server may send (RFC 6455, 7.4): ours, or the client's own back.
    FUZZ_CHECK(code >= 1000 && code < 5000 && code != 1004 && code != 1005 && code != 1006 && code != 1015);
    client->closed = true;
}

static size_t read_frame(struct edge_client *client, const uint8_t *bytes, size_t len)
{
    FUZZ_CHECK(!client->closed);
    if (len < 2)
        return 0;
    FUZZ_CHECK((bytes[1] & 0x80) == 0); // unmasked
    size_t head = bytes[1] < 126 ? 2 : bytes[1] == 126 ? 4 : 10, payload = head == 2 ? bytes[1] : 0;
    if (len < head)
        return 0;
    for (size_t i = 2; i < head; i++)
        payload = payload << 8 | bytes[i];
    FUZZ_CHECK(head == 2 || (head == 4 && payload >= 126) || (head == 10 && payload > UINT16_MAX));
    if (len - head < payload)
        return 0;
    if (bytes[0] == 0x82)
        check_message(bytes + head, payload);
    else if (bytes[0] == 0x88)
        check_close(client, bytes + head, payload);
    else
        FUZZ_CHECK(bytes[0] == 0x8a && payload < 126);
    client->frames++;
    return head + payload;
}

// ---- Both -----------------------------------------------------------------------------------------------------------

size_t edge_client_read(struct edge_client *client, const uint8_t *bytes, size_t len)
{
    size_t at = 0;
    while (at < len) {
        bool due = client->body_due;
        size_t n = client->is_ws ? read_frame(client, bytes + at, len - at)
                   : due         ? read_body(client, bytes + at, len - at)
                                 : read_head(client, bytes + at, len - at);
        if (n == 0 && due == client->body_due)
            break;
        at += n;
    }
    return at;
}

void edge_client_end(const struct edge_client *client, size_t rest)
{
    FUZZ_CHECK(rest == 0);
    FUZZ_CHECK(!client->is_ws || client->closed);
}
