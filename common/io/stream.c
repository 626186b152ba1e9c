#include "common/io/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct stream *stream = arg;
    stream->handlers.on_readable(stream->arg);
}

// Writes what the kernel takes. Returns false when the connection is broken.
static bool write_some(struct stream *stream)
{
    if (evbuffer_get_length(stream->out) == 0)
        return true;
    int put = evbuffer_write(stream->out, stream->fd);
    return put >= 0 || errno == EAGAIN || errno == EINTR;
}

static void broken(struct stream *stream)
{
    event_del(&stream->readable);
    event_del(&stream->writable);
    stream->handlers.on_broken(stream->arg);
}

static void on_flush(void *arg)
{
    struct stream *stream = arg;
    if (!write_some(stream)) {
        broken(stream);
        return;
    }
    bool left = evbuffer_get_length(stream->out) > 0;
    if (left && event_add(&stream->writable, NULL) != 0)
        broken(stream);
    else if (!left && stream->handlers.on_drained != NULL)
        stream->handlers.on_drained(stream->arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    on_flush(arg);
}

void stream_init(struct stream *stream, struct loop *loop, const struct stream_handlers *handlers, void *arg)
{
    memset(stream, 0, sizeof *stream);
    stream->loop = loop;
    stream->handlers = *handlers;
    stream->arg = arg;
    stream->fd = -1;
    loop_deferred_init(&stream->flush, on_flush, stream);
}

int stream_open(struct stream *stream, int fd)
{
    stream->out = evbuffer_new();
    if (stream->out == NULL)
        return ERR_NOMEM;
    struct event_base *base = loop_base(stream->loop);
    if (event_assign(&stream->readable, base, fd, EV_READ | EV_PERSIST, on_readable, stream) != 0 ||
        event_assign(&stream->writable, base, fd, EV_WRITE, on_writable, stream) != 0 ||
        event_add(&stream->readable, NULL) != 0) {
        evbuffer_free(stream->out);
        stream->out = NULL;
        return ERR_NOMEM;
    }
    stream->fd = fd;
    stream->paused = false;
    return 0;
}

ssize_t stream_read(struct stream *stream, void *data, size_t capacity)
{
    for (;;) {
        ssize_t got = recv(stream->fd, data, capacity, 0);
        if (got > 0)
            return got;
        if (got == 0)
            return ERR_CLOSED;
        if (errno == EAGAIN)
            return ERR_AGAIN;
        if (errno != EINTR)
            return ERR_IO;
    }
}

void stream_send(struct stream *stream)
{
    // A queue that waits for the kernel goes on when the kernel says so.
    if (!event_pending(&stream->writable, EV_WRITE, NULL))
        loop_defer(stream->loop, &stream->flush);
}

size_t stream_pending(const struct stream *stream)
{
    return stream->out != NULL ? evbuffer_get_length(stream->out) : 0;
}

void stream_pause(struct stream *stream, bool paused)
{
    if (stream->fd < 0 || stream->paused == paused)
        return;
    stream->paused = paused;
    if (paused)
        event_del(&stream->readable);
    else if (event_add(&stream->readable, NULL) != 0)
        broken(stream);
}

void stream_close(struct stream *stream, bool flush)
{
    if (stream->fd < 0)
        return;
    if (flush)
        (void)write_some(stream);
    loop_deferred_cancel(&stream->flush);
    event_del(&stream->readable);
    event_del(&stream->writable);
    close(stream->fd);
    evbuffer_free(stream->out);
    stream->fd = -1;
    stream->out = NULL;
}
