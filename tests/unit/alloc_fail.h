// Memory that is short: the program under test is linked with --wrap=malloc, --wrap=calloc and --wrap=realloc
// (ALLOC_FAIL_LDFLAGS in the fragments), and every so often it gets none. Test code that must not fail itself defines
// ALLOC_FAIL_NEVER before it includes this.
#pragma once

#include <stddef.h>
#include <stdlib.h>

// One in `n` allocations fails from now on; 0: none.
void alloc_fail_one_in(unsigned n, unsigned seed);
// How many did.
unsigned alloc_fail_count(void);

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);

#ifdef ALLOC_FAIL_NEVER
#define malloc __real_malloc
#define calloc __real_calloc
#define realloc __real_realloc
#endif
