//   waiting clients, oldest first ──► accept, at most CLIENTS_MAX: the oldest goes for the new one
//        each: head within TIMEOUT_MS ──► answer ──► closed when it is out, or at the same deadline
#include "common/io/metrics_http.h"

#include "common/io/sock.h"
#include "common/io/stream.h"

#include <event2/buffer.h>
#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#define BACKLOG 16
#define CLIENTS_MAX METRICS_HTTP_CLIENTS_MAX
#define TIMEOUT_MS METRICS_HTTP_TIMEOUT_MS
#define HEAD_MAX 8192u
#define REST_MS 100
#define PATH_SIZE 32u // longer than all that we have

struct client {
    struct metrics_http *http;
    struct stream stream;
    struct loop_timer deadline; // for all of it
    struct loop_deferred end;
    struct http_parser parser;
    size_t head_len;
    char path[PATH_SIZE];
    size_t path_len; // may be longer than what was kept
    bool whole;      // the request is
    bool ending;
    struct client *prev, *next;
};

struct metrics_http {
    struct loop *loop;
    int fd;
    struct event event;
    struct loop_timer rest; // after the process ran out of descriptors
    const struct metrics *metrics;
    metrics_ready_cb *on_ready;
    void *arg;
    struct client *clients;
    unsigned count;
};

// ---- A client's end -------------------------------------------------------------------------------------------------

static void free_client(struct client *client)
{
    struct metrics_http *http = client->http;
    loop_timer_disarm(&client->deadline);
    loop_deferred_cancel(&client->end);
    stream_close(&client->stream, false);
    DL_DELETE(http->clients, client);
    http->count--;
    free(client);
}

static void on_end(void *arg)
{
    free_client(arg);
}

// From within its own callbacks too.
static void end(struct client *client)
{
    client->ending = true;
    loop_defer(client->http->loop, &client->end);
}

// ---- Answers --------------------------------------------------------------------------------------------------------

static void reply(struct client *client, const char *status, const char *type, struct evbuffer *body)
{
    size_t len = evbuffer_get_length(body);
    bool ok = evbuffer_add_printf(client->stream.out,
                                  "HTTP/1.1 %s\r\nContent-Type: %s; charset=utf-8\r\nContent-Length: %zu\r\n"
                                  "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
                                  status, type, len, strncmp(status, "405", 3) == 0 ? "Allow: GET, HEAD\r\n" : "") >= 0;
    if (ok && client->parser.method != HTTP_HEAD)
        ok = evbuffer_add_buffer(client->stream.out, body) == 0;
    if (ok)
        stream_send(&client->stream);
    else
        end(client);
}

static void reply_text(struct client *client, const char *status, const char *text)
{
    struct evbuffer *body = evbuffer_new();
    if (body == NULL || evbuffer_add_printf(body, "%s\n", text) < 0)
        end(client);
    else
        reply(client, status, "text/plain", body);
    if (body != NULL)
        evbuffer_free(body);
}

static void reply_metrics(struct client *client)
{
    struct evbuffer *body = evbuffer_new();
    if (body == NULL || metrics_write(client->http->metrics, body) != 0)
        reply_text(client, "500 Internal Server Error", "out of memory");
    else
        reply(client, "200 OK", "text/plain; version=0.0.4", body);
    if (body != NULL)
        evbuffer_free(body);
}

static void reply_ready(struct client *client)
{
    struct metrics_http *http = client->http;
    char reason[128] = "not ready";
    if (http->on_ready == NULL || http->on_ready(http->arg, reason, sizeof reason))
        reply_text(client, "200 OK", "ok");
    else
        reply_text(client, "503 Service Unavailable", reason);
}

static bool path_is(const struct client *client, const char *path)
{
    return client->path_len == strlen(path) && memcmp(client->path, path, client->path_len) == 0;
}

static void answer(struct client *client)
{
    if (client->parser.method != HTTP_GET && client->parser.method != HTTP_HEAD)
        reply_text(client, "405 Method Not Allowed", "only GET");
    else if (path_is(client, "/metrics"))
        reply_metrics(client);
    else if (path_is(client, "/livez"))
        reply_text(client, "200 OK", "ok");
    else if (path_is(client, "/readyz"))
        reply_ready(client);
    else
        reply_text(client, "404 Not Found", "there are /metrics, /livez and /readyz");
}

// ---- Requests -------------------------------------------------------------------------------------------------------

static int on_url(struct http_parser *parser, const char *at, size_t len)
{
    struct client *client = parser->data;
    for (size_t i = 0; i < len; i++, client->path_len++)
        if (client->path_len < PATH_SIZE)
            client->path[client->path_len] = at[i];
    return 0;
}

static int on_head(struct http_parser *parser)
{
    struct client *client = parser->data;
    client->whole = true;
    http_parser_pause(parser, 1); // a body is not looked at
    return 0;
}

static void on_readable(void *arg)
{
    static const http_parser_settings settings = {.on_url = on_url, .on_headers_complete = on_head};
    struct client *client = arg;
    char bytes[2048];
    ssize_t n = stream_read(&client->stream, bytes, sizeof bytes);
    if (n == ERR_AGAIN || client->ending)
        return;
    if (n < 0) {
        end(client);
        return;
    }
    if (client->whole)
        return; // it may say what it likes until the answer is out
    client->head_len += (size_t)n;
    (void)http_parser_execute(&client->parser, &settings, bytes, (size_t)n);
    if (client->whole)
        answer(client);
    else if (HTTP_PARSER_ERRNO(&client->parser) != HPE_OK)
        reply_text(client, "400 Bad Request", "malformed request");
    else if (client->head_len > HEAD_MAX)
        reply_text(client, "431 Request Header Fields Too Large", "too long");
    else
        return;
    client->whole = true;
}

static void on_broken(void *arg)
{
    end(arg);
}

static void on_drained(void *arg)
{
    end(arg);
}

// ---- Accepting ------------------------------------------------------------------------------------------------------

static int start_client(struct metrics_http *http, int fd)
{
    static const struct stream_handlers handlers = {on_readable, on_broken, on_drained};
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return ERR_NOMEM;
    client->http = http;
    http_parser_init(&client->parser, HTTP_REQUEST);
    client->parser.data = client;
    stream_init(&client->stream, http->loop, &handlers, client);
    if (stream_open(&client->stream, fd) != 0) {
        free(client);
        return ERR_NOMEM;
    }
    loop_deferred_init(&client->end, on_end, client);
    loop_timer_init(&client->deadline, http->loop, on_end, client);
    loop_timer_arm_ms(&client->deadline, TIMEOUT_MS);
    DL_APPEND(http->clients, client);
    http->count++;
    return 0;
}

static void on_acceptable(evutil_socket_t listener, short what, void *arg)
{
    struct metrics_http *http = arg;
    (void)what;
    int fd = sock_accept(listener, NULL, NULL);
    if (fd == ERR_FULL) {
        // Whoever waits goes on waiting: without a rest, the loop would turn for nothing else.
        event_del(&http->event);
        loop_timer_arm_ms(&http->rest, REST_MS);
    }
    if (fd < 0)
        return;
    // Whoever asks for metrics is served, however many sit there and say nothing.
    if (http->count == CLIENTS_MAX)
        free_client(http->clients);
    if (start_client(http, fd) != 0)
        close(fd);
}

static void on_rested(void *arg)
{
    struct metrics_http *http = arg;
    if (event_add(&http->event, NULL) != 0)
        loop_timer_arm_ms(&http->rest, REST_MS);
}

int metrics_http_open(struct metrics_http **out, struct loop *loop, const char *address, const struct metrics *metrics,
                      metrics_ready_cb *on_ready, void *arg)
{
    struct metrics_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return ERR_NOMEM;
    *http = (struct metrics_http){.loop = loop, .metrics = metrics, .on_ready = on_ready, .arg = arg};
    int err = http->fd = sock_listen(address, BACKLOG, false);
    if (err < 0)
        goto fail;
    event_assign(&http->event, loop_base(loop), http->fd, EV_READ | EV_PERSIST, on_acceptable, http);
    loop_timer_init(&http->rest, loop, on_rested, http);
    err = ERR_NOMEM;
    if (event_add(&http->event, NULL) != 0)
        goto fail_listener;
    *out = http;
    return 0;

fail_listener:
    close(http->fd);
fail:
    free(http);
    return err;
}

uint16_t metrics_http_port(const struct metrics_http *http)
{
    return sock_port(http->fd);
}

void metrics_http_close(struct metrics_http *http)
{
    if (http == NULL)
        return;
    for (struct client *client = http->clients, *next; client != NULL; client = next) {
        next = client->next;
        free_client(client);
    }
    loop_timer_disarm(&http->rest);
    event_del(&http->event);
    close(http->fd);
    free(http);
}
