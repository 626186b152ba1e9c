#include "tests/tools/load_frame.h"

#include <string.h>

static ssize_t on_read(uint8_t *to, size_t len, int flags, void *arg)
{
    (void)flags;
    struct load_framer *framer = arg;
    size_t left = framer->len - framer->fed;
    size_t n = left < len ? left : len;
    if (n == 0)
        return -1; // WANT_READ to our caller
    memcpy(to, framer->data + framer->fed, n);
    framer->fed += n;
    return (ssize_t)n;
}

static ssize_t on_write(const uint8_t *data, size_t len, int flags, void *arg)
{
    (void)flags;
    struct load_framer *framer = arg;
    memcpy(framer->to + framer->written, data, len);
    framer->written += len;
    return (ssize_t)len;
}

// Masks protect proxies from scripts of strangers. There are neither here, so a fast generator does.
static int on_mask(uint8_t *to, size_t len, void *arg)
{
    struct load_framer *framer = arg;
    uint64_t x = framer->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    framer->random = x;
    memcpy(to, &x, len < sizeof x ? len : sizeof x);
    return 0;
}

static int open_context(wslay_frame_context_ptr *context, struct load_framer *framer)
{
    const struct wslay_frame_callbacks callbacks = {on_write, on_read, on_mask};
    return wslay_frame_context_init(context, &callbacks, framer) == 0 ? 0 : ERR_NOMEM;
}

int load_framer_init(struct load_framer *framer, uint64_t seed)
{
    *framer = (struct load_framer){.random = seed | 1};
    if (open_context(&framer->reader, framer) != 0)
        return ERR_NOMEM;
    if (open_context(&framer->writer, framer) == 0)
        return 0;
    wslay_frame_context_free(framer->reader);
    return ERR_NOMEM;
}

void load_framer_fini(struct load_framer *framer)
{
    if (framer->reader != NULL)
        wslay_frame_context_free(framer->reader);
    if (framer->writer != NULL)
        wslay_frame_context_free(framer->writer);
    *framer = (struct load_framer){0};
}

size_t load_framer_put(struct load_framer *framer, uint8_t *to, uint8_t opcode, const uint8_t *payload, size_t len)
{
    struct wslay_frame_iocb io = {
        .fin = 1, .opcode = opcode, .mask = 1, .payload_length = len, .data = payload, .data_length = len};
    framer->to = to;
    framer->written = 0;
    while (len > 0) {
        ssize_t sent = wslay_frame_send(framer->writer, &io);
        if (sent <= 0)
            return framer->written; // cannot be: on_write takes everything
        io.data += sent;
        io.data_length -= (size_t)sent;
        len -= (size_t)sent;
    }
    if (io.payload_length == 0)
        (void)wslay_frame_send(framer->writer, &io);
    return framer->written;
}

void load_framer_begin(struct load_framer *framer, const uint8_t *data, size_t len)
{
    framer->data = data;
    framer->len = len;
    framer->fed = 0;
    framer->done = 0;
    framer->inside = false;
}

// Of a frame that nobody masked.
static size_t head_len(uint64_t payload_len)
{
    return payload_len < 126 ? 2 : payload_len <= UINT16_MAX ? 4 : 10;
}

int load_framer_next(struct load_framer *framer, struct load_frame *out)
{
    uint64_t got = 0;
    for (;;) {
        struct wslay_frame_iocb io = {0};
        ssize_t n = wslay_frame_recv(framer->reader, &io);
        if (n == WSLAY_ERR_WANT_READ)
            return 0;
        framer->inside = true;
        if (n < 0 || io.mask || io.rsv != 0 || !io.fin || io.opcode == WSLAY_CONTINUATION_FRAME ||
            io.payload_length > LOAD_FRAME_MAX)
            return ERR_MALFORMED;
        got += (uint64_t)n;
        if (got < io.payload_length)
            continue;
        framer->inside = false;
        size_t head = head_len(io.payload_length);
        *out = (struct load_frame){io.opcode, framer->data + framer->done + head, (size_t)io.payload_length};
        framer->done += head + (size_t)io.payload_length;
        return 1;
    }
}

int load_framer_end(struct load_framer *framer, size_t *used)
{
    *used = framer->done;
    if (framer->fed == framer->done && !framer->inside)
        return 0;
    // It has swallowed the beginning of a frame, which will come again: start with an empty one.
    wslay_frame_context_free(framer->reader);
    framer->reader = NULL;
    return open_context(&framer->reader, framer);
}
