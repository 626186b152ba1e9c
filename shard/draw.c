#include "shard/draw.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_DRAWS 1024u

struct draw_chunk {
    struct draw_chunk *next;
    struct draw draws[CHUNK_DRAWS];
};

void draw_push(struct draw_list *list, struct draw *draw)
{
    draw->next = NULL;
    if (list->last != NULL)
        list->last->next = draw;
    else
        list->first = draw;
    list->last = draw;
    list->count++;
}

struct draw *draw_pop(struct draw_list *list)
{
    struct draw *draw = list->first;
    if (draw == NULL)
        return NULL;
    list->first = draw->next;
    if (list->first == NULL)
        list->last = NULL;
    list->count--;
    draw->next = NULL;
    return draw;
}

void draw_append(struct draw_list *list, struct draw_list *from)
{
    if (from->first == NULL)
        return;
    if (list->last != NULL)
        list->last->next = from->first;
    else
        list->first = from->first;
    list->last = from->last;
    list->count += from->count;
    *from = (struct draw_list){0};
}

void draw_prepend(struct draw_list *list, struct draw_list *from)
{
    struct draw_list behind = *list;
    *list = *from;
    *from = (struct draw_list){0};
    draw_append(list, &behind);
}

static bool grow(struct draw_pool *pool)
{
    if (pool->made >= pool->max)
        return false;
    struct draw_chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL)
        return false;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (uint32_t i = 0; i < CHUNK_DRAWS && pool->made < pool->max; i++) {
        chunk->draws[i].next = pool->spare;
        pool->spare = &chunk->draws[i];
        pool->made++;
    }
    return true;
}

struct draw *draw_new(struct draw_pool *pool)
{
    if (pool->spare == NULL && !grow(pool))
        return NULL;
    struct draw *draw = pool->spare;
    pool->spare = draw->next;
    pool->used++;
    memset(draw, 0, sizeof *draw);
    return draw;
}

void draw_release(struct draw_pool *pool, struct draw *draw)
{
    draw->next = pool->spare;
    pool->spare = draw;
    pool->used--;
}

void draw_pool_fini(struct draw_pool *pool)
{
    struct draw_chunk *chunk = pool->chunks;
    while (chunk != NULL) {
        struct draw_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    *pool = (struct draw_pool){.max = pool->max};
}
