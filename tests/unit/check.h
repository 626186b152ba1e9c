// What several unit tests need: cmocka with its prerequisites, and memory that ends at an unreadable page.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHECK_GUARD_LEN 65536

// A copy of `len` bytes (at most CHECK_GUARD_LEN) that ends where reading on crashes. One at a time.
static inline void *check_guarded(const void *data, size_t len)
{
    static uint8_t *area;
    if (area == NULL) {
        area = mmap(NULL, CHECK_GUARD_LEN + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(area, MAP_FAILED);
        assert_int_equal(mprotect(area + CHECK_GUARD_LEN, 4096, PROT_NONE), 0);
    }
    uint8_t *at = area + CHECK_GUARD_LEN - len;
    if (len > 0)
        memcpy(at, data, len);
    return at;
}
