// The ports: accepting in bounded bursts, so that a storm of new clients does not stop those who play.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/io/log.h"
#include "gateway/edge_internal.h"

#define BACKLOG 4096
#define REST_MS 100

static void accept_one(struct listener *listener, int fd, const struct sockaddr_storage *sa, socklen_t sa_len)
{
    struct edge *edge = listener->edge;
    struct addr peer;
    edge->stats.accepted++;
    if (addr_from_sockaddr(&peer, (const struct sockaddr *)sa, sa_len) != 0) {
        close(fd);
        edge->stats.disconnects[CONN_REASON_IO]++;
        return;
    }
    conn_start(edge, fd, &peer, listener->proxied);
}

static void on_rested(void *arg)
{
    struct listener *listener = arg;
    if (listener->fd >= 0 && event_add(&listener->event, NULL) != 0)
        loop_timer_arm_ms(&listener->rest, REST_MS);
}

// At most `max`. 0 when more may wait, else what sock_accept said at last.
static int accept_some(struct listener *listener, unsigned max)
{
    for (unsigned i = 0; i < max; i++) {
        struct sockaddr_storage sa;
        socklen_t sa_len = sizeof sa;
        int client = sock_accept(listener->fd, &sa, &sa_len);
        if (client < 0)
            return client;
        listener->starved = false;
        accept_one(listener, client, &sa, sa_len);
    }
    return 0;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct listener *listener = arg;
    bool tls = listener->edge->options.tls != NULL;
    int err = accept_some(listener, tls ? EDGE_TLS_ACCEPTS_PER_TURN : EDGE_ACCEPTS_PER_TURN);
    if (err == 0 || err == ERR_AGAIN)
        return;
    // It stays readable: without a rest the loop would do nothing else.
    if (!listener->starved)
        log_warn("cannot accept", LOG_ERRNO(errno));
    listener->starved = true;
    event_del(&listener->event);
    loop_timer_arm_ms(&listener->rest, REST_MS);
}

static int open_listener(struct edge *edge, struct listener *listener, const char *address, bool proxied)
{
    int fd = sock_listen(address, BACKLOG, true);
    if (fd < 0)
        return fd;
    *listener = (struct listener){.edge = edge, .fd = fd, .proxied = proxied};
    loop_timer_init(&listener->rest, edge->loop, on_rested, listener);
    event_assign(&listener->event, loop_base(edge->loop), fd, EV_READ | EV_PERSIST, on_readable, listener);
    return event_add(&listener->event, NULL) == 0 ? 0 : ERR_IO;
}

int edge_listen(struct edge *edge, const char **which)
{
    *which = edge->options.listen;
    int err = open_listener(edge, &edge->listeners[0], edge->options.listen, false);
    if (err == 0 && edge->options.proxy_listen[0] != '\0') {
        *which = edge->options.proxy_listen;
        err = open_listener(edge, &edge->listeners[1], edge->options.proxy_listen, true);
    }
    return err;
}

void edge_stop_listening(struct edge *edge)
{
    for (unsigned i = 0; i < 2; i++) {
        struct listener *listener = &edge->listeners[i];
        if (listener->fd < 0)
            continue;
        event_del(&listener->event);
        loop_timer_disarm(&listener->rest);
        // Whoever is in the kernel's queue has been accepted as far as he knows, and would be reset by the close.
        if (edge->draining)
            (void)accept_some(listener, BACKLOG);
        close(listener->fd);
        listener->fd = -1;
    }
}

uint16_t edge_port(const struct edge *edge)
{
    return edge->listeners[0].fd >= 0 ? sock_port(edge->listeners[0].fd) : 0;
}

uint16_t edge_proxy_port(const struct edge *edge)
{
    return edge->listeners[1].fd >= 0 ? sock_port(edge->listeners[1].fd) : 0;
}
