// Bytes that wait to be sent to one client: the small messages of a turn, or what a full socket did not take. Bounded;
// it has memory only while it holds something: a block of a pool that all share, so that an answer costs no allocation,
// or, when that is too small, its own. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"

#define OUTBOX_MAX 16384u    // bytes that may wait
#define OUTBOX_LAST_MAX 128u // room beyond for the close frame, which must always fit

#define OUTBOX_BLOCK 128u
#define OUTBOX_POOL_MAX 1024u // blocks kept

struct outbox_block;

// Zeroed memory is an empty one.
struct outbox_pool {
    struct outbox_block *idle; // list
    unsigned count;
};

void outbox_pool_fini(struct outbox_pool *pool);

// Zeroed memory is an empty one. It belongs to one pool all its life.
struct outbox {
    uint8_t *bytes;
    uint16_t at;  // where what is left begins
    uint16_t len; // bytes left
    uint16_t capacity;
};

// Appends two pieces as one, or nothing: ERR_FULL over OUTBOX_MAX, ERR_NOMEM.
MUST_CHECK int outbox_put(struct outbox *outbox, struct outbox_pool *pool, const void *head, size_t head_len,
                          const void *data, size_t len);

// The same for the last frame of a connection: up to OUTBOX_LAST_MAX more.
MUST_CHECK int outbox_put_last(struct outbox *outbox, struct outbox_pool *pool, const void *data, size_t len);

// What waits, `outbox->len` bytes.
const uint8_t *outbox_data(const struct outbox *outbox);

// The first n bytes are sent. With the last one the memory goes.
void outbox_eat(struct outbox *outbox, struct outbox_pool *pool, size_t n);
void outbox_fini(struct outbox *outbox, struct outbox_pool *pool);
