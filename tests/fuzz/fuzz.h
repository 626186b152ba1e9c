// What the fuzz targets share (tests/fuzz/fuzz.mk): the input, eaten from its front, and what ends a run.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What must always hold. Says what did not, and aborts: libFuzzer keeps the input.
#define FUZZ_CHECK(condition_)                                                                                         \
    do {                                                                                                               \
        if (!(condition_))                                                                                             \
            fuzz_broken(__FILE__, __LINE__, #condition_);                                                              \
    } while (0)

_Noreturn void fuzz_broken(const char *file, int line, const char *condition);

// An input as a script: a target takes from it what it does next, and with what. At its end all is 0 and empty.
struct fuzz_in {
    const uint8_t *at, *end;
};

static inline struct fuzz_in fuzz_begin(const uint8_t *data, size_t size)
{
    return (struct fuzz_in){data, data + size};
}

static inline bool fuzz_more(const struct fuzz_in *in)
{
    return in->at < in->end;
}

uint8_t fuzz_u8(struct fuzz_in *in);
uint16_t fuzz_u16(struct fuzz_in *in);
uint32_t fuzz_u32(struct fuzz_in *in);
uint64_t fuzz_u64(struct fuzz_in *in);
// One of 0 … below - 1.
uint32_t fuzz_below(struct fuzz_in *in, uint32_t below);
// At most `most` bytes, in place.
const uint8_t *fuzz_take(struct fuzz_in *in, size_t most, size_t *len);

// A copy that ends where its memory does, so that reading on is seen. To be freed; never NULL.
void *fuzz_copy(const void *data, size_t len);

// Bytes of the heap that are in use.
size_t fuzz_heap(void);

// Of programs that are linked with big_blocks.c: how many of their large blocks are in use.
unsigned fuzz_large_blocks(void);
