// Moments to wake things at: a binary heap, as each of thousands of connections may wait for one of its own.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/monotime.h"

// Embedded in what waits; zero it first.
struct load_timer {
    struct monotime due;
    uint32_t place; // 1 + index in the heap; 0 = not waiting
};

struct load_heap {
    struct load_timer **items;
    uint32_t count;
    uint32_t capacity;
};

// Room for `capacity` timers. ERR_NOMEM.
MUST_CHECK int load_heap_init(struct load_heap *heap, uint32_t capacity);
void load_heap_fini(struct load_heap *heap);

// Sets the timer, or moves it. No more timers than the capacity may be in use.
void load_heap_set(struct load_heap *heap, struct load_timer *timer, struct monotime due);
void load_heap_clear(struct load_heap *heap, struct load_timer *timer); // harmless when not set

// The earliest, or NULL.
struct load_timer *load_heap_first(const struct load_heap *heap);
