#include "tests/fuzz/mem_sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/io/sock.h"
#include "tests/fuzz/fuzz.h"

#define FIRST 3000000 // no descriptor of the system
#define PIECES_MAX 512
#define EVENTS_MAX 2 // one that reads, one that writes

struct mem_sock {
    int fd; // no number comes twice in a run
    bool open, ended, broken, shut;
    const char *listens; // on this address; NULL: a connection
    const char *waits;   // to be accepted there
    uint32_t address;    // of the peer
    struct event *events[EVENTS_MAX];
    size_t room;
    uint32_t pieces[PIECES_MAX]; // lengths
    unsigned first, count;
    size_t in_at, in_len, out_len;
    uint8_t in[MEM_SOCK_IN_MAX], out[MEM_SOCK_OUT_MAX];
};

static struct mem_sock socks[MEM_SOCKS_MAX];
static unsigned opened;
static int numbers; // given out

// The place that has this number, or had it; NULL: somebody else has it now.
static struct mem_sock *place_of(int fd)
{
    struct mem_sock *sock = &socks[(unsigned)(fd - FIRST) % MEM_SOCKS_MAX];
    return sock->fd == fd ? sock : NULL;
}

// An open one: closing twice, or using what was closed, is what this is to find.
static struct mem_sock *at(int fd)
{
    struct mem_sock *sock = fd >= FIRST ? place_of(fd) : NULL;
    FUZZ_CHECK(sock != NULL && sock->open);
    return sock;
}

// ---- The target's side ----------------------------------------------------------------------------------------------

static void clear(struct mem_sock *sock)
{
    memset(sock, 0, offsetof(struct mem_sock, in));
}

void mem_sock_reset(void)
{
    for (unsigned i = 0; i < MEM_SOCKS_MAX; i++)
        FUZZ_CHECK(!socks[i].open);
    opened = 0;
    numbers = 0;
}

int mem_sock_open(void)
{
    for (int i = 0; i < MEM_SOCKS_MAX; i++) {
        if (socks[i].open)
            continue;
        clear(&socks[i]);
        socks[i].fd = FIRST + MEM_SOCKS_MAX * numbers++ + i;
        socks[i].open = true;
        socks[i].room = SIZE_MAX;
        opened++;
        return socks[i].fd;
    }
    return -1;
}

int mem_sock_connect(const char *listen, uint32_t address)
{
    for (int i = 0; i < MEM_SOCKS_MAX; i++) {
        if (!socks[i].open || socks[i].listens == NULL || strcmp(socks[i].listens, listen) != 0)
            continue;
        int fd = mem_sock_open();
        if (fd >= 0) {
            at(fd)->waits = socks[i].listens;
            at(fd)->address = address;
        }
        return fd;
    }
    return -1;
}

void mem_sock_feed(int fd, const void *bytes, size_t len)
{
    struct mem_sock *sock = at(fd);
    if (sock->in_at > 0) {
        memmove(sock->in, sock->in + sock->in_at, sock->in_len);
        sock->in_at = 0;
    }
    if (len == 0 || len > MEM_SOCK_IN_MAX - sock->in_len || sock->count == PIECES_MAX || sock->ended)
        return;
    memcpy(sock->in + sock->in_len, bytes, len);
    sock->in_len += len;
    sock->pieces[(sock->first + sock->count++) % PIECES_MAX] = (uint32_t)len;
}

void mem_sock_join(int fd, const void *bytes, size_t len)
{
    struct mem_sock *sock = at(fd);
    unsigned before = sock->count;
    mem_sock_feed(fd, bytes, len);
    if (before == 0 || sock->count == before)
        return;
    sock->pieces[(sock->first + before - 1) % PIECES_MAX] += sock->pieces[(sock->first + before) % PIECES_MAX];
    sock->count--;
}

void mem_sock_end(int fd)
{
    at(fd)->ended = true;
}

void mem_sock_break(int fd)
{
    at(fd)->broken = true;
}

void mem_sock_room(int fd, size_t room)
{
    at(fd)->room = room;
}

const uint8_t *mem_sock_out(int fd, size_t *len)
{
    const struct mem_sock *sock = place_of(fd);
    *len = sock != NULL ? sock->out_len : 0;
    return sock != NULL ? sock->out : NULL;
}

void mem_sock_eat(int fd, size_t len)
{
    struct mem_sock *sock = place_of(fd);
    if (sock == NULL)
        return;
    sock->out_len -= len;
    memmove(sock->out, sock->out + len, sock->out_len);
}

bool mem_sock_shut(int fd)
{
    return place_of(fd) != NULL && place_of(fd)->shut;
}

bool mem_sock_is_open(int fd)
{
    return place_of(fd) != NULL && place_of(fd)->open;
}

unsigned mem_sock_opened(void)
{
    return opened;
}

// ---- The program's side ---------------------------------------------------------------------------------------------

static size_t room_of(const struct mem_sock *sock)
{
    size_t left = MEM_SOCK_OUT_MAX - sock->out_len;
    return sock->room < left ? sock->room : left;
}

// A count, 0 at the end of the stream, or -1 with errno: as recv.
static ssize_t take_in(struct mem_sock *sock, void *data, size_t len)
{
    if (sock->broken) {
        errno = ECONNRESET;
        return -1;
    }
    if (sock->count == 0 && !sock->ended)
        errno = EAGAIN;
    if (sock->count == 0)
        return sock->ended ? 0 : -1;
    uint32_t *piece = &sock->pieces[sock->first];
    size_t n = *piece < len ? *piece : len;
    memcpy(data, sock->in + sock->in_at, n);
    sock->in_at += n;
    sock->in_len -= n;
    *piece -= (uint32_t)n;
    if (*piece == 0) {
        sock->first = (sock->first + 1) % PIECES_MAX;
        sock->count--;
    }
    return (ssize_t)n;
}

// As send.
static ssize_t put_out(struct mem_sock *sock, const void *data, size_t len)
{
    FUZZ_CHECK(!sock->shut); // it has said that it would write no more
    if (sock->broken) {
        errno = EPIPE;
        return -1;
    }
    size_t n = room_of(sock) < len ? room_of(sock) : len;
    if (n == 0) {
        errno = EAGAIN;
        return -1;
    }
    memcpy(sock->out + sock->out_len, data, n);
    sock->out_len += n;
    if (sock->room != SIZE_MAX)
        sock->room -= n;
    return (ssize_t)n;
}

static void close_fd(int fd)
{
    struct mem_sock *sock = at(fd);
    for (unsigned i = 0; i < EVENTS_MAX; i++)
        FUZZ_CHECK(sock->events[i] == NULL); // libevent would go on with a descriptor that somebody else has by then
    for (unsigned i = 0; i < MEM_SOCKS_MAX && sock->listens != NULL; i++)
        if (socks[i].waits == sock->listens)
            socks[i].open = false; // the kernel's queue goes with the listener
    sock->open = false;
}

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags);
int __wrap_close(int fd);
int __wrap_shutdown(int fd, int how);
int __wrap_evbuffer_write(struct evbuffer *buffer, evutil_socket_t fd);
int __real_close(int fd);

ssize_t __wrap_recv(int fd, void *data, size_t len, int flags)
{
    FUZZ_CHECK(flags == 0);
    return take_in(at(fd), data, len);
}

int __wrap_close(int fd)
{
    if (fd < FIRST)
        return __real_close(fd);
    close_fd(fd);
    return 0;
}

int __wrap_shutdown(int fd, int how)
{
    FUZZ_CHECK(how == SHUT_WR);
    at(fd)->shut = true;
    return 0;
}

int __wrap_evbuffer_write(struct evbuffer *buffer, evutil_socket_t fd)
{
    struct mem_sock *sock = at(fd);
    size_t len = evbuffer_get_length(buffer);
    ssize_t put = put_out(sock, evbuffer_pullup(buffer, -1), len);
    if (put > 0)
        evbuffer_drain(buffer, (size_t)put);
    return (int)put;
}

// ---- sock.h ---------------------------------------------------------------------------------------------------------

int sock_init(struct sock *sock, int fd, SSL_CTX *ssl_ctx)
{
    FUZZ_CHECK(ssl_ctx == NULL);
    *sock = (struct sock){.fd = fd};
    return 0;
}

ssize_t sock_read(struct sock *sock, void *data, size_t len)
{
    FUZZ_CHECK(len > 0); // recv would say end of stream
    ssize_t n = take_in(at(sock->fd), data, len);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
}

ssize_t sock_write(struct sock *sock, const void *data, size_t len)
{
    if (len == 0)
        return ERR_AGAIN;
    ssize_t n = put_out(at(sock->fd), data, len);
    return n > 0 ? n : n < 0 && errno == EAGAIN ? ERR_AGAIN : ERR_CLOSED;
}

ssize_t sock_writev(struct sock *sock, const struct iovec *parts, int count)
{
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        ssize_t n = sock_write(sock, parts[i].iov_base, parts[i].iov_len);
        if (n < 0)
            return total > 0 ? total : n;
        total += n;
        if ((size_t)n < parts[i].iov_len)
            break;
    }
    return total;
}

void sock_close(struct sock *sock)
{
    if (sock->fd >= 0)
        close_fd(sock->fd);
    sock->fd = -1;
}

void sock_tune(int fd, unsigned user_timeout_ms)
{
    (void)user_timeout_ms;
    (void)at(fd);
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

// ---- Listening ------------------------------------------------------------------------------------------------------

int sock_listen(const char *text, int backlog, bool reuse_port)
{
    (void)backlog;
    (void)reuse_port;
    int fd = mem_sock_open();
    FUZZ_CHECK(fd >= 0);
    at(fd)->listens = text;
    opened--; // not a connection
    return fd;
}

uint16_t sock_port(int fd)
{
    (void)at(fd);
    return 1;
}

static struct mem_sock *first_waiting(const struct mem_sock *listener)
{
    for (unsigned i = 0; i < MEM_SOCKS_MAX; i++)
        if (socks[i].open && socks[i].waits != NULL && socks[i].waits == listener->listens)
            return &socks[i];
    return NULL;
}

int sock_accept(int listen_fd, struct sockaddr_storage *peer, socklen_t *peer_len)
{
    struct mem_sock *sock = first_waiting(at(listen_fd));
    if (sock == NULL)
        return ERR_AGAIN;
    sock->waits = NULL;
    if (peer != NULL) {
        const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(sock->address)};
        memcpy(peer, &from, sizeof from);
        *peer_len = sizeof from;
    }
    return sock->fd;
}

// ---- Events ---------------------------------------------------------------------------------------------------------

int event_assign(struct event *event, struct event_base *base, evutil_socket_t fd, short what, event_callback_fn cb,
                 void *arg)
{
    memset(event, 0, sizeof *event);
    event->ev_base = base;
    event->ev_fd = fd;
    event->ev_events = what;
    event->ev_evcallback.evcb_cb_union.evcb_callback = cb;
    event->ev_evcallback.evcb_arg = arg;
    return 0;
}

int event_add(struct event *event, const struct timeval *timeout)
{
    struct mem_sock *sock = at(event->ev_fd);
    (void)timeout;
    for (unsigned i = 0; i < EVENTS_MAX; i++)
        if (sock->events[i] == event)
            return 0;
    unsigned at_free = 0;
    while (at_free < EVENTS_MAX && sock->events[at_free] != NULL)
        at_free++;
    FUZZ_CHECK(at_free < EVENTS_MAX);
    sock->events[at_free] = event;
    return 0;
}

int event_del(struct event *event)
{
    struct mem_sock *sock = at(event->ev_fd);
    for (unsigned i = 0; i < EVENTS_MAX; i++)
        if (sock->events[i] == event)
            sock->events[i] = NULL;
    return 0;
}

int event_pending(const struct event *event, short what, struct timeval *timeout)
{
    const struct mem_sock *sock = at(event->ev_fd);
    (void)timeout;
    for (unsigned i = 0; i < EVENTS_MAX; i++)
        if (sock->events[i] == event)
            return event->ev_events & what;
    return 0;
}

int event_initialized(const struct event *event)
{
    return event->ev_fd != 0;
}

static short ready(const struct mem_sock *sock, const struct event *event)
{
    bool readable =
        sock->listens != NULL ? first_waiting(sock) != NULL : sock->count > 0 || sock->ended || sock->broken;
    bool writable = sock->broken || room_of(sock) > 0;
    return (short)(event->ev_events & ((readable ? EV_READ : 0) | (writable ? EV_WRITE : 0)));
}

void mem_sock_turn(void)
{
    for (unsigned i = 0; i < MEM_SOCKS_MAX; i++)
        for (unsigned k = 0; k < EVENTS_MAX; k++) {
            struct event *event = socks[i].open ? socks[i].events[k] : NULL;
            short what = event != NULL ? ready(&socks[i], event) : 0;
            if (what == 0)
                continue;
            if ((event->ev_events & EV_PERSIST) == 0)
                socks[i].events[k] = NULL;
            event->ev_evcallback.evcb_cb_union.evcb_callback(event->ev_fd, what, event->ev_evcallback.evcb_arg);
        }
}
