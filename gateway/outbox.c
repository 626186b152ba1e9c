#include "gateway/outbox.h"

#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN 128u

static int make_room(struct outbox *outbox, size_t more, size_t max)
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
    size_t capacity = outbox->capacity > 0 ? outbox->capacity : CAPACITY_MIN;
    while (capacity < need)
        capacity *= 2;
    uint8_t *bytes = realloc(outbox->bytes, capacity);
    if (bytes == NULL)
        return ERR_NOMEM;
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

int outbox_put(struct outbox *outbox, const void *head, size_t head_len, const void *data, size_t len)
{
    if (len > OUTBOX_MAX || head_len > OUTBOX_MAX)
        return ERR_FULL;
    int err = make_room(outbox, head_len + len, OUTBOX_MAX);
    if (err != 0)
        return err;
    append(outbox, head, head_len);
    append(outbox, data, len);
    return 0;
}

int outbox_put_last(struct outbox *outbox, const void *data, size_t len)
{
    int err = make_room(outbox, len, OUTBOX_MAX + OUTBOX_LAST_MAX);
    if (err == 0)
        append(outbox, data, len);
    return err;
}

const uint8_t *outbox_data(const struct outbox *outbox)
{
    return outbox->bytes + outbox->at;
}

void outbox_eat(struct outbox *outbox, size_t n)
{
    outbox->at = (uint16_t)(outbox->at + n);
    outbox->len = (uint16_t)(outbox->len - n);
    if (outbox->len == 0)
        outbox_fini(outbox);
}

void outbox_fini(struct outbox *outbox)
{
    free(outbox->bytes);
    *outbox = (struct outbox){0};
}
