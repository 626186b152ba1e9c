#include "gateway/pending.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 1024u

void pending_init(struct pending *pending, size_t max)
{
    *pending = (struct pending){.max = max};
}

void pending_fini(struct pending *pending)
{
    free(pending->bytes);
    *pending = (struct pending){0};
}

void pending_clear(struct pending *pending)
{
    size_t max = pending->max;
    pending_fini(pending);
    pending_init(pending, max);
}

static bool reserve(struct pending *pending, size_t more)
{
    if (more > pending->max - pending->len)
        return false;
    size_t capacity = pending->capacity > 0 ? pending->capacity : FIRST_CAPACITY;
    while (capacity < pending->len + more)
        capacity *= 2;
    if (capacity == pending->capacity)
        return true;
    uint8_t *bytes = realloc(pending->bytes, capacity);
    if (bytes == NULL)
        return false;
    pending->bytes = bytes;
    pending->capacity = capacity;
    return true;
}

void pending_add(struct pending *pending, const struct replica_update *update)
{
    size_t records = (size_t)update->count * REPLICA_RECORD_LEN;
    if (pending->lost)
        return;
    if (!reserve(pending, sizeof *update + records)) {
        pending_clear(pending);
        pending->lost = true;
        return;
    }
    memcpy(pending->bytes + pending->len, update, sizeof *update);
    memcpy(pending->bytes + pending->len + sizeof *update, update->records, records);
    pending->len += sizeof *update + records;
}

bool pending_next(const struct pending *pending, size_t *at, struct replica_update *out)
{
    if (*at >= pending->len)
        return false;
    memcpy(out, pending->bytes + *at, sizeof *out);
    out->records = pending->bytes + *at + sizeof *out;
    *at += sizeof *out + (size_t)out->count * REPLICA_RECORD_LEN;
    return true;
}
