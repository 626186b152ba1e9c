#include "common/core/bytes.h"

#include <string.h>

// ---- Single values -------------------------------------------------------------------------------------------------

uint16_t bytes_get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t bytes_get_u32(const uint8_t *at)
{
    return (uint32_t)bytes_get_u16(at) | (uint32_t)bytes_get_u16(at + 2) << 16;
}

uint64_t bytes_get_u64(const uint8_t *at)
{
    return (uint64_t)bytes_get_u32(at) | (uint64_t)bytes_get_u32(at + 4) << 32;
}

void bytes_set_u16(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value & 0xff);
    at[1] = (uint8_t)(value >> 8);
}

void bytes_set_u32(uint8_t *at, uint32_t value)
{
    bytes_set_u16(at, (uint16_t)(value & 0xffff));
    bytes_set_u16(at + 2, (uint16_t)(value >> 16));
}

void bytes_set_u64(uint8_t *at, uint64_t value)
{
    bytes_set_u32(at, (uint32_t)(value & 0xffffffff));
    bytes_set_u32(at + 4, (uint32_t)(value >> 32));
}

// ---- Reading -------------------------------------------------------------------------------------------------------

// Stands in for the caller's NULL, as arithmetic on NULL is undefined.
static const uint8_t nothing[1];

void bytes_reader_init(struct bytes_reader *reader, const void *data, size_t len)
{
    reader->at = data != NULL ? data : nothing;
    reader->end = reader->at + (data != NULL ? len : 0);
    reader->bad = false;
}

const uint8_t *bytes_take(struct bytes_reader *reader, size_t len)
{
    if (reader->bad || (size_t)(reader->end - reader->at) < len) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *taken = reader->at;
    reader->at += len;
    return taken;
}

uint8_t bytes_u8(struct bytes_reader *reader)
{
    const uint8_t *at = bytes_take(reader, 1);
    return at != NULL ? at[0] : 0;
}

uint16_t bytes_u16(struct bytes_reader *reader)
{
    const uint8_t *at = bytes_take(reader, 2);
    return at != NULL ? bytes_get_u16(at) : 0;
}

uint32_t bytes_u32(struct bytes_reader *reader)
{
    const uint8_t *at = bytes_take(reader, 4);
    return at != NULL ? bytes_get_u32(at) : 0;
}

uint64_t bytes_u64(struct bytes_reader *reader)
{
    const uint8_t *at = bytes_take(reader, 8);
    return at != NULL ? bytes_get_u64(at) : 0;
}

size_t bytes_left(const struct bytes_reader *reader)
{
    return reader->bad ? 0 : (size_t)(reader->end - reader->at);
}

bool bytes_ok(const struct bytes_reader *reader)
{
    return !reader->bad;
}

bool bytes_done(const struct bytes_reader *reader)
{
    return !reader->bad && reader->at == reader->end;
}

// ---- Writing -------------------------------------------------------------------------------------------------------

void bytes_writer_init(struct bytes_writer *writer, void *data, size_t capacity)
{
    writer->start = data;
    writer->at = data;
    writer->end = capacity != 0 ? writer->start + capacity : writer->start;
    writer->bad = false;
}

uint8_t *bytes_reserve(struct bytes_writer *writer, size_t len)
{
    if (writer->bad || (size_t)(writer->end - writer->at) < len) {
        writer->bad = true;
        return NULL;
    }
    uint8_t *at = writer->at;
    if (len != 0)
        writer->at += len;
    return at;
}

void bytes_put_u8(struct bytes_writer *writer, uint8_t value)
{
    uint8_t *at = bytes_reserve(writer, 1);
    if (at != NULL)
        at[0] = value;
}

void bytes_put_u16(struct bytes_writer *writer, uint16_t value)
{
    uint8_t *at = bytes_reserve(writer, 2);
    if (at != NULL)
        bytes_set_u16(at, value);
}

void bytes_put_u32(struct bytes_writer *writer, uint32_t value)
{
    uint8_t *at = bytes_reserve(writer, 4);
    if (at != NULL)
        bytes_set_u32(at, value);
}

void bytes_put_u64(struct bytes_writer *writer, uint64_t value)
{
    uint8_t *at = bytes_reserve(writer, 8);
    if (at != NULL)
        bytes_set_u64(at, value);
}

void bytes_put(struct bytes_writer *writer, const void *data, size_t len)
{
    uint8_t *at = bytes_reserve(writer, len);
    if (at != NULL && len != 0)
        memcpy(at, data, len);
}

size_t bytes_written(const struct bytes_writer *writer)
{
    return (size_t)(writer->at - writer->start);
}

bool bytes_fits(const struct bytes_writer *writer)
{
    return !writer->bad;
}
