#include "proto/bus_proto.h"

#include <stdbool.h>

#include "common/core/bytes.h"
#include "proto/limits.h"
#include "proto/msgpack_flat.h"

#define UPDATE_LEN 3u
#define CHECKSUM_LEN 8u
#define RECORD_LAYOUT 1u

static const char *form_of(uint64_t type)
{
    switch (type) {
    case BUS_UPDATE:
        return "884s";
    case BUS_POSITION:
        return "84s";
    case BUS_VIEW:
        return "8";
    case BUS_CONFIG:
        return "4";
    case BUS_ERASED:
        return "8";
    default:
        return NULL;
    }
}

static int fill_update(struct bus_message *out, const struct msgpack_flat_item *items)
{
    size_t count = items[4].len / UPDATE_LEN;
    if (items[4].len % UPDATE_LEN != 0 || count < 1 || count > LIMIT_BATCH_DRAWS)
        return ERR_MALFORMED;
    out->previous_epoch = items[1].number;
    out->epoch = items[2].number;
    out->first = (uint32_t)items[3].number;
    out->count = (uint32_t)count;
    out->updates = items[4].bytes;
    bool numbered = out->first >= 1 && out->count - 1 <= UINT32_MAX - out->first;
    return numbered && out->previous_epoch <= out->epoch ? 0 : ERR_MALFORMED;
}

static int fill(struct bus_message *out, const struct msgpack_flat_item *items)
{
    switch (out->type) {
    case BUS_UPDATE:
        return fill_update(out, items);
    case BUS_POSITION:
        if (items[3].len != CHECKSUM_LEN)
            return ERR_MALFORMED;
        out->epoch = items[1].number;
        out->seq = (uint32_t)items[2].number;
        out->checksum = bytes_get_u64(items[3].bytes);
        return 0;
    case BUS_VIEW:
        out->view = items[1].number;
        return 0;
    case BUS_CONFIG:
        out->version = (uint32_t)items[1].number;
        return 0;
    case BUS_ERASED:
        out->user = items[1].number;
        return out->user != 0 ? 0 : ERR_MALFORMED;
    }
    return ERR_MALFORMED;
}

int bus_decode(const uint8_t *msg, size_t len, struct bus_message *out)
{
    struct msgpack_flat flat;
    if (msgpack_flat_parse(msg, len, &flat) != 0 || flat.items[0].kind != MSGPACK_FLAT_UINT)
        return ERR_MALFORMED;
    const char *form = form_of(flat.items[0].number);
    if (form == NULL)
        return flat.items[0].number != 0 ? ERR_UNSUPPORTED : ERR_MALFORMED;
    if (msgpack_flat_check(&flat, form) != 0)
        return ERR_MALFORMED;
    struct bus_message message = {.type = (enum bus_type)flat.items[0].number};
    if (fill(&message, flat.items) != 0)
        return ERR_MALFORMED;
    *out = message;
    return 0;
}

void bus_encode_erased(uint8_t to[BUS_ERASED_LEN], uint64_t user)
{
    to[0] = 0x92; // an array of two
    to[1] = BUS_ERASED;
    to[2] = 0xcf; // u64, big-endian
    for (unsigned i = 0; i < 8; i++)
        to[3 + i] = (uint8_t)(user >> (56 - 8 * i));
}

int user_record_decode(const uint8_t *bytes, size_t len, struct user_record *out)
{
    if (len == 0) {
        *out = (struct user_record){0};
        return 0;
    }
    if (len != USER_RECORD_LEN || bytes[0] != RECORD_LAYOUT || bytes_get_u16(bytes + 6) != 0)
        return ERR_MALFORMED;
    *out = (struct user_record){
        .color = bytes[1],
        .x = bytes_get_u16(bytes + 2),
        .y = bytes_get_u16(bytes + 4),
        .nonce = bytes_get_u32(bytes + 8),
        .seq = bytes_get_u32(bytes + 12),
        .landed_ms = bytes_get_u64(bytes + 16),
    };
    return 0;
}

void user_record_encode(uint8_t to[USER_RECORD_LEN], const struct user_record *record)
{
    to[0] = RECORD_LAYOUT;
    to[1] = record->color;
    bytes_set_u16(to + 2, record->x);
    bytes_set_u16(to + 4, record->y);
    bytes_set_u16(to + 6, 0);
    bytes_set_u32(to + 8, record->nonce);
    bytes_set_u32(to + 12, record->seq);
    bytes_set_u64(to + 16, record->landed_ms);
}
