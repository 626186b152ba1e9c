#include "proto/admin_proto.h"

#include <msgpack/pack.h>
#include <string.h>

#include "proto/msgpack_flat.h"

// The forms of the messages, by type.
static const char *const forms[] = {
    [ADMIN_CHALLENGE] = "1b", [ADMIN_RESPONSE] = "1bb", [ADMIN_ACCEPT] = "b",
    [ADMIN_COMMAND] = "4bb",  [ADMIN_ANSWER] = "4bb",
};

static bool is_mac(const struct msgpack_flat_item *item)
{
    return item->len == ADMIN_MAC_LEN;
}

int admin_decode(const uint8_t *msg, size_t len, struct admin_message *out)
{
    struct msgpack_flat flat;
    if (msgpack_flat_parse(msg, len, &flat) != 0 || flat.items[0].kind != MSGPACK_FLAT_UINT ||
        flat.items[0].number < ADMIN_CHALLENGE || flat.items[0].number > ADMIN_ANSWER ||
        msgpack_flat_check(&flat, forms[flat.items[0].number]) != 0)
        return ERR_MALFORMED;
    const struct msgpack_flat_item *items = flat.items;
    *out = (struct admin_message){.type = (enum admin_type)items[0].number};
    if (out->type == ADMIN_CHALLENGE || out->type == ADMIN_RESPONSE) {
        out->version = (uint8_t)items[1].number;
        out->nonce = items[2].bytes;
        out->mac = out->type == ADMIN_RESPONSE ? items[3].bytes : NULL;
        bool good = items[2].len == ADMIN_NONCE_LEN && (out->mac == NULL || is_mac(&items[3]));
        return good ? 0 : ERR_MALFORMED;
    }
    if (out->type == ADMIN_ACCEPT) {
        out->mac = items[1].bytes;
        return is_mac(&items[1]) ? 0 : ERR_MALFORMED;
    }
    out->number = (uint32_t)items[1].number;
    out->json = (const char *)items[2].bytes;
    out->json_len = items[2].len;
    out->mac = items[3].bytes;
    size_t most = out->type == ADMIN_COMMAND ? ADMIN_COMMAND_MAX : ADMIN_ANSWER_MAX;
    return is_mac(&items[3]) && out->json_len <= most ? 0 : ERR_MALFORMED;
}

// ---- Encoding ------------------------------------------------------------------------------------------------------

struct output {
    uint8_t *to;
    size_t len;
};

static int put(void *data, const char *bytes, size_t len)
{
    struct output *output = data;
    memcpy(output->to + output->len, bytes, len);
    output->len += len;
    return 0;
}

static void begin(msgpack_packer *packer, struct output *output, uint8_t *to, enum admin_type type, size_t items)
{
    *output = (struct output){.to = to};
    msgpack_packer_init(packer, output, put);
    msgpack_pack_array(packer, items);
    msgpack_pack_uint8(packer, (uint8_t)type);
}

static void put_bin(msgpack_packer *packer, const uint8_t *bytes, size_t len)
{
    msgpack_pack_bin(packer, len);
    msgpack_pack_bin_body(packer, bytes, len);
}

size_t admin_encode_challenge(uint8_t to[ADMIN_OVERHEAD], const uint8_t nonce[ADMIN_NONCE_LEN])
{
    msgpack_packer packer;
    struct output output;
    begin(&packer, &output, to, ADMIN_CHALLENGE, 3);
    msgpack_pack_uint8(&packer, ADMIN_VERSION);
    put_bin(&packer, nonce, ADMIN_NONCE_LEN);
    return output.len;
}

size_t admin_encode_response(uint8_t to[2 * ADMIN_OVERHEAD], const uint8_t nonce[ADMIN_NONCE_LEN],
                             const uint8_t mac[ADMIN_MAC_LEN])
{
    msgpack_packer packer;
    struct output output;
    begin(&packer, &output, to, ADMIN_RESPONSE, 4);
    msgpack_pack_uint8(&packer, ADMIN_VERSION);
    put_bin(&packer, nonce, ADMIN_NONCE_LEN);
    put_bin(&packer, mac, ADMIN_MAC_LEN);
    return output.len;
}

size_t admin_encode_accept(uint8_t to[ADMIN_OVERHEAD], const uint8_t mac[ADMIN_MAC_LEN])
{
    msgpack_packer packer;
    struct output output;
    begin(&packer, &output, to, ADMIN_ACCEPT, 2);
    put_bin(&packer, mac, ADMIN_MAC_LEN);
    return output.len;
}

size_t admin_encode_head(uint8_t to[ADMIN_OVERHEAD], enum admin_type type, uint32_t number, size_t json_len)
{
    msgpack_packer packer;
    struct output output;
    begin(&packer, &output, to, type, 4);
    msgpack_pack_uint32(&packer, number);
    msgpack_pack_bin(&packer, json_len);
    return output.len;
}

size_t admin_encode_mac(uint8_t to[ADMIN_OVERHEAD], const uint8_t mac[ADMIN_MAC_LEN])
{
    msgpack_packer packer;
    struct output output = {.to = to};
    msgpack_packer_init(&packer, &output, put);
    put_bin(&packer, mac, ADMIN_MAC_LEN);
    return output.len;
}
