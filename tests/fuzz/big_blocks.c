// calloc and free of a program's few large blocks (--wrap): each is kept for the next run, as getting its pages from
// the system anew takes longer than all the rest of a run. What was freed may not be touched, as elsewhere.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "tests/fuzz/fuzz.h"

#define LARGE (256u << 10)
#define BLOCKS_MAX 8

static struct {
    void *at;
    size_t size;
    bool used;
} blocks[BLOCKS_MAX];

void *__real_calloc(size_t count, size_t size);
void __real_free(void *at);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *at);

void *__wrap_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes < LARGE)
        return __real_calloc(count, size);
    unsigned i = 0;
    while (i < BLOCKS_MAX && blocks[i].at != NULL && (blocks[i].used || blocks[i].size != bytes))
        i++;
    if (i == BLOCKS_MAX)
        return __real_calloc(count, size);
    if (blocks[i].at == NULL) {
        blocks[i].at = malloc(bytes);
        blocks[i].size = bytes;
    }
    blocks[i].used = true;
    ASAN_UNPOISON_MEMORY_REGION(blocks[i].at, bytes);
    return blocks[i].at != NULL ? memset(blocks[i].at, 0, bytes) : NULL;
}

void __wrap_free(void *at)
{
    for (unsigned i = 0; i < BLOCKS_MAX && at != NULL; i++)
        if (blocks[i].at == at) {
            FUZZ_CHECK(blocks[i].used);
            blocks[i].used = false;
            ASAN_POISON_MEMORY_REGION(at, blocks[i].size);
            return;
        }
    __real_free(at);
}

unsigned fuzz_large_blocks(void)
{
    unsigned used = 0;
    for (unsigned i = 0; i < BLOCKS_MAX; i++)
        used += blocks[i].used;
    return used;
}
