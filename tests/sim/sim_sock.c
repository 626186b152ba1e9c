#include "tests/sim/sim_sock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/io/sock.h"

#define LISTENERS_MAX 16
#define BACKLOG_MAX 64
// Descriptors that no operating system gives out.
#define LISTENER_FIRST 1000000
#define FD_FIRST 2000000
#define FDS_MAX 256
#define QUEUE_MESSAGES_MAX 24u // a peer that has so many under way has a full socket
#define LOOK_AGAIN_US 4000
#define SHORT_READS_IN_MILLION 40000u
#define SHORT_WRITES_IN_MILLION 15000u

struct waiting {
    struct net_end *end;
    const void *user;
};

struct listener {
    char address[64];
    struct event *event; // NULL: nobody is listening
    struct sim_proc *proc;
    struct waiting backlog[BACKLOG_MAX];
    int count;
    sim_event ready;
};

struct descriptor {
    bool used;
    struct net_end *end; // NULL: the peer, or the network, has closed it
    const void *user;
    struct net_bytes *first, **last; // came, and was not read yet
    size_t at;                       // of the first, that was read
    bool full;                       // took nothing, or not all, the last time
    struct event *event;
    sim_event ready;
};

static struct {
    struct listener listeners[LISTENERS_MAX];
    struct descriptor fds[FDS_MAX];
} io;

void sim_sock_init(void)
{
    memset(&io, 0, sizeof io);
}

static void drop_bytes(struct net_message *message)
{
    free(message);
}

struct net_bytes *net_bytes_new(const void *bytes, size_t len)
{
    struct net_bytes *message = malloc(sizeof *message + len);
    if (message == NULL)
        abort();
    message->head = (struct net_message){.drop = drop_bytes};
    message->len = len;
    if (len > 0)
        memcpy(message->bytes, bytes, len);
    return message;
}

static struct listener *listener_of(int fd)
{
    return fd >= LISTENER_FIRST && fd < LISTENER_FIRST + LISTENERS_MAX ? &io.listeners[fd - LISTENER_FIRST] : NULL;
}

static struct descriptor *descriptor_of(int fd)
{
    return fd >= FD_FIRST && fd < FD_FIRST + FDS_MAX ? &io.fds[fd - FD_FIRST] : NULL;
}

static void call(struct event *event, int fd, short what)
{
    event->ev_evcallback.evcb_cb_union.evcb_callback(fd, what, event->ev_evcallback.evcb_arg);
}

// ---- Listening -----------------------------------------------------------------------------------------------------

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
    return sock_split(listener_of(fd)->address, host, &port) == 0 ? port : 0;
}

static void on_acceptable(void *arg)
{
    struct listener *listener = arg;
    listener->ready = 0;
    if (listener->event != NULL && listener->count > 0)
        call(listener->event, listener->event->ev_fd, EV_READ);
}

static void tell_acceptable(struct listener *listener)
{
    if (listener->event != NULL && listener->count > 0 && listener->ready == 0)
        listener->ready = sim_after(listener->proc, 0, on_acceptable, NULL, listener);
}

int sock_accept(int fd, struct sockaddr_storage *peer, socklen_t *peer_len)
{
    struct listener *listener = listener_of(fd);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001)};
    if (listener->count == 0)
        return ERR_AGAIN;
    if (peer != NULL) {
        memcpy(peer, &from, sizeof from);
        *peer_len = sizeof from;
    }
    int slot = 0;
    while (slot < FDS_MAX && io.fds[slot].used)
        slot++;
    if (slot == FDS_MAX)
        abort();
    struct descriptor *descriptor = &io.fds[slot];
    *descriptor = (struct descriptor){.used = true, .end = listener->backlog[0].end, .user = listener->backlog[0].user};
    descriptor->last = &descriptor->first;
    memmove(listener->backlog, listener->backlog + 1, (size_t)--listener->count * sizeof listener->backlog[0]);
    tell_acceptable(listener);
    return FD_FIRST + slot;
}

struct net_end *sim_sock_take(int fd)
{
    struct descriptor *descriptor = descriptor_of(fd);
    struct net_end *end = descriptor->end;
    *descriptor = (struct descriptor){0};
    return end;
}

const void *sim_sock_user(int fd)
{
    return descriptor_of(fd)->user;
}

struct net_end *sim_dial(struct sim_proc *from, const char *address, const void *user)
{
    struct net_end *near, *far;
    for (int i = 0; i < LISTENERS_MAX; i++) {
        struct listener *listener = &io.listeners[i];
        if (listener->event == NULL || strcmp(listener->address, address) != 0 || listener->count == BACKLOG_MAX)
            continue;
        if (!listener->proc->alive)
            continue;
        net_connect(from, listener->proc, &near, &far);
        listener->backlog[listener->count++] = (struct waiting){far, user};
        tell_acceptable(listener);
        return near;
    }
    return NULL;
}

bool sim_reachable(const char *address)
{
    for (int i = 0; i < LISTENERS_MAX; i++) {
        const struct listener *listener = &io.listeners[i];
        if (listener->event != NULL && strcmp(listener->address, address) == 0)
            return !net_isolated(listener->proc);
    }
    return true; // and will refuse
}

// ---- Events --------------------------------------------------------------------------------------------------------

static bool readable(const struct descriptor *descriptor)
{
    return descriptor->first != NULL || descriptor->end == NULL;
}

static bool writable(const struct descriptor *descriptor)
{
    return descriptor->end == NULL || !net_is_open(descriptor->end) ||
           descriptor->end->queued <= (descriptor->full ? QUEUE_MESSAGES_MAX / 4 : QUEUE_MESSAGES_MAX);
}

static void watch(struct descriptor *descriptor, int64_t after_us);

static void on_ready(void *arg)
{
    struct descriptor *descriptor = arg;
    struct event *event = descriptor->event;
    descriptor->ready = 0;
    if (event == NULL)
        return;
    short what = 0;
    if ((event->ev_events & EV_READ) != 0 && readable(descriptor))
        what |= EV_READ;
    if ((event->ev_events & EV_WRITE) != 0 && writable(descriptor))
        what |= EV_WRITE;
    if ((what & EV_WRITE) != 0)
        descriptor->full = false;
    if (what != 0)
        call(event, event->ev_fd, what);
    watch(descriptor, SIM_TURN_MAX_US + 1); // not twice in a turn
}

// Level-triggered: as long as there is something that the event waits for, it comes again.
static void watch(struct descriptor *descriptor, int64_t after_us)
{
    struct event *event = descriptor->event;
    if (event == NULL || descriptor->ready != 0)
        return;
    struct sim_proc *proc = sim_proc_of((struct loop *)event->ev_base);
    bool now = ((event->ev_events & EV_READ) != 0 && readable(descriptor)) ||
               ((event->ev_events & EV_WRITE) != 0 && writable(descriptor));
    if (now)
        descriptor->ready = sim_after(proc, after_us, on_ready, NULL, descriptor);
    else if ((event->ev_events & EV_WRITE) != 0)
        descriptor->ready = sim_after(proc, LOOK_AGAIN_US, on_ready, NULL, descriptor);
}

int event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short what, event_callback_fn cb,
                 void *arg)
{
    event->ev_base = base;
    event->ev_fd = fd;
    event->ev_events = what;
    event->ev_evcallback.evcb_cb_union.evcb_callback = cb;
    event->ev_evcallback.evcb_arg = arg;
    return 0;
}

int event_add(struct event *event, const struct timeval *timeout)
{
    struct listener *listener = listener_of(event->ev_fd);
    (void)timeout;
    if (listener != NULL) {
        listener->event = event;
        listener->proc = sim_proc_of((struct loop *)event->ev_base);
        tell_acceptable(listener);
        return 0;
    }
    struct descriptor *descriptor = descriptor_of(event->ev_fd);
    descriptor->event = event;
    watch(descriptor, 0);
    return 0;
}

int event_del(struct event *event)
{
    struct listener *listener = listener_of(event->ev_fd);
    if (listener != NULL) {
        listener->event = NULL;
        sim_cancel(listener->ready);
        listener->ready = 0;
        return 0;
    }
    struct descriptor *descriptor = descriptor_of(event->ev_fd);
    if (descriptor->event == event) {
        descriptor->event = NULL;
        sim_cancel(descriptor->ready);
        descriptor->ready = 0;
    }
    return 0;
}

// ---- Connections ---------------------------------------------------------------------------------------------------

static void on_message(void *arg, struct net_message *message)
{
    struct descriptor *descriptor = arg;
    message->next = NULL;
    *descriptor->last = (struct net_bytes *)message;
    descriptor->last = (struct net_bytes **)(void *)&message->next;
    watch(descriptor, 0);
}

static void on_closed(void *arg)
{
    struct descriptor *descriptor = arg;
    descriptor->end = NULL;
    sim_cancel(descriptor->ready); // perhaps it was to look again only later
    descriptor->ready = 0;
    watch(descriptor, 0);
}

int sock_init(struct sock *sock, int fd, SSL_CTX *ssl_ctx)
{
    struct descriptor *descriptor = descriptor_of(fd);
    (void)ssl_ctx;
    *sock = (struct sock){.fd = fd};
    net_attach(descriptor->end, on_message, on_closed, descriptor);
    return 0;
}

ssize_t sock_read(struct sock *sock, void *data, size_t len)
{
    struct descriptor *descriptor = descriptor_of(sock->fd);
    struct net_bytes *chunk = descriptor->first;
    if (chunk == NULL)
        return descriptor->end == NULL ? ERR_CLOSED : ERR_AGAIN;
    size_t n = chunk->len - descriptor->at;
    if (n > 1 && sim_chance(SHORT_READS_IN_MILLION))
        n = 1 + sim_below(n - 1);
    if (n > len)
        n = len;
    memcpy(data, chunk->bytes + descriptor->at, n);
    descriptor->at += n;
    if (descriptor->at == chunk->len) {
        descriptor->first = (struct net_bytes *)chunk->head.next;
        if (descriptor->first == NULL)
            descriptor->last = &descriptor->first;
        descriptor->at = 0;
        free(chunk);
    }
    return (ssize_t)n;
}

ssize_t sock_writev(struct sock *sock, const struct iovec *parts, int count)
{
    struct descriptor *descriptor = descriptor_of(sock->fd);
    size_t len = 0, at = 0;
    if (!net_is_open(descriptor->end))
        return ERR_CLOSED;
    if (!writable(descriptor)) {
        descriptor->full = true;
        return ERR_AGAIN;
    }
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    if (len > 1 && sim_chance(SHORT_WRITES_IN_MILLION)) {
        len = 1 + sim_below(len - 1);
        descriptor->full = true;
    }
    struct net_bytes *message = net_bytes_new(NULL, 0);
    message = realloc(message, sizeof *message + len);
    if (message == NULL)
        abort();
    message->len = len;
    for (int i = 0; i < count && at < len; i++) {
        size_t n = parts[i].iov_len < len - at ? parts[i].iov_len : len - at;
        memcpy(message->bytes + at, parts[i].iov_base, n);
        at += n;
    }
    net_send(descriptor->end, &message->head);
    return (ssize_t)len;
}

ssize_t sock_write(struct sock *sock, const void *data, size_t len)
{
    union {
        const void *from;
        void *base;
    } bytes = {.from = data};
    const struct iovec part = {.iov_base = bytes.base, .iov_len = len};
    return sock_writev(sock, &part, 1);
}

void sock_close(struct sock *sock)
{
    struct descriptor *descriptor = descriptor_of(sock->fd);
    sock->fd = -1;
    if (descriptor == NULL)
        return;
    net_close(descriptor->end);
    while (descriptor->first != NULL) {
        struct net_bytes *chunk = descriptor->first;
        descriptor->first = (struct net_bytes *)chunk->head.next;
        free(chunk);
    }
    sim_cancel(descriptor->ready);
    *descriptor = (struct descriptor){0};
}

void sock_tune(int fd, unsigned user_timeout_ms)
{
    (void)fd;
    (void)user_timeout_ms;
}

bool sock_has_buffered(const struct sock *sock)
{
    (void)sock;
    return false;
}

bool sock_established(const struct sock *sock)
{
    (void)sock;
    return true;
}

// ---- What the programs ask of the system by the same descriptors (sim.mk gives these the system's names there) ------

int sim_close(int fd);
int sim_shutdown(int fd, int how);

int sim_close(int fd)
{
    struct listener *listener = listener_of(fd);
    if (listener != NULL) {
        for (int i = 0; i < listener->count; i++)
            net_close(listener->backlog[i].end);
        sim_cancel(listener->ready);
        memset(listener, 0, sizeof *listener);
    } else {
        struct sock sock = {.fd = fd};
        sock_close(&sock);
    }
    return 0;
}

int sim_shutdown(int fd, int how)
{
    struct descriptor *descriptor = descriptor_of(fd);
    (void)how;
    if (net_is_open(descriptor->end))
        net_send(descriptor->end, &net_bytes_new(NULL, 0)->head);
    return 0;
}

// There is no TLS here.

int SSL_shutdown(SSL *ssl)
{
    (void)ssl;
    return 0;
}

void ERR_clear_error(void)
{
}
