#include "gateway/outbox.h"

#include <stdlib.h>
#include <string.h>

struct outbox_block {
    struct outbox_block *next;
};

_Static_assert(sizeof(struct outbox_block) <= OUTBOX_BLOCK, "a block can be in the list");

void outbox_pool_fini(struct outbox_pool *pool)
{
    struct outbox_block *next;
    for (struct outbox_block *block = pool->idle; block != NULL; block = next) {
        next = block->next;
        free(block);
    }
    *pool = (struct outbox_pool){0};
}

static uint8_t *take_memory(struct outbox_pool *pool, size_t capacity)
{
    struct outbox_block *block = pool->idle;
    if (capacity != OUTBOX_BLOCK || block == NULL)
        return malloc(capacity);
    pool->idle = block->next;
    pool->count--;
    return (uint8_t *)block;
}

static void give_memory(struct outbox_pool *pool, uint8_t *bytes, size_t capacity)
{
    struct outbox_block *block = (struct outbox_block *)(void *)bytes;
    if (capacity != OUTBOX_BLOCK || pool->count == OUTBOX_POOL_MAX) {
        free(bytes);
        return;
    }
    block->next = pool->idle;
    pool->idle = block;
    pool->count++;
}

static int make_room(struct outbox *outbox, struct outbox_pool *pool, size_t more, size_t max)
{
    size_t need = outbox->len + more;
    if (more > max || need > max)
        return ERR_FULL;
    if (outbox->at + need <= outbox->capacity)
        return 0;
    if (outbox->at > 0 && outbox->len > 0)
        memmove(outbox->bytes, outbox->bytes + outbox->at, outbox->len);
    outbox->at = 0;
    if (need <= outbox->capacity)
        return 0;
    size_t capacity = outbox->capacity > 0 ? outbox->capacity : OUTBOX_BLOCK;
    while (capacity < need)
        capacity *= 2;
    uint8_t *bytes = take_memory(pool, capacity);
    if (bytes == NULL)
        return ERR_NOMEM;
    if (outbox->len > 0)
        memcpy(bytes, outbox->bytes, outbox->len);
    if (outbox->bytes != NULL)
        give_memory(pool, outbox->bytes, outbox->capacity);
    outbox->bytes = bytes;
    outbox->capacity = (uint16_t)capacity;
    return 0;
}

static void append(struct outbox *outbox, const void *data, size_t len)
{
    if (len > 0)
        memcpy(outbox->bytes + outbox->at + outbox->len, data, len);
    outbox->len = (uint16_t)(outbox->len + len);
}

int outbox_put(struct outbox *outbox, struct outbox_pool *pool, const void *head, size_t head_len, const void *data,
               size_t len)
{
    if (len > OUTBOX_MAX || head_len > OUTBOX_MAX)
        return ERR_FULL;
    int err = make_room(outbox, pool, head_len + len, OUTBOX_MAX);
    if (err != 0)
        return err;
    append(outbox, head, head_len);
    append(outbox, data, len);
    return 0;
}

int outbox_put_last(struct outbox *outbox, struct outbox_pool *pool, const void *data, size_t len)
{
    int err = make_room(outbox, pool, len, OUTBOX_MAX + OUTBOX_LAST_MAX);
    if (err == 0)
        append(outbox, data, len);
    return err;
}

const uint8_t *outbox_data(const struct outbox *outbox)
{
    return outbox->bytes + outbox->at;
}

void outbox_eat(struct outbox *outbox, struct outbox_pool *pool, size_t n)
{
    outbox->at = (uint16_t)(outbox->at + n);
    outbox->len = (uint16_t)(outbox->len - n);
    if (outbox->len == 0)
        outbox_fini(outbox, pool);
}

void outbox_fini(struct outbox *outbox, struct outbox_pool *pool)
{
    if (outbox->bytes != NULL)
        give_memory(pool, outbox->bytes, outbox->capacity);
    *outbox = (struct outbox){0};
}
