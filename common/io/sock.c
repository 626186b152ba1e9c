#include "common/io/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint16_t port_of(const struct sockaddr_storage *sa)
{
    if (sa->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)sa)->sin_port);
    if (sa->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
    return 0;
}

// ---- Listening -----------------------------------------------------------------------------------------------------

static int listen_on(const struct sockaddr_storage *sa, socklen_t len, int backlog, bool reuse_port)
{
    const int on = 1;
    const int off = 0;
    int fd = socket(sa->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        goto fail;
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        goto fail;
    if (sa->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        goto fail;
    if (bind(fd, (const struct sockaddr *)sa, len) != 0 || listen(fd, backlog) != 0)
        goto fail;
    return fd;

fail:;
    int saved = errno;
    close(fd);
    errno = saved;
    return ERR_IO;
}

int sock_listen(const char *text, int backlog, bool reuse_port)
{
    struct sockaddr_storage sa;
    socklen_t len;
    int err = sock_parse(text, &sa, &len);
    if (err != 0)
        return err;
    int fd = listen_on(&sa, len, backlog, reuse_port);
    // "Every address" on a host without IPv6, as containers often are.
    if (fd < 0 && text[0] == ':' && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) {
        struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port_of(&sa))};
        memset(&sa, 0, sizeof sa);
        memcpy(&sa, &any, sizeof any);
        fd = listen_on(&sa, sizeof any, backlog, reuse_port);
    }
    return fd;
}

uint16_t sock_port(int fd)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof sa;
    if (getsockname(fd, (struct sockaddr *)&sa, &len) != 0)
        return 0;
    return port_of(&sa);
}

static int accept_error(int error)
{
    switch (error) {
    case EAGAIN:
        return ERR_AGAIN;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return ERR_FULL;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        return ERR_IO;
    default:
        return 0; // the fault of this one connection: it has gone again already
    }
}

int sock_accept(int listen_fd, struct sockaddr_storage *peer, socklen_t *peer_len)
{
    const int on = 1;
    for (;;) {
        if (peer != NULL)
            *peer_len = sizeof *peer;
        int fd =
            accept4(listen_fd, (struct sockaddr *)peer, peer != NULL ? peer_len : NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            return fd;
        }
        int err = accept_error(errno);
        if (err != 0)
            return err;
    }
}

// ---- Options -------------------------------------------------------------------------------------------------------

static void set(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

void sock_tune(int fd, unsigned user_timeout_ms)
{
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
    if (user_timeout_ms != 0)
        set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)user_timeout_ms);
}
