// What the programs use of common/io besides the loop and Redis: messages over TCP, listening, random numbers, the log
// and metrics; and the macs of links, which are not what is looked at here.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/io/log.h"
#include "common/io/metrics.h"
#include "common/io/msg_sock.h"
#include "common/io/rand.h"
#include "common/io/sock.h"
#include "proto/link_proto.h"
#include "tests/sim/net.h"
#include "tests/sim/sim_io.h"

#define LISTENERS_MAX 16
#define BACKLOG_MAX 64
#define CONNECT_TIMEOUT_MS 2000
// Descriptors that no operating system gives out: the programs close them.
#define LISTENER_FIRST 1000000
#define FD_FIRST 2000000 // of what is accepted

// ---- Listening -----------------------------------------------------------------------------------------------------

struct listener {
    char address[64];
    struct event *event; // NULL: nobody is listening
    struct net_end *backlog[BACKLOG_MAX];
    int count;
    bool told; // its callback is an event already
};

static struct {
    struct listener listeners[LISTENERS_MAX];
    struct net_end *accepted[BACKLOG_MAX]; // fd - FD_FIRST
    uint32_t next_fd;
} io;

void sim_io_init(void)
{
    memset(&io, 0, sizeof io);
}

int sock_split(const char *text, char host[SOCK_HOST_SIZE], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return ERR_MALFORMED;
    snprintf(host, SOCK_HOST_SIZE, "%.*s", (int)(colon - text), text);
    *port = (uint16_t)atoi(colon + 1);
    return 0;
}

int sock_listen(const char *text, int backlog, bool reuse_port)
{
    (void)backlog;
    (void)reuse_port;
    for (int i = 0; i < LISTENERS_MAX; i++) {
        if (io.listeners[i].address[0] != '\0')
            continue;
        snprintf(io.listeners[i].address, sizeof io.listeners[i].address, "%s", text);
        return LISTENER_FIRST + i;
    }
    return ERR_IO;
}

uint16_t sock_port(int fd)
{
    char host[SOCK_HOST_SIZE];
    uint16_t port = 0;
    return sock_split(io.listeners[fd - LISTENER_FIRST].address, host, &port) == 0 ? port : 0;
}

int event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short what, event_callback_fn cb,
                 void *arg)
{
    (void)what;
    event->ev_base = base;
    event->ev_fd = fd;
    event->ev_evcallback.evcb_cb_union.evcb_callback = cb;
    event->ev_evcallback.evcb_arg = arg;
    return 0;
}

int event_add(struct event *event, const struct timeval *timeout)
{
    (void)timeout;
    io.listeners[event->ev_fd - LISTENER_FIRST].event = event;
    return 0;
}

int event_del(struct event *event)
{
    struct listener *listener = &io.listeners[event->ev_fd - LISTENER_FIRST];
    for (int i = 0; i < listener->count; i++)
        net_close(listener->backlog[i]);
    memset(listener, 0, sizeof *listener);
    return 0;
}

static void on_acceptable(void *arg)
{
    struct listener *listener = arg;
    struct event *event = listener->event;
    listener->told = false;
    if (event != NULL && listener->count > 0)
        event->ev_evcallback.evcb_cb_union.evcb_callback(event->ev_fd, EV_READ, event->ev_evcallback.evcb_arg);
}

int sock_accept(int fd, struct sockaddr_storage *peer, socklen_t *peer_len)
{
    struct listener *listener = &io.listeners[fd - LISTENER_FIRST];
    (void)peer;
    (void)peer_len;
    if (listener->count == 0)
        return ERR_AGAIN;
    uint32_t slot = io.next_fd++ % BACKLOG_MAX;
    io.accepted[slot] = listener->backlog[0];
    memmove(listener->backlog, listener->backlog + 1, (size_t)--listener->count * sizeof listener->backlog[0]);
    return FD_FIRST + (int)slot;
}

// The near end, or NULL: refused.
static struct net_end *dial(struct sim_proc *from, const char *address)
{
    struct net_end *near, *far;
    for (int i = 0; i < LISTENERS_MAX; i++) {
        struct listener *listener = &io.listeners[i];
        if (listener->event == NULL || strcmp(listener->address, address) != 0 || listener->count == BACKLOG_MAX)
            continue;
        struct sim_proc *proc = sim_proc_of((struct loop *)listener->event->ev_base);
        if (!proc->alive)
            continue;
        net_connect(from, proc, &near, &far);
        listener->backlog[listener->count++] = far;
        if (!listener->told)
            sim_after(proc, 0, on_acceptable, NULL, listener);
        listener->told = true;
        return near;
    }
    return NULL;
}

static bool reachable(const char *address)
{
    for (int i = 0; i < LISTENERS_MAX; i++) {
        const struct listener *listener = &io.listeners[i];
        if (listener->event != NULL && strcmp(listener->address, address) == 0)
            return !net_isolated(sim_proc_of((struct loop *)listener->event->ev_base));
    }
    return true; // and will refuse
}

// ---- Messages ------------------------------------------------------------------------------------------------------

struct bytes_message {
    struct net_message head;
    size_t len;
    uint8_t bytes[];
};

struct msg_sock {
    struct loop *loop;
    struct msg_sock_handlers handlers;
    void *arg;
    struct net_end *end;
    char address[64];
    bool open, closed;
    struct loop_timer dial;
    struct loop_deferred release;
};

static void drop_bytes(struct net_message *message)
{
    free(message);
}

const char *msg_sock_reason_text(enum msg_sock_reason reason)
{
    return reason == MSG_SOCK_CONNECT_FAILED ? "connect failed" : "closed";
}

static void on_message(void *arg, struct net_message *message)
{
    struct msg_sock *sock = arg;
    struct bytes_message *bytes = (struct bytes_message *)message;
    sock->handlers.on_message(sock->arg, bytes->bytes, bytes->len);
    free(bytes);
}

static void on_closed(void *arg)
{
    struct msg_sock *sock = arg;
    sock->end = NULL;
    sock->open = false;
    sock->handlers.on_closed(sock->arg, MSG_SOCK_RESET);
}

static void on_release(void *arg)
{
    free(arg);
}

static void on_dial(void *arg);

static struct msg_sock *msg_sock_new(struct loop *loop, const struct msg_sock_handlers *handlers, void *arg)
{
    struct msg_sock *sock = calloc(1, sizeof *sock);
    if (sock == NULL)
        abort();
    sock->loop = loop;
    sock->handlers = *handlers;
    sock->arg = arg;
    loop_timer_init(&sock->dial, loop, on_dial, sock);
    loop_deferred_init(&sock->release, on_release, sock);
    return sock;
}

int msg_sock_accept(struct msg_sock **out, struct loop *loop, int fd, const struct msg_sock_limits *limits,
                    const struct msg_sock_handlers *handlers, void *arg)
{
    (void)limits;
    struct msg_sock *sock = msg_sock_new(loop, handlers, arg);
    sock->end = io.accepted[fd - FD_FIRST];
    sock->open = true;
    *out = sock;
    net_attach(sock->end, on_message, on_closed, sock);
    return 0;
}

static void on_dial(void *arg)
{
    struct msg_sock *sock = arg;
    sock->end = dial(sim_proc_of(sock->loop), sock->address);
    if (sock->end == NULL) {
        sock->handlers.on_closed(sock->arg, MSG_SOCK_CONNECT_FAILED);
        return;
    }
    sock->open = true;
    net_attach(sock->end, on_message, on_closed, sock);
    if (sock->handlers.on_open != NULL)
        sock->handlers.on_open(sock->arg);
}

int msg_sock_connect(struct msg_sock **out, struct loop *loop, const char *address,
                     const struct msg_sock_limits *limits, const struct msg_sock_handlers *handlers, void *arg)
{
    (void)limits;
    struct msg_sock *sock = msg_sock_new(loop, handlers, arg);
    snprintf(sock->address, sizeof sock->address, "%s", address);
    bool late = net_isolated(sim_proc_of(loop)) || !reachable(address);
    loop_timer_arm_us(&sock->dial, late ? CONNECT_TIMEOUT_MS * 1000 : sim_skewed(100, 10000));
    *out = sock;
    return 0;
}

int msg_sock_send(struct msg_sock *sock, const void *data, size_t len)
{
    if (!sock->open)
        return ERR_CLOSED;
    struct bytes_message *message = malloc(sizeof *message + len);
    if (message == NULL)
        abort();
    message->head = (struct net_message){.drop = drop_bytes};
    message->len = len;
    memcpy(message->bytes, data, len);
    net_send(sock->end, &message->head);
    return 0;
}

void msg_sock_close(struct msg_sock *sock)
{
    if (sock == NULL || sock->closed)
        return;
    sock->closed = true;
    sock->open = false;
    net_close(sock->end);
    sock->end = NULL;
    loop_timer_disarm(&sock->dial);
    loop_defer(sock->loop, &sock->release);
}

// ---- Random numbers, metrics, macs ---------------------------------------------------------------------------------

uint64_t rand_u64(void)
{
    return sim_random();
}

uint64_t rand_below(uint64_t below)
{
    return sim_below(below);
}

void rand_bytes(void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)data)[i] = (uint8_t)sim_random();
}

int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count)
{
    (void)metrics;
    (void)rows;
    (void)count;
    return 0;
}

int link_mac_gateway(const uint8_t *secret, size_t secret_len, const uint8_t shard_nonce[LINK_NONCE_LEN],
                     const uint8_t gateway_nonce[LINK_NONCE_LEN], uint64_t gateway, uint8_t mac[LINK_MAC_LEN])
{
    (void)secret;
    (void)secret_len;
    (void)gateway;
    for (unsigned i = 0; i < LINK_MAC_LEN; i++)
        mac[i] = shard_nonce[i] ^ gateway_nonce[i];
    return 0;
}

int link_mac_shard(const uint8_t *secret, size_t secret_len, const uint8_t gateway_nonce[LINK_NONCE_LEN],
                   const uint8_t shard_nonce[LINK_NONCE_LEN], uint64_t incarnation, uint8_t mac[LINK_MAC_LEN])
{
    return link_mac_gateway(secret, secret_len, shard_nonce, gateway_nonce, incarnation, mac);
}

// ---- Log -----------------------------------------------------------------------------------------------------------

bool log_enabled(enum log_level level)
{
    (void)level;
    return sim_tracing();
}

void log_write(struct log_site *site, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count)
{
    char line[512];
    size_t len = 0;
    (void)site;
    (void)level;
    line[0] = '\0';
    for (size_t i = 0; i < count && len < sizeof line; i++) {
        const struct log_field *field = &fields[i];
        size_t room = sizeof line - len;
        if (field->kind == LOG_KIND_STR)
            len += (size_t)snprintf(line + len, room, " %s=%s", field->key, (const char *)field->ptr);
        else if (field->kind == LOG_KIND_BYTES)
            len +=
                (size_t)snprintf(line + len, room, " %s=%.*s", field->key, (int)field->len, (const char *)field->ptr);
        else
            len += (size_t)snprintf(line + len, room, " %s=%lld", field->key, (long long)field->i64);
    }
    sim_trace("%s%s", msg, line);
}
