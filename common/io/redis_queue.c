#include "common/io/redis_queue.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MIN 64

void redis_queue_fini(struct redis_queue *queue)
{
    free(queue->items);
    *queue = (struct redis_queue){0};
}

int redis_queue_reserve(struct redis_queue *queue)
{
    if (queue->count < queue->size)
        return 0;
    size_t size = queue->size == 0 ? SIZE_MIN : queue->size * 2;
    struct redis_pending *items = calloc(size, sizeof *items);
    if (items == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < queue->count; i++)
        items[i] = queue->items[(queue->start + i) & (queue->size - 1)];
    free(queue->items);
    queue->items = items;
    queue->size = size;
    queue->start = 0;
    return 0;
}

void redis_queue_push(struct redis_queue *queue, struct redis_pending pending)
{
    queue->items[(queue->start + queue->count) & (queue->size - 1)] = pending;
    queue->count++;
}

bool redis_queue_pop(struct redis_queue *queue, struct redis_pending *pending)
{
    if (queue->count == 0)
        return false;
    *pending = queue->items[queue->start];
    queue->start = (queue->start + 1) & (queue->size - 1);
    queue->count--;
    return true;
}

const struct redis_pending *redis_queue_oldest(const struct redis_queue *queue)
{
    return queue->count > 0 ? &queue->items[queue->start] : NULL;
}
