#include "alloc_fail.h"

#include <stdint.h>

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

static unsigned one_in, failed;
static uint64_t state;

void alloc_fail_one_in(unsigned n, unsigned seed)
{
    one_in = n;
    failed = 0;
    state = seed;
}

unsigned alloc_fail_count(void)
{
    return failed;
}

static int fails(void)
{
    if (one_in == 0)
        return 0;
    state = state * 6364136223846793005u + 1442695040888963407u;
    if ((state >> 33) % one_in != 0)
        return 0;
    failed++;
    return 1;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}
