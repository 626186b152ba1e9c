#include "proto/link_proto.h"

#include <msgpack/pack.h>
#include <stdbool.h>
#include <string.h>

#include "common/core/bytes.h"
#include "proto/msgpack_flat.h"

// ---- Decoding ------------------------------------------------------------------------------------------------------

static const uint8_t *exactly(const struct msgpack_flat_item *item, size_t len, bool *bad)
{
    *bad |= item->len != len;
    return item->bytes;
}

static void take_records(struct link_message *out, const struct msgpack_flat_item *item, size_t record_len, bool *bad)
{
    size_t count = item->len / record_len;
    *bad |= item->len % record_len != 0 || count < 1 || count > LIMIT_BATCH_DRAWS;
    out->count = (uint32_t)count;
    out->records = item->bytes;
}

// What follows the type in each message.
static const char *form_of(uint64_t type)
{
    switch (type) {
    case LINK_CHALLENGE:
        return "1b";
    case LINK_RESPONSE:
        return "1b8b";
    case LINK_ACCEPT:
        return "b88";
    case LINK_FORWARD:
        return "84b";
    case LINK_VERDICTS:
        return "b";
    case LINK_NOT_OWNER:
        return "8b";
    case LINK_PING:
        return "";
    case LINK_PONG:
        return "8";
    default:
        return NULL;
    }
}

// The items have the kinds that the type's form asks for; lengths are still to be seen.
static void fill(struct link_message *out, const struct msgpack_flat_item *items, bool *bad)
{
    switch (out->type) {
    case LINK_CHALLENGE:
    case LINK_RESPONSE:
        out->version = (uint8_t)items[1].number;
        out->nonce = exactly(&items[2], LINK_NONCE_LEN, bad);
        if (out->type == LINK_CHALLENGE)
            break;
        out->gateway = items[3].number;
        out->mac = exactly(&items[4], LINK_MAC_LEN, bad);
        break;
    case LINK_ACCEPT:
        out->mac = exactly(&items[1], LINK_MAC_LEN, bad);
        out->incarnation = items[2].number;
        out->view = items[3].number;
        break;
    case LINK_FORWARD:
        out->view = items[1].number;
        out->refusals = (uint32_t)items[2].number;
        take_records(out, &items[3], LINK_DRAW_LEN, bad);
        break;
    case LINK_VERDICTS:
        take_records(out, &items[1], LINK_VERDICT_LEN, bad);
        break;
    case LINK_NOT_OWNER:
        out->view = items[1].number;
        take_records(out, &items[2], LINK_ID_LEN, bad);
        break;
    case LINK_PING:
        break;
    case LINK_PONG:
        out->view = items[1].number;
        break;
    }
}

int link_decode(const uint8_t *msg, size_t len, struct link_message *out)
{
    struct msgpack_flat flat;
    if (len > LIMIT_LINK_MESSAGE || msgpack_flat_parse(msg, len, &flat) != 0)
        return ERR_MALFORMED;
    const char *form = flat.items[0].kind == MSGPACK_FLAT_UINT ? form_of(flat.items[0].number) : NULL;
    if (form == NULL || msgpack_flat_check(&flat, form) != 0)
        return ERR_MALFORMED;
    struct link_message message = {.type = (enum link_type)flat.items[0].number};
    bool bad = false;
    fill(&message, flat.items, &bad);
    if (bad)
        return ERR_MALFORMED;
    *out = message;
    return 0;
}

int link_draw_at(const uint8_t *records, uint32_t i, struct link_draw *out)
{
    const uint8_t *at = records + (size_t)i * LINK_DRAW_LEN;
    struct link_draw draw = {
        .id = bytes_get_u32(at),
        .nonce = bytes_get_u32(at + 4),
        .x = bytes_get_u16(at + 8),
        .y = bytes_get_u16(at + 10),
        .color = at[12],
        .kind = at[13],
        .user = bytes_get_u64(at + 16),
        .connection = bytes_get_u64(at + 24),
    };
    memcpy(draw.address.bytes, at + 32, sizeof draw.address.bytes);
    bool kind_known = draw.kind == LINK_USER_GUEST || draw.kind == LINK_USER_MEMBER;
    if (!kind_known || bytes_get_u16(at + 14) != 0 || draw.nonce == 0)
        return ERR_MALFORMED;
    *out = draw;
    return 0;
}

void link_verdict_at(const uint8_t *records, uint32_t i, struct link_verdict *out)
{
    const uint8_t *at = records + (size_t)i * LINK_VERDICT_LEN;
    *out = (struct link_verdict){
        .id = bytes_get_u32(at),
        .code = at[4],
        .seq = bytes_get_u32(at + 5),
        .next_nonce = bytes_get_u32(at + 9),
        .wait_ms = bytes_get_u32(at + 13),
    };
}

uint32_t link_id_at(const uint8_t *records, uint32_t i)
{
    return bytes_get_u32(records + (size_t)i * LINK_ID_LEN);
}

// ---- Encoding ------------------------------------------------------------------------------------------------------

void link_put_draw(uint8_t *to, const struct link_draw *draw)
{
    bytes_set_u32(to, draw->id);
    bytes_set_u32(to + 4, draw->nonce);
    bytes_set_u16(to + 8, draw->x);
    bytes_set_u16(to + 10, draw->y);
    to[12] = draw->color;
    to[13] = draw->kind;
    bytes_set_u16(to + 14, 0);
    bytes_set_u64(to + 16, draw->user);
    bytes_set_u64(to + 24, draw->connection);
    memcpy(to + 32, draw->address.bytes, sizeof draw->address.bytes);
}

void link_put_verdict(uint8_t *to, const struct link_verdict *verdict)
{
    bytes_set_u32(to, verdict->id);
    to[4] = verdict->code;
    bytes_set_u32(to + 5, verdict->seq);
    bytes_set_u32(to + 9, verdict->next_nonce);
    bytes_set_u32(to + 13, verdict->wait_ms);
}

void link_put_id(uint8_t *to, uint32_t id)
{
    bytes_set_u32(to, id);
}

static int append(void *data, const char *buf, size_t len)
{
    bytes_put(data, buf, len);
    return 0;
}

struct encoding {
    struct bytes_writer out;
    msgpack_packer packer;
};

static void begin(struct encoding *enc, uint8_t *to, size_t items, enum link_type type)
{
    bytes_writer_init(&enc->out, to, LIMIT_LINK_MESSAGE);
    msgpack_packer_init(&enc->packer, &enc->out, append);
    (void)msgpack_pack_array(&enc->packer, items);
    (void)msgpack_pack_uint8(&enc->packer, (uint8_t)type);
}

static void put_bin(struct encoding *enc, const uint8_t *bytes, size_t len)
{
    (void)msgpack_pack_bin_with_body(&enc->packer, bytes, len);
}

static void put_number(struct encoding *enc, uint64_t number)
{
    (void)msgpack_pack_uint64(&enc->packer, number);
}

size_t link_encode_challenge(uint8_t *to, const uint8_t nonce[LINK_NONCE_LEN])
{
    struct encoding enc;
    begin(&enc, to, 3, LINK_CHALLENGE);
    put_number(&enc, LINK_PROTO_VERSION);
    put_bin(&enc, nonce, LINK_NONCE_LEN);
    return bytes_written(&enc.out);
}

size_t link_encode_response(uint8_t *to, const uint8_t nonce[LINK_NONCE_LEN], uint64_t gateway,
                            const uint8_t mac[LINK_MAC_LEN])
{
    struct encoding enc;
    begin(&enc, to, 5, LINK_RESPONSE);
    put_number(&enc, LINK_PROTO_VERSION);
    put_bin(&enc, nonce, LINK_NONCE_LEN);
    put_number(&enc, gateway);
    put_bin(&enc, mac, LINK_MAC_LEN);
    return bytes_written(&enc.out);
}

size_t link_encode_accept(uint8_t *to, const uint8_t mac[LINK_MAC_LEN], uint64_t incarnation, uint64_t view)
{
    struct encoding enc;
    begin(&enc, to, 4, LINK_ACCEPT);
    put_bin(&enc, mac, LINK_MAC_LEN);
    put_number(&enc, incarnation);
    put_number(&enc, view);
    return bytes_written(&enc.out);
}

size_t link_encode_forward(uint8_t *to, uint64_t view, uint32_t refusals, const uint8_t *draws, uint32_t count)
{
    struct encoding enc;
    begin(&enc, to, 4, LINK_FORWARD);
    put_number(&enc, view);
    put_number(&enc, refusals);
    put_bin(&enc, draws, (size_t)count * LINK_DRAW_LEN);
    return bytes_written(&enc.out);
}

size_t link_encode_verdicts(uint8_t *to, const uint8_t *verdicts, uint32_t count)
{
    struct encoding enc;
    begin(&enc, to, 2, LINK_VERDICTS);
    put_bin(&enc, verdicts, (size_t)count * LINK_VERDICT_LEN);
    return bytes_written(&enc.out);
}

size_t link_encode_not_owner(uint8_t *to, uint64_t view, const uint8_t *ids, uint32_t count)
{
    struct encoding enc;
    begin(&enc, to, 3, LINK_NOT_OWNER);
    put_number(&enc, view);
    put_bin(&enc, ids, (size_t)count * LINK_ID_LEN);
    return bytes_written(&enc.out);
}

size_t link_encode_ping(uint8_t *to)
{
    struct encoding enc;
    begin(&enc, to, 1, LINK_PING);
    return bytes_written(&enc.out);
}

size_t link_encode_pong(uint8_t *to, uint64_t view)
{
    struct encoding enc;
    begin(&enc, to, 2, LINK_PONG);
    put_number(&enc, view);
    return bytes_written(&enc.out);
}
