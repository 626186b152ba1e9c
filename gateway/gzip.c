#include "gateway/gzip.h"

#include <stdbool.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#define GZIP_WINDOW (MAX_WBITS + 16) // zlib's way of saying gzip

struct shared_buf *gzip_fast(const struct shared_buf *raw)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong bound = deflateBound(&stream, raw->len);
    struct shared_buf *buf = shared_buf_new(bound);
    if (buf != NULL) {
        stream.next_in = raw->bytes;
        stream.avail_in = (uInt)raw->len;
        stream.next_out = buf->bytes;
        stream.avail_out = (uInt)bound;
        bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        buf->len = stream.total_out;
        struct shared_buf *exact = done ? realloc(buf, sizeof *buf + buf->len) : NULL;
        if (!done)
            shared_buf_unref(buf);
        buf = !done ? NULL : exact != NULL ? exact : buf;
    }
    deflateEnd(&stream);
    return buf;
}
