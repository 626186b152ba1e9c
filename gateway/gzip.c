#include "gateway/gzip.h"

#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "common/core/bytes.h"

#define GZIP_WINDOW (MAX_WBITS + 16) // zlib's way of saying gzip
#define BARE_WINDOW (-MAX_WBITS)     // and nothing around the blocks
#define FLUSH_MAX 16u                // what a flush puts behind

// `flush`: Z_FINISH, or Z_FULL_FLUSH when more blocks follow.
static struct shared_buf *pack(const void *data, size_t len, int level, int window, int flush)
{
    z_stream stream = {0};
    if (deflateInit2(&stream, level, Z_DEFLATED, window, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return NULL;
    uLong bound = deflateBound(&stream, len) + FLUSH_MAX;
    struct shared_buf *buf = shared_buf_new(bound);
    if (buf != NULL) {
        stream.next_in = data;
        stream.avail_in = (uInt)len;
        stream.next_out = buf->bytes;
        stream.avail_out = (uInt)bound;
        bool done = deflate(&stream, flush) == (flush == Z_FINISH ? Z_STREAM_END : Z_OK) && stream.avail_out > 0;
        buf->len = stream.total_out;
        struct shared_buf *exact = done ? realloc(buf, sizeof *buf + buf->len) : NULL;
        if (!done)
            shared_buf_unref(buf);
        buf = !done ? NULL : exact != NULL ? exact : buf;
    }
    deflateEnd(&stream);
    return buf;
}

struct shared_buf *gzip_fast(const struct shared_buf *raw)
{
    return pack(raw->bytes, raw->len, Z_BEST_SPEED, GZIP_WINDOW, Z_FINISH);
}

// ---- In parts -------------------------------------------------------------------------------------------------------

// RFC 1952, 2.3: no name, no time, an unknown system.
static const uint8_t head[10] = {0x1f, 0x8b, Z_DEFLATED, 0, 0, 0, 0, 0, 0, 0xff};
#define TAIL_LEN 8u   // CRC-32 and length of what was packed
#define STORED_LEN 5u // of the head of a block that is not packed

int gzip_part_make(struct gzip_part *part, const void *data, size_t len, bool last)
{
    struct shared_buf *blocks = pack(data, len, Z_BEST_COMPRESSION, BARE_WINDOW, last ? Z_FINISH : Z_FULL_FLUSH);
    if (blocks == NULL)
        return ERR_NOMEM;
    *part = (struct gzip_part){blocks, len, (uint32_t)crc32_z(0, data, len)};
    return 0;
}

void gzip_part_fini(struct gzip_part *part)
{
    shared_buf_unref(part->blocks);
    *part = (struct gzip_part){0};
}

static uint8_t *put(uint8_t *to, const void *data, size_t len)
{
    memcpy(to, data, len);
    return to + len;
}

struct shared_buf *gzip_join(const struct gzip_part *first, const void *between, size_t len,
                             const struct gzip_part *last)
{
    struct shared_buf *buf =
        shared_buf_new(sizeof head + first->blocks->len + STORED_LEN + len + last->blocks->len + TAIL_LEN);
    if (buf == NULL)
        return NULL;
    uLong crc = crc32_combine(first->crc, crc32_z(0, between, len), (z_off_t)len);
    uint8_t *at = put(buf->bytes, head, sizeof head);
    at = put(at, first->blocks->bytes, first->blocks->len);
    at[0] = 0; // not the last block, not packed
    bytes_set_u16(at + 1, (uint16_t)len);
    bytes_set_u16(at + 3, (uint16_t)~len);
    at = put(at + STORED_LEN, between, len);
    at = put(at, last->blocks->bytes, last->blocks->len);
    bytes_set_u32(at, (uint32_t)crc32_combine(crc, last->crc, (z_off_t)last->raw_len));
    bytes_set_u32(at + 4, (uint32_t)(first->raw_len + len + last->raw_len));
    return buf;
}
