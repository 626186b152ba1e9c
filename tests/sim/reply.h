// Replies of the Redis in memory, as hiredis has them. All of one answer lie in one arena.
#pragma once

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

struct reply_chunk;

// Zeroed memory is an empty arena.
struct reply_arena {
    struct reply_chunk *chunks;
};

void reply_arena_free(struct reply_arena *arena);
redisReply *reply_integer(struct reply_arena *arena, int64_t value);
redisReply *reply_bytes(struct reply_arena *arena, const void *data, size_t len);
redisReply *reply_text(struct reply_arena *arena, const char *text);
redisReply *reply_number(struct reply_arena *arena, uint64_t value); // as text
redisReply *reply_nil(struct reply_arena *arena);
redisReply *reply_error(struct reply_arena *arena, const char *text);
// Elements are to be filled in.
redisReply *reply_array(struct reply_arena *arena, size_t count);
