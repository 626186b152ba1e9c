#include "common/io/metrics_http.h"

#include "common/io/sock.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 16
#define TIMEOUT_S 5
#define HEADERS_MAX 8192

struct metrics_http {
    struct evhttp *http;
    const struct metrics *metrics;
    metrics_ready_cb *on_ready;
    void *arg;
    uint16_t port;
};

static void reply(struct evhttp_request *request, int code, const char *reason, const char *type, struct evbuffer *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply(request, code, reason, body);
}

static void reply_text(struct evhttp_request *request, int code, const char *reason, const char *text)
{
    struct evbuffer *body = evbuffer_new();
    if (body != NULL)
        evbuffer_add_printf(body, "%s\n", text);
    reply(request, code, reason, "text/plain; charset=utf-8", body);
    if (body != NULL)
        evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
    struct metrics_http *http = arg;
    struct evbuffer *body = evbuffer_new();
    if (body == NULL || metrics_write(http->metrics, body) != 0)
        reply_text(request, 500, "Internal Server Error", "out of memory");
    else
        reply(request, 200, "OK", "text/plain; version=0.0.4; charset=utf-8", body);
    if (body != NULL)
        evbuffer_free(body);
}

static void on_livez(struct evhttp_request *request, void *arg)
{
    (void)arg;
    reply_text(request, 200, "OK", "ok");
}

static void on_readyz(struct evhttp_request *request, void *arg)
{
    struct metrics_http *http = arg;
    char reason[128] = "not ready";
    if (http->on_ready == NULL || http->on_ready(http->arg, reason, sizeof reason))
        reply_text(request, 200, "OK", "ok");
    else
        reply_text(request, 503, "Service Unavailable", reason);
}

static int listen_on(struct metrics_http *http, const char *address)
{
    int fd = sock_listen(address, BACKLOG, false);
    if (fd < 0)
        return fd;
    if (evhttp_accept_socket(http->http, fd) != 0) {
        close(fd);
        return ERR_NOMEM;
    }
    http->port = sock_port(fd);
    return 0;
}

int metrics_http_open(struct metrics_http **out, struct loop *loop, const char *address, const struct metrics *metrics,
                      metrics_ready_cb *on_ready, void *arg)
{
    int err = ERR_NOMEM;
    struct metrics_http *http = calloc(1, sizeof *http);
    if (http == NULL)
        return ERR_NOMEM;
    *http = (struct metrics_http){.metrics = metrics, .on_ready = on_ready, .arg = arg};
    http->http = evhttp_new(loop_base(loop));
    if (http->http == NULL)
        goto fail;
    evhttp_set_timeout(http->http, TIMEOUT_S);
    evhttp_set_max_headers_size(http->http, HEADERS_MAX);
    evhttp_set_max_body_size(http->http, 0);
    evhttp_set_allowed_methods(http->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    if (evhttp_set_cb(http->http, "/metrics", on_metrics, http) != 0 ||
        evhttp_set_cb(http->http, "/livez", on_livez, http) != 0 ||
        evhttp_set_cb(http->http, "/readyz", on_readyz, http) != 0)
        goto fail;
    err = listen_on(http, address);
    if (err != 0)
        goto fail;
    *out = http;
    return 0;

fail:
    metrics_http_close(http);
    return err;
}

uint16_t metrics_http_port(const struct metrics_http *http)
{
    return http->port;
}

void metrics_http_close(struct metrics_http *http)
{
    if (http == NULL)
        return;
    if (http->http != NULL)
        evhttp_free(http->http); // closes the listener too
    free(http);
}
