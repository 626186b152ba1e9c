// Commands in flight, oldest first: a ring that grows as needed, up to its owner's bound.
#pragma once

#include "common/core/err.h"
#include "common/core/monotime.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>

typedef void redis_conn_reply_cb(void *arg, const redisReply *reply);

struct redis_pending {
    redis_conn_reply_cb *on_reply; // may be NULL
    void *arg;
    struct monotime sent;
};

// Zero-initialised memory is an empty queue.
struct redis_queue {
    struct redis_pending *items;
    size_t size; // a power of two, or 0
    size_t start;
    size_t count;
};

// Frees the ring; what is still in it is forgotten.
void redis_queue_fini(struct redis_queue *queue);

// Room for one more, so that the next push cannot fail. ERR_NOMEM.
MUST_CHECK int redis_queue_reserve(struct redis_queue *queue);

void redis_queue_push(struct redis_queue *queue, struct redis_pending pending);

// Takes the oldest; false when there is none.
bool redis_queue_pop(struct redis_queue *queue, struct redis_pending *pending);

// The oldest, or NULL.
const struct redis_pending *redis_queue_oldest(const struct redis_queue *queue);
