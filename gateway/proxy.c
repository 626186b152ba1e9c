// Version 2 of the PROXY protocol, and which version it is. Version 1 is in proxy_v1.c.
#include "gateway/proxy.h"

#include <string.h>

#include "gateway/proxy_v1.h"

#define SIGNATURE_LEN 12u
#define HEAD_LEN 16u
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

#define TLV_HEAD_LEN 3u
#define TLV_CRC32C 0x03u
#define TLV_SSL 0x20u
#define SSL_LEN_MIN 5u // client u8, verify u32
#define SSL_CLIENT 0x01u

static const uint8_t signature[SIGNATURE_LEN] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static size_t u16_at(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

// ---- Addresses ------------------------------------------------------------------------------------------------------

// Returns the length of the addresses, behind which TLVs follow.
static ssize_t parse_address(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    const uint8_t *body = bytes + HEAD_LEN;
    switch (bytes[AT_FAMILY]) {
    case FAMILY_TCP4:
        if (len < TCP4_LEN)
            return ERR_MALFORMED;
        memset(out->source.bytes, 0, 10);
        memset(out->source.bytes + 10, 0xff, 2);
        memcpy(out->source.bytes + 12, body, 4);
        out->port = (uint16_t)u16_at(body + 8);
        out->has_address = true;
        return TCP4_LEN;
    case FAMILY_TCP6:
        if (len < TCP6_LEN)
            return ERR_MALFORMED;
        memcpy(out->source.bytes, body, 16);
        out->port = (uint16_t)u16_at(body + 32);
        out->has_address = true;
        return TCP6_LEN;
    default:
        return ERR_UNSUPPORTED;
    }
}

// ---- TLVs -----------------------------------------------------------------------------------------------------------

// CRC32c (RFC 3309) of the header, the four bytes of the sum itself counted as zeros.
static uint32_t crc32c(const uint8_t *bytes, size_t len, size_t sum_at)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < len; i++) {
        crc ^= i >= sum_at && i < sum_at + 4 ? 0u : bytes[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0u);
    }
    return ~crc;
}

static bool crc_right(const uint8_t *bytes, size_t len, size_t at)
{
    uint32_t said = (uint32_t)(u16_at(bytes + at) << 16 | u16_at(bytes + at + 2));
    return crc32c(bytes, len, at) == said;
}

// TLVs fill the header exactly. Those that we do not know are passed over.
static int parse_tlvs(const uint8_t *bytes, size_t at, size_t end, struct proxy_header *out)
{
    while (at < end) {
        if (end - at < TLV_HEAD_LEN || end - at - TLV_HEAD_LEN < u16_at(bytes + at + 1))
            return ERR_MALFORMED;
        uint8_t type = bytes[at];
        size_t len = u16_at(bytes + at + 1);
        at += TLV_HEAD_LEN;
        if (type == TLV_CRC32C && (len != 4 || !crc_right(bytes, end, at)))
            return ERR_MALFORMED;
        if (type == TLV_SSL && len < SSL_LEN_MIN)
            return ERR_MALFORMED;
        if (type == TLV_SSL) {
            out->says_tls = true;
            out->tls = (bytes[at] & SSL_CLIENT) != 0;
        }
        at += len;
    }
    return 0;
}

// ---- The header -----------------------------------------------------------------------------------------------------

static bool is_v1(const uint8_t *bytes, size_t len)
{
    return len > 0 && bytes[0] == PROXY_V1_FIRST;
}

static int parse_body(const uint8_t *bytes, size_t body, struct proxy_header *out)
{
    // LOCAL is the balancer's own connection, and an unspecified family names nobody: in both, what follows is skipped.
    if (bytes[AT_COMMAND] == COMMAND_LOCAL || bytes[AT_FAMILY] == FAMILY_UNSPECIFIED)
        return 0;
    ssize_t addresses = parse_address(bytes, body, out);
    if (addresses < 0)
        return (int)addresses;
    return parse_tlvs(bytes, HEAD_LEN + (size_t)addresses, HEAD_LEN + body, out);
}

ssize_t proxy_parse(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    if (is_v1(bytes, len))
        return proxy_v1_parse(bytes, len, out);
    size_t known = len < SIGNATURE_LEN ? len : SIGNATURE_LEN;
    if (memcmp(bytes, signature, known) != 0)
        return ERR_MALFORMED;
    if (len > AT_COMMAND && bytes[AT_COMMAND] != COMMAND_LOCAL && bytes[AT_COMMAND] != COMMAND_PROXY)
        return ERR_MALFORMED;
    if (len < HEAD_LEN)
        return 0;
    size_t body = u16_at(bytes + AT_LENGTH);
    if (HEAD_LEN + body > PROXY_LEN_MAX)
        return ERR_RANGE;
    if (len < HEAD_LEN + body)
        return 0;
    struct proxy_header header = {0};
    int err = parse_body(bytes, body, &header);
    if (err != 0)
        return err;
    *out = header;
    return (ssize_t)(HEAD_LEN + body);
}

size_t proxy_want(const uint8_t *bytes, size_t len)
{
    if (is_v1(bytes, len))
        return proxy_v1_want(bytes, len);
    if (len < SIGNATURE_LEN) // the shortest line of version 1 is longer
        return SIGNATURE_LEN - len;
    size_t whole = len < HEAD_LEN ? HEAD_LEN : HEAD_LEN + u16_at(bytes + AT_LENGTH);
    return whole > len ? whole - len : 0;
}
