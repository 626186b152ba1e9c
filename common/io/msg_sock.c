#include "common/io/msg_sock.h"

#include "common/io/dial.h"
#include "common/io/stream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES_PER_TURN 256
#define CONNECT_TIMEOUT_MS 3000
#define IN_LEN_MIN 4096
#define READ_AHEAD 65536 // most bytes read beyond one whole message

//            input, contiguous                         output
//   kernel ─► [ in_start … in_end ) ─► on_message      msg_sock_send ─► stream.out ─► kernel
//             grows with what arrived, never with
//             what was announced
struct msg_sock {
    struct loop *loop;
    struct msg_sock_limits limits;
    struct msg_sock_handlers handlers;
    void *arg;

    struct dial dial;
    struct stream stream;
    struct loop_deferred opened;  // accepted sockets: on_open at the end of the turn
    struct loop_deferred release; // frees
    struct loop_timer go_on;      // messages are left over from the last turn's budget
    bool open;
    bool paused;
    bool was_full; // a send met ERR_FULL since the last drain
    bool closed;   // msg_sock_close was called: no more callbacks
    bool over;     // on_closed has been called

    uint8_t *in;
    size_t in_size;
    size_t in_start;
    size_t in_end;
};

const char *msg_sock_reason_text(enum msg_sock_reason reason)
{
    switch (reason) {
    case MSG_SOCK_CONNECT_FAILED:
        return "connect failed";
    case MSG_SOCK_PEER_CLOSED:
        return "peer closed";
    case MSG_SOCK_RESET:
        return "reset";
    case MSG_SOCK_TOO_LONG:
        return "message too long";
    case MSG_SOCK_TRUNCATED:
        return "message truncated";
    case MSG_SOCK_NO_MEMORY:
        return "out of memory";
    }
    return "unknown";
}

// ---- Ending --------------------------------------------------------------------------------------------------------

static void stop(struct msg_sock *sock, bool flush)
{
    sock->open = false;
    dial_cancel(&sock->dial);
    stream_close(&sock->stream, flush);
    loop_deferred_cancel(&sock->opened);
    loop_timer_disarm(&sock->go_on);
}

static void end(struct msg_sock *sock, enum msg_sock_reason reason)
{
    if (sock->closed || sock->over)
        return;
    stop(sock, false);
    sock->over = true;
    sock->handlers.on_closed(sock->arg, reason);
}

static void on_release(void *arg)
{
    struct msg_sock *sock = arg;
    free(sock->in);
    free(sock);
}

void msg_sock_close(struct msg_sock *sock)
{
    if (sock == NULL || sock->closed)
        return;
    sock->closed = true;
    stop(sock, true);
    loop_defer(sock->loop, &sock->release);
}

// ---- Receiving -----------------------------------------------------------------------------------------------------

static uint32_t head_len(const uint8_t *head)
{
    return (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
}

static size_t in_len(const struct msg_sock *sock)
{
    return sock->in_end - sock->in_start;
}

// A whole message lies in the input. Also says when its announced length is too long.
static bool in_whole(struct msg_sock *sock, bool *too_long)
{
    if (in_len(sock) < MSG_SOCK_HEAD_LEN)
        return false;
    uint32_t len = head_len(sock->in + sock->in_start);
    *too_long = len > sock->limits.max_in;
    return !*too_long && in_len(sock) - MSG_SOCK_HEAD_LEN >= len;
}

// Hands on messages until the budget is used up, the input is, or the owner stops it. Returns false when it ended.
static bool deliver(struct msg_sock *sock)
{
    uint32_t budget = sock->limits.messages_per_turn;
    bool too_long = false;
    while (sock->open && !sock->paused && in_whole(sock, &too_long)) {
        if (budget-- == 0) {
            // The rest comes in the next turn, and nothing more is read until then.
            stream_pause(&sock->stream, true);
            loop_timer_arm_ms(&sock->go_on, 0);
            return true;
        }
        const uint8_t *data = sock->in + sock->in_start + MSG_SOCK_HEAD_LEN;
        size_t len = head_len(sock->in + sock->in_start);
        sock->in_start += MSG_SOCK_HEAD_LEN + len;
        sock->handlers.on_message(sock->arg, data, len);
    }
    if (too_long)
        end(sock, MSG_SOCK_TOO_LONG);
    return sock->open;
}

// Makes room behind the input: at least as much again as is there, for a message in parts.
static bool in_reserve(struct msg_sock *sock)
{
    size_t len = in_len(sock);
    if (len == 0) {
        sock->in_start = sock->in_end = 0;
    } else if (sock->in_start > 0 && sock->in_end == sock->in_size) {
        memmove(sock->in, sock->in + sock->in_start, len);
        sock->in_start = 0;
        sock->in_end = len;
    }
    if (sock->in_end < sock->in_size)
        return true;
    size_t most = (size_t)sock->limits.max_in + MSG_SOCK_HEAD_LEN + READ_AHEAD;
    size_t size = sock->in_size == 0 ? IN_LEN_MIN : sock->in_size * 2;
    uint8_t *in = realloc(sock->in, size < most ? size : most);
    if (in == NULL)
        return false;
    sock->in = in;
    sock->in_size = size < most ? size : most;
    return true;
}

static void on_opened(void *arg)
{
    struct msg_sock *sock = arg;
    if (sock->handlers.on_open != NULL)
        sock->handlers.on_open(sock->arg);
}

static void on_readable(void *arg)
{
    struct msg_sock *sock = arg;
    // Accepted within a deferred call, the first bytes may overtake the news that it is open.
    if (sock->opened.next != NULL) {
        loop_deferred_cancel(&sock->opened);
        on_opened(sock);
        if (!sock->open)
            return;
    }
    if (!in_reserve(sock)) {
        end(sock, MSG_SOCK_NO_MEMORY);
        return;
    }
    ssize_t got = stream_read(&sock->stream, sock->in + sock->in_end, sock->in_size - sock->in_end);
    if (got > 0) {
        sock->in_end += (size_t)got;
        (void)deliver(sock);
    } else if (got == ERR_CLOSED) {
        end(sock, in_len(sock) > 0 ? MSG_SOCK_TRUNCATED : MSG_SOCK_PEER_CLOSED);
    } else if (got != ERR_AGAIN) {
        end(sock, MSG_SOCK_RESET);
    }
}

static void on_go_on(void *arg)
{
    struct msg_sock *sock = arg;
    if (sock->paused)
        return;
    stream_pause(&sock->stream, false);
    (void)deliver(sock);
}

void msg_sock_pause(struct msg_sock *sock, bool paused)
{
    if (sock->paused == paused)
        return;
    sock->paused = paused;
    if (!sock->open)
        return;
    if (paused) {
        loop_timer_disarm(&sock->go_on);
        stream_pause(&sock->stream, true);
    } else {
        // Not from within this call, for the caller may be in the midst of something.
        loop_timer_arm_ms(&sock->go_on, 0);
    }
}

// ---- Sending -------------------------------------------------------------------------------------------------------

static void on_broken(void *arg)
{
    end(arg, MSG_SOCK_RESET);
}

static void on_drained(void *arg)
{
    struct msg_sock *sock = arg;
    bool tell = sock->was_full && sock->handlers.on_drained != NULL;
    sock->was_full = false;
    if (tell)
        sock->handlers.on_drained(sock->arg);
}

int msg_sock_send(struct msg_sock *sock, const void *data, size_t len)
{
    if (!sock->open)
        return ERR_CLOSED;
    if (len > sock->limits.max_len)
        return ERR_RANGE;
    size_t pending = stream_pending(&sock->stream);
    if (pending > sock->limits.high_water || MSG_SOCK_HEAD_LEN + len > sock->limits.high_water - pending) {
        sock->was_full = true;
        return ERR_FULL;
    }
    // In one piece, so that it is queued whole or not at all.
    struct evbuffer_iovec room;
    if (evbuffer_reserve_space(sock->stream.out, (ev_ssize_t)(MSG_SOCK_HEAD_LEN + len), &room, 1) != 1)
        return ERR_NOMEM;
    uint8_t *at = room.iov_base;
    for (unsigned i = 0; i < MSG_SOCK_HEAD_LEN; i++)
        at[i] = (uint8_t)(len >> (24 - 8 * i) & 0xff);
    if (len > 0)
        memcpy(at + MSG_SOCK_HEAD_LEN, data, len);
    room.iov_len = MSG_SOCK_HEAD_LEN + len;
    if (evbuffer_commit_space(sock->stream.out, &room, 1) != 0)
        return ERR_NOMEM;
    stream_send(&sock->stream);
    return 0;
}

size_t msg_sock_pending(const struct msg_sock *sock)
{
    return stream_pending(&sock->stream);
}

bool msg_sock_is_open(const struct msg_sock *sock)
{
    return sock->open;
}

// ---- Beginning -----------------------------------------------------------------------------------------------------

static int begin(struct msg_sock *sock, int fd)
{
    int err = stream_open(&sock->stream, fd);
    if (err != 0)
        return err;
    sock_tune(fd, sock->limits.user_timeout_ms);
    if (sock->paused)
        stream_pause(&sock->stream, true);
    sock->open = true;
    return 0;
}

static void on_dialled(void *arg, int fd, const char *why)
{
    struct msg_sock *sock = arg;
    (void)why;
    if (fd < 0) {
        end(sock, MSG_SOCK_CONNECT_FAILED);
        return;
    }
    if (begin(sock, fd) != 0) {
        close(fd);
        end(sock, MSG_SOCK_NO_MEMORY);
        return;
    }
    on_opened(sock);
}

static struct msg_sock *msg_sock_new(struct loop *loop, const struct msg_sock_limits *limits,
                                     const struct msg_sock_handlers *handlers, void *arg)
{
    static const struct stream_handlers stream_handlers = {on_readable, on_broken, on_drained};
    struct msg_sock *sock = calloc(1, sizeof *sock);
    if (sock == NULL)
        return NULL;
    sock->loop = loop;
    sock->limits = *limits;
    sock->handlers = *handlers;
    sock->arg = arg;
    if (sock->limits.max_in == 0)
        sock->limits.max_in = limits->max_len;
    if (sock->limits.messages_per_turn == 0)
        sock->limits.messages_per_turn = MESSAGES_PER_TURN;
    if (sock->limits.connect_timeout_ms == 0)
        sock->limits.connect_timeout_ms = CONNECT_TIMEOUT_MS;
    dial_init(&sock->dial, loop, on_dialled, sock);
    stream_init(&sock->stream, loop, &stream_handlers, sock);
    loop_deferred_init(&sock->opened, on_opened, sock);
    loop_deferred_init(&sock->release, on_release, sock);
    loop_timer_init(&sock->go_on, loop, on_go_on, sock);
    return sock;
}

int msg_sock_accept(struct msg_sock **out, struct loop *loop, int fd, const struct msg_sock_limits *limits,
                    const struct msg_sock_handlers *handlers, void *arg)
{
    struct msg_sock *sock = msg_sock_new(loop, limits, handlers, arg);
    if (sock == NULL)
        return ERR_NOMEM;
    int err = begin(sock, fd);
    if (err != 0) {
        free(sock);
        return err;
    }
    loop_defer(loop, &sock->opened);
    *out = sock;
    return 0;
}

int msg_sock_connect(struct msg_sock **out, struct loop *loop, const char *address,
                     const struct msg_sock_limits *limits, const struct msg_sock_handlers *handlers, void *arg)
{
    struct msg_sock *sock = msg_sock_new(loop, limits, handlers, arg);
    if (sock == NULL)
        return ERR_NOMEM;
    int err = dial_start(&sock->dial, address, sock->limits.connect_timeout_ms);
    if (err != 0) {
        free(sock);
        return err;
    }
    *out = sock;
    return 0;
}
