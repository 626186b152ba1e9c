#include "common/io/redis_format.h"

#include <event2/buffer.h>
#include <stdint.h>
#include <string.h>

static size_t digits(size_t value)
{
    size_t count = 1;
    while (value >= 10) {
        value /= 10;
        count++;
    }
    return count;
}

static size_t total(const struct redis_args *runs, size_t run_count)
{
    size_t count = 0;
    for (size_t i = 0; i < run_count; i++)
        count += runs[i].count;
    return count;
}

size_t redis_format_len(const struct redis_args *runs, size_t run_count)
{
    size_t len = 1 + digits(total(runs, run_count)) + 2;
    for (size_t i = 0; i < run_count; i++) {
        for (size_t k = 0; k < runs[i].count; k++)
            len += 1 + digits(runs[i].items[k].len) + 2 + runs[i].items[k].len + 2;
    }
    return len;
}

// `*3\r\n` and `$5\r\n`
static uint8_t *put_head(uint8_t *at, char kind, size_t value)
{
    size_t len = digits(value);
    *at++ = (uint8_t)kind;
    for (size_t i = len; i > 0; i--) {
        at[i - 1] = (uint8_t)('0' + value % 10);
        value /= 10;
    }
    at += len;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static uint8_t *put_arg(uint8_t *at, const struct redis_arg *arg)
{
    at = put_head(at, '$', arg->len);
    if (arg->len > 0)
        memcpy(at, arg->data, arg->len);
    at += arg->len;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

int redis_format(struct evbuffer *out, const struct redis_args *runs, size_t run_count)
{
    size_t len = redis_format_len(runs, run_count);
    struct evbuffer_iovec room;
    if (evbuffer_reserve_space(out, (ev_ssize_t)len, &room, 1) != 1)
        return ERR_NOMEM;
    uint8_t *at = put_head(room.iov_base, '*', total(runs, run_count));
    for (size_t i = 0; i < run_count; i++) {
        for (size_t k = 0; k < runs[i].count; k++)
            at = put_arg(at, &runs[i].items[k]);
    }
    room.iov_len = len;
    return evbuffer_commit_space(out, &room, 1) == 0 ? 0 : ERR_NOMEM;
}
