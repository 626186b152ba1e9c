#include "tests/tools/load_http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <http_parser.h>

#define SILENCE_S 10
#define REQUEST_MAX 512

struct reading {
    struct load_reply *reply;
    size_t capacity;
    enum { OTHER, RETRY_AFTER, POSITION } header; // being read
    bool done;
    int err;
};

void load_http_init(struct load_http *http, const struct load_target *target)
{
    *http = (struct load_http){.target = target, .sock = {.fd = -1}};
}

void load_http_fini(struct load_http *http)
{
    sock_close(&http->sock);
}

void load_reply_fini(struct load_reply *reply)
{
    free(reply->body);
    reply->body = NULL;
    reply->len = 0;
}

static bool named(const char *at, size_t len, const char *name)
{
    return len == strlen(name) && strncasecmp(at, name, len) == 0;
}

static int on_field(struct http_parser *parser, const char *at, size_t len)
{
    struct reading *reading = parser->data;
    reading->header = named(at, len, "Retry-After")        ? RETRY_AFTER
                      : named(at, len, "Tessera-Position") ? POSITION
                                                           : OTHER;
    return 0;
}

// Values that arrive in pieces are not put together: a wait that is not understood is a second.
static int on_value(struct http_parser *parser, const char *at, size_t len)
{
    struct reading *reading = parser->data;
    char text[40] = "";
    char *rest;
    if (reading->header == OTHER || len >= sizeof text)
        return 0;
    memcpy(text, at, len);
    uint64_t number = strtoull(text, &rest, 10);
    if (reading->header == RETRY_AFTER)
        reading->reply->retry_after_s = (uint32_t)number;
    else if (*rest == '-')
        reading->reply->position = (struct position){number, (uint32_t)strtoul(rest + 1, NULL, 10)};
    return 0;
}

static int on_body(struct http_parser *parser, const char *at, size_t len)
{
    struct reading *reading = parser->data;
    struct load_reply *reply = reading->reply;
    if (len > LOAD_HTTP_BODY_MAX - reply->len) {
        reading->err = ERR_FULL;
        return 1;
    }
    if (reply->len + len + 1 > reading->capacity) {
        size_t capacity = 2 * (reply->len + len) + 4096;
        char *bigger = realloc(reply->body, capacity);
        if (bigger == NULL) {
            reading->err = ERR_NOMEM;
            return 1;
        }
        reply->body = bigger;
        reading->capacity = capacity;
    }
    memcpy(reply->body + reply->len, at, len);
    reply->len += len;
    reply->body[reply->len] = '\0';
    return 0;
}

static int on_complete(struct http_parser *parser)
{
    struct reading *reading = parser->data;
    reading->reply->status = parser->status_code;
    reading->done = true;
    http_parser_pause(parser, 1);
    return 0;
}

static int open_socket(struct load_http *http)
{
    const struct timeval silence = {.tv_sec = SILENCE_S};
    int fd = socket(http->target->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof silence) != 0 ||
        connect(fd, (const struct sockaddr *)&http->target->address, http->target->address_len) != 0 ||
        load_sock_init(&http->sock, fd, http->target->tls) != 0) {
        close(fd);
        return ERR_IO;
    }
    return 0;
}

// Reads until the response is whole. `*any` says whether a byte of it came.
static int read_reply(struct load_http *http, struct load_reply *reply, bool *any)
{
    static const http_parser_settings settings = {.on_header_field = on_field,
                                                  .on_header_value = on_value,
                                                  .on_body = on_body,
                                                  .on_message_complete = on_complete};
    static char buffer[65536]; // one thread, and never within itself
    struct reading reading = {.reply = reply};
    struct http_parser parser;
    http_parser_init(&parser, HTTP_RESPONSE);
    parser.data = &reading;
    *any = false;
    while (!reading.done) {
        ssize_t n = sock_read(&http->sock, buffer, sizeof buffer);
        if (n == ERR_AGAIN)
            return ERR_TIMEOUT;
        if (n < 0)
            n = 0; // its end
        *any |= n > 0;
        size_t parsed = http_parser_execute(&parser, &settings, buffer, (size_t)n);
        if (reading.err != 0)
            return reading.err;
        if (!reading.done && (parsed != (size_t)n || n == 0))
            return n == 0 ? ERR_IO : ERR_MALFORMED;
    }
    if (!http_should_keep_alive(&parser))
        load_http_fini(http);
    return 0;
}

static int attempt(struct load_http *http, const char *head, size_t len, struct load_reply *reply, bool *any)
{
    *any = false;
    memset(reply, 0, sizeof *reply);
    if (http->sock.fd < 0 && open_socket(http) != 0)
        return ERR_IO;
    int err = sock_write(&http->sock, head, len) == (ssize_t)len ? read_reply(http, reply, any) : ERR_IO;
    if (err != 0) {
        load_http_fini(http);
        load_reply_fini(reply);
    }
    return err;
}

int load_http_request(struct load_http *http, const char *request, struct load_reply *reply)
{
    char head[REQUEST_MAX];
    bool any;
    bool reused = http->sock.fd >= 0;
    int len = snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\n\r\n", request,
                       http->target->host);
    if (strncmp(request, "GET ", 4) == 0)
        len = snprintf(head, sizeof head, "%s HTTP/1.1\r\nHost: %s\r\n\r\n", request, http->target->host);
    if (len < 0 || (size_t)len >= sizeof head)
        return ERR_MALFORMED;
    int err = attempt(http, head, (size_t)len, reply, &any);
    // A kept connection may have been closed by the other side meanwhile, which shows only now.
    if (err == ERR_IO && reused && !any)
        err = attempt(http, head, (size_t)len, reply, &any);
    return err;
}
