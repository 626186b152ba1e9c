// A connected TCP descriptor on the loop: reading when it is readable, and an output queue of which everything that was
// added in one turn leaves in one write at the end of the turn. Embedded in its owner; used by msg_sock and redis_conn.
//
//   owner ── evbuffer_add(stream->out), stream_send ──► out ── end of turn: writev ──► kernel
//                                                         └── kernel full: when writable
//   kernel ── readable ──► on_readable: the owner calls stream_read into memory of its own
//
// Not a bufferevent, since that one reads at most 4 KiB per turn, after an ioctl that asks how much there is, and
// writes a turn later.
#pragma once

#include "common/core/err.h"
#include "common/io/loop.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// In all of them the owner may close the stream, but its memory may go no earlier than at the end of the turn.
struct stream_handlers {
    void (*on_readable)(void *arg);
    void (*on_broken)(void *arg);  // writing failed; reading is not tried any more. The owner still closes
    void (*on_drained)(void *arg); // may be NULL; after a write that left nothing behind
};

struct stream {
    struct loop *loop;
    struct stream_handlers handlers;
    void *arg;
    int fd; // -1 = closed
    bool paused;
    struct event readable;
    struct event writable;
    struct loop_deferred flush;
    struct evbuffer *out; // NULL = closed
};

// A stream that is closed, so that stream_close may be called at any time.
void stream_init(struct stream *stream, struct loop *loop, const struct stream_handlers *handlers, void *arg);

// Takes the descriptor over. ERR_NOMEM: it is still the caller's.
MUST_CHECK int stream_open(struct stream *stream, int fd);

// Reads once. A count above 0, ERR_AGAIN, ERR_CLOSED (end of stream), ERR_IO (reset).
MUST_CHECK ssize_t stream_read(struct stream *stream, void *data, size_t capacity);

// Says that something was added to `out`.
void stream_send(struct stream *stream);

// Bytes not yet handed to the kernel.
size_t stream_pending(const struct stream *stream);

// Stops and resumes on_readable.
void stream_pause(struct stream *stream, bool paused);

// Closes, after one attempt to write what waits if `flush`. Harmless when closed.
void stream_close(struct stream *stream, bool flush);
