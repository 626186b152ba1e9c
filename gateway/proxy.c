#include "gateway/proxy.h"

#include <string.h>

#define SIGNATURE_LEN 12u
#define AT_COMMAND 12u
#define AT_FAMILY 13u
#define AT_LENGTH 14u

#define COMMAND_LOCAL 0x20u
#define COMMAND_PROXY 0x21u
#define FAMILY_UNSPECIFIED 0x00u
#define FAMILY_TCP4 0x11u
#define FAMILY_TCP6 0x21u
#define TCP4_LEN 12u
#define TCP6_LEN 36u

static const uint8_t signature[SIGNATURE_LEN] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static size_t body_len(const uint8_t *bytes)
{
    return (size_t)bytes[AT_LENGTH] << 8 | bytes[AT_LENGTH + 1];
}

static uint16_t port_at(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static int parse_address(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    const uint8_t *body = bytes + PROXY_HEAD_LEN;
    switch (bytes[AT_FAMILY]) {
    case FAMILY_UNSPECIFIED:
        return 0;
    case FAMILY_TCP4:
        if (len < TCP4_LEN)
            return ERR_MALFORMED;
        memset(out->source.bytes, 0, 10);
        memset(out->source.bytes + 10, 0xff, 2);
        memcpy(out->source.bytes + 12, body, 4);
        out->port = port_at(body + 8);
        break;
    case FAMILY_TCP6:
        if (len < TCP6_LEN)
            return ERR_MALFORMED;
        memcpy(out->source.bytes, body, 16);
        out->port = port_at(body + 32);
        break;
    default:
        return ERR_UNSUPPORTED;
    }
    out->has_address = true;
    return 0;
}

ssize_t proxy_parse(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    size_t known = len < SIGNATURE_LEN ? len : SIGNATURE_LEN;
    if (memcmp(bytes, signature, known) != 0)
        return ERR_MALFORMED;
    if (len > AT_COMMAND && bytes[AT_COMMAND] != COMMAND_LOCAL && bytes[AT_COMMAND] != COMMAND_PROXY)
        return ERR_MALFORMED;
    if (len < PROXY_HEAD_LEN)
        return 0;
    size_t body = body_len(bytes);
    if (PROXY_HEAD_LEN + body > PROXY_LEN_MAX)
        return ERR_RANGE;
    if (len < PROXY_HEAD_LEN + body)
        return 0;
    struct proxy_header header = {0};
    if (bytes[AT_COMMAND] == COMMAND_PROXY) {
        int err = parse_address(bytes, body, &header);
        if (err != 0)
            return err;
    }
    *out = header;
    return (ssize_t)(PROXY_HEAD_LEN + body);
}

size_t proxy_want(const uint8_t *bytes, size_t len)
{
    size_t whole = len < PROXY_HEAD_LEN ? PROXY_HEAD_LEN : PROXY_HEAD_LEN + body_len(bytes);
    return whole > len ? whole - len : 0;
}
