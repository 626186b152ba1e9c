// Reading and writing of sock.h, plain and TLS.

#include "common/io/sock.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

// Small pieces are joined up to one TLS record before they are encrypted.
#define RECORD_LEN 16384

int sock_init(struct sock *sock, int fd, SSL_CTX *ssl_ctx)
{
    *sock = (struct sock){.fd = fd};
    if (ssl_ctx == NULL)
        return 0;
    sock->ssl = SSL_new(ssl_ctx);
    if (sock->ssl == NULL || SSL_set_fd(sock->ssl, fd) != 1) {
        SSL_free(sock->ssl);
        *sock = (struct sock){.fd = -1};
        ERR_clear_error();
        return ERR_NOMEM;
    }
    SSL_set_mode(sock->ssl,
                 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_set_accept_state(sock->ssl);
    return 0;
}

static int plain_error(int error)
{
    switch (error) {
    case EAGAIN:
        return ERR_AGAIN;
    case EBADF:
    case EFAULT:
    case EINVAL:
    case ENOTSOCK:
    case ENOMEM:
    case ENOBUFS:
        return ERR_IO;
    default:
        return ERR_CLOSED; // reset, timed out, unreachable: for the caller all the same
    }
}

// What a failed call on the TLS connection means. `wants_other` is set when it waits for the other direction.
static int tls_error(SSL *ssl, int result, int own_want, bool *wants_other)
{
    int error = SSL_get_error(ssl, result);
    int saved_errno = errno;
    unsigned long code = ERR_peek_error();
    ERR_clear_error();
    switch (error) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        *wants_other = error != own_want;
        return ERR_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return ERR_CLOSED;
    case SSL_ERROR_SYSCALL:
        return saved_errno != 0 ? plain_error(saved_errno) : ERR_CLOSED;
    case SSL_ERROR_SSL:
        // OpenSSL 3 reports a peer that went away without goodbye as a fault of the protocol.
        return ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? ERR_CLOSED : ERR_IO;
    default:
        return ERR_IO;
    }
}

static ssize_t tls_read(struct sock *sock, void *data, size_t len)
{
    size_t got = 0;
    ERR_clear_error();
    errno = 0;
    sock->read_wants_write = false;
    int result = SSL_read_ex(sock->ssl, data, len, &got);
    if (result == 1)
        return (ssize_t)got;
    return tls_error(sock->ssl, result, SSL_ERROR_WANT_READ, &sock->read_wants_write);
}

static ssize_t tls_write(struct sock *sock, const void *data, size_t len)
{
    size_t put = 0;
    ERR_clear_error();
    errno = 0;
    sock->write_wants_read = false;
    int result = SSL_write_ex(sock->ssl, data, len, &put);
    if (result == 1)
        return (ssize_t)put;
    return tls_error(sock->ssl, result, SSL_ERROR_WANT_WRITE, &sock->write_wants_read);
}

ssize_t sock_read(struct sock *sock, void *data, size_t len)
{
    if (sock->fd < 0)
        return ERR_CLOSED;
    if (sock->ssl != NULL)
        return tls_read(sock, data, len);
    for (;;) {
        ssize_t got = recv(sock->fd, data, len, 0);
        if (got > 0)
            return got;
        if (got == 0)
            return ERR_CLOSED;
        if (errno != EINTR)
            return plain_error(errno);
    }
}

// The outcome of a system call that writes; EINTR is the caller's.
static ssize_t plain_put(ssize_t put)
{
    if (put > 0)
        return put;
    return put == 0 ? ERR_AGAIN : plain_error(errno);
}

ssize_t sock_write(struct sock *sock, const void *data, size_t len)
{
    if (sock->fd < 0)
        return ERR_CLOSED;
    if (len == 0)
        return ERR_AGAIN;
    if (sock->ssl != NULL)
        return tls_write(sock, data, len);
    ssize_t put;
    do {
        put = send(sock->fd, data, len, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return plain_put(put);
}

static ssize_t plain_writev(struct sock *sock, const struct iovec *parts, int count)
{
    // The system call only reads them, though its struct does not say so.
    const union {
        const struct iovec *ours;
        struct iovec *theirs;
    } cast = {.ours = parts};
    struct msghdr msg = {.msg_iov = cast.theirs, .msg_iovlen = (size_t)count};
    ssize_t put;
    do {
        put = sendmsg(sock->fd, &msg, MSG_NOSIGNAL);
    } while (put < 0 && errno == EINTR);
    return plain_put(put);
}

// A place in a list of pieces.
struct cursor {
    const struct iovec *part;
    const struct iovec *end;
    size_t used; // of *part
};

// Copies on from the cursor until `record` is full; returns the length.
static size_t gather(struct cursor *cursor, uint8_t record[RECORD_LEN])
{
    size_t len = 0;
    while (cursor->part < cursor->end && len < RECORD_LEN) {
        size_t left = cursor->part->iov_len - cursor->used;
        size_t n = left < RECORD_LEN - len ? left : RECORD_LEN - len;
        if (n > 0)
            memcpy(record + len, (const uint8_t *)cursor->part->iov_base + cursor->used, n);
        len += n;
        cursor->used += n;
        if (cursor->used == cursor->part->iov_len) {
            cursor->part++;
            cursor->used = 0;
        }
    }
    return len;
}

static ssize_t tls_writev(struct sock *sock, const struct iovec *parts, int count)
{
    struct cursor cursor = {.part = parts, .end = parts + count};
    ssize_t total = 0;
    for (;;) {
        uint8_t record[RECORD_LEN];
        size_t len = gather(&cursor, record);
        if (len == 0)
            return total > 0 ? total : ERR_AGAIN;
        ssize_t put = tls_write(sock, record, len);
        if (put < 0)
            return total > 0 ? total : put;
        total += put;
        if ((size_t)put < len)
            return total;
    }
}

ssize_t sock_writev(struct sock *sock, const struct iovec *parts, int count)
{
    if (sock->fd < 0)
        return ERR_CLOSED;
    if (sock->ssl == NULL)
        return plain_writev(sock, parts, count);
    if (count == 1) // nothing to join
        return sock_write(sock, parts->iov_base, parts->iov_len);
    return tls_writev(sock, parts, count);
}

bool sock_has_buffered(const struct sock *sock)
{
    return sock->ssl != NULL && SSL_pending(sock->ssl) > 0;
}

bool sock_established(const struct sock *sock)
{
    return sock->ssl == NULL || SSL_is_init_finished(sock->ssl);
}

void sock_close(struct sock *sock)
{
    if (sock->fd < 0)
        return;
    if (sock->ssl != NULL) {
        if (SSL_is_init_finished(sock->ssl))
            (void)SSL_shutdown(sock->ssl);
        ERR_clear_error();
        SSL_free(sock->ssl);
    }
    close(sock->fd);
    *sock = (struct sock){.fd = -1};
}
