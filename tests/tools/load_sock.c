#include "tests/tools/load_sock.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

SSL_CTX *load_sock_tls(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls == NULL)
        return NULL;
    SSL_CTX_set_verify(tls, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(tls, 1); // a record's head and the rest, in one call of the system
    return tls;
}

int load_sock_init(struct sock *sock, int fd, SSL_CTX *tls)
{
    int err = sock_init(sock, fd, tls);
    if (err == 0 && tls != NULL)
        SSL_set_connect_state(sock->ssl);
    return err;
}

void load_sock_stamp(int fd)
{
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
}

static int64_t waited_since(const struct msghdr *msg)
{
    const struct cmsghdr *head = CMSG_FIRSTHDR(msg);
    struct timespec arrived, now;
    if (head == NULL || head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_TIMESTAMPNS)
        return -1;
    memcpy(&arrived, CMSG_DATA(head), sizeof arrived);
    clock_gettime(CLOCK_REALTIME, &now);
    return (now.tv_sec - arrived.tv_sec) * 1000000 + (now.tv_nsec - arrived.tv_nsec) / 1000;
}

ssize_t load_sock_read_stamped(struct sock *sock, void *data, size_t len, int64_t *waited_us)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec iov = {.iov_base = data, .iov_len = len};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(sock->fd, &msg, 0);
    *waited_us = got > 0 ? waited_since(&msg) : -1;
    if (got > 0)
        return got;
    return got < 0 && (errno == EAGAIN || errno == EINTR) ? ERR_AGAIN : ERR_CLOSED;
}
