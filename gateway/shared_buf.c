#include "gateway/shared_buf.h"

#include <stdlib.h>

struct shared_buf *shared_buf_new(size_t len)
{
    if (len > SIZE_MAX - sizeof(struct shared_buf))
        return NULL;
    struct shared_buf *buf = malloc(sizeof *buf + len);
    if (buf == NULL)
        return NULL;
    buf->refs = 1;
    buf->answers = 0;
    buf->len = len;
    return buf;
}

struct shared_buf *shared_buf_ref(struct shared_buf *buf)
{
    buf->refs++;
    return buf;
}

void shared_buf_unref(struct shared_buf *buf)
{
    if (buf != NULL && --buf->refs == 0)
        free(buf);
}
