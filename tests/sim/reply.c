#include "tests/sim/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_LEN 4000u

struct reply_chunk {
    struct reply_chunk *next;
    size_t used, len;
    _Alignas(16) uint8_t bytes[];
};

static void *take(struct reply_arena *arena, size_t len)
{
    len = (len + 15u) & ~(size_t)15u;
    struct reply_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->len - chunk->used < len) {
        size_t size = len > CHUNK_LEN ? len : CHUNK_LEN;
        chunk = malloc(sizeof *chunk + size);
        if (chunk == NULL)
            abort();
        chunk->used = 0;
        chunk->len = size;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *at = chunk->bytes + chunk->used;
    chunk->used += len;
    return at;
}

void reply_arena_free(struct reply_arena *arena)
{
    while (arena->chunks != NULL) {
        struct reply_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        free(chunk);
    }
}

static redisReply *make(struct reply_arena *arena, int type)
{
    redisReply *reply = take(arena, sizeof *reply);
    memset(reply, 0, sizeof *reply);
    reply->type = type;
    return reply;
}

redisReply *reply_integer(struct reply_arena *arena, int64_t value)
{
    redisReply *reply = make(arena, REDIS_REPLY_INTEGER);
    reply->integer = value;
    return reply;
}

redisReply *reply_bytes(struct reply_arena *arena, const void *data, size_t len)
{
    redisReply *reply = make(arena, REDIS_REPLY_STRING);
    reply->str = take(arena, len + 1);
    if (len > 0)
        memcpy(reply->str, data, len);
    reply->str[len] = '\0';
    reply->len = len;
    return reply;
}

redisReply *reply_text(struct reply_arena *arena, const char *text)
{
    return reply_bytes(arena, text, strlen(text));
}

redisReply *reply_number(struct reply_arena *arena, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return reply_bytes(arena, text, (size_t)len);
}

redisReply *reply_nil(struct reply_arena *arena)
{
    return make(arena, REDIS_REPLY_NIL);
}

redisReply *reply_error(struct reply_arena *arena, const char *text)
{
    redisReply *reply = reply_text(arena, text);
    reply->type = REDIS_REPLY_ERROR;
    return reply;
}

redisReply *reply_array(struct reply_arena *arena, size_t count)
{
    redisReply *reply = make(arena, REDIS_REPLY_ARRAY);
    reply->elements = count;
    reply->element = take(arena, count * sizeof reply->element[0] + 1);
    return reply;
}
