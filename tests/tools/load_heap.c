#include "tests/tools/load_heap.h"

#include <assert.h>
#include <stdlib.h>

int load_heap_init(struct load_heap *heap, uint32_t capacity)
{
    *heap = (struct load_heap){.items = calloc(capacity, sizeof(struct load_timer *)), .capacity = capacity};
    return heap->items != NULL ? 0 : ERR_NOMEM;
}

void load_heap_fini(struct load_heap *heap)
{
    free(heap->items);
    *heap = (struct load_heap){0};
}

static void put(struct load_heap *heap, uint32_t index, struct load_timer *timer)
{
    heap->items[index] = timer;
    timer->place = index + 1;
}

static void sift_up(struct load_heap *heap, uint32_t index)
{
    struct load_timer *timer = heap->items[index];
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!monotime_before(timer->due, heap->items[parent]->due))
            break;
        put(heap, index, heap->items[parent]);
        index = parent;
    }
    put(heap, index, timer);
}

static void sift_down(struct load_heap *heap, uint32_t index)
{
    struct load_timer *timer = heap->items[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= heap->count)
            break;
        if (child + 1 < heap->count && monotime_before(heap->items[child + 1]->due, heap->items[child]->due))
            child++;
        if (!monotime_before(heap->items[child]->due, timer->due))
            break;
        put(heap, index, heap->items[child]);
        index = child;
    }
    put(heap, index, timer);
}

void load_heap_set(struct load_heap *heap, struct load_timer *timer, struct monotime due)
{
    timer->due = due;
    if (timer->place == 0) {
        assert(heap->count < heap->capacity);
        put(heap, heap->count++, timer);
    }
    sift_up(heap, timer->place - 1);
    sift_down(heap, timer->place - 1);
}

void load_heap_clear(struct load_heap *heap, struct load_timer *timer)
{
    if (timer->place == 0)
        return;
    uint32_t index = timer->place - 1;
    struct load_timer *last = heap->items[--heap->count];
    timer->place = 0;
    if (last == timer)
        return;
    put(heap, index, last);
    sift_up(heap, index);
    sift_down(heap, last->place - 1);
}

struct load_timer *load_heap_first(const struct load_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}
