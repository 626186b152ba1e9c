#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/allocator_interface.h>

void fuzz_broken(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, condition);
    abort();
}

uint8_t fuzz_u8(struct fuzz_in *in)
{
    return fuzz_more(in) ? *in->at++ : 0;
}

uint16_t fuzz_u16(struct fuzz_in *in)
{
    uint16_t low = fuzz_u8(in);
    return (uint16_t)(low | fuzz_u8(in) << 8);
}

uint32_t fuzz_u32(struct fuzz_in *in)
{
    uint32_t low = fuzz_u16(in);
    return low | (uint32_t)fuzz_u16(in) << 16;
}

uint64_t fuzz_u64(struct fuzz_in *in)
{
    uint64_t low = fuzz_u32(in);
    return low | (uint64_t)fuzz_u32(in) << 32;
}

uint32_t fuzz_below(struct fuzz_in *in, uint32_t below)
{
    return (below <= 256 ? fuzz_u8(in) : fuzz_u32(in)) % below;
}

const uint8_t *fuzz_take(struct fuzz_in *in, size_t most, size_t *len)
{
    const uint8_t *at = in->at;
    size_t left = (size_t)(in->end - in->at);
    *len = most < left ? most : left;
    in->at += *len;
    return at;
}

void *fuzz_copy(const void *data, size_t len)
{
    void *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

size_t fuzz_heap(void)
{
    return __sanitizer_get_current_allocated_bytes();
}
