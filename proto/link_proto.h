// Gateway <-> shard messages (PROTOCOL.md, part 2). Pure. The length prefix is msg_sock's.
//
// Encoders write one message into the caller's memory (LINK_MESSAGE bytes always suffice: LIMIT_LINK_MESSAGE) and
// return its length. link_decode checks type, count and size of everything before it fills `out`; pointers go into the
// input.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "common/core/err.h"
#include "proto/limits.h"

enum link_type {
    LINK_CHALLENGE = 1,
    LINK_RESPONSE = 2,
    LINK_ACCEPT = 3,
    LINK_FORWARD = 4,
    LINK_VERDICTS = 5,
    LINK_NOT_OWNER = 6,
    LINK_PING = 7,
    LINK_PONG = 8,
};

enum link_user_kind { LINK_USER_GUEST = 1, LINK_USER_MEMBER = 2 };

#define LINK_DRAW_LEN 48u
#define LINK_VERDICT_LEN 17u
#define LINK_ID_LEN 4u

struct link_draw {
    uint32_t id; // the gateway's, unique among its draws in flight on the link
    uint32_t nonce;
    uint16_t x, y;
    uint8_t color;
    uint8_t kind; // enum link_user_kind
    uint64_t user;
    uint64_t connection;
    struct addr address;
};

struct link_verdict {
    uint32_t id;
    uint8_t code;
    uint32_t seq, next_nonce, wait_ms;
};

struct link_message {
    enum link_type type;
    uint8_t version;      // CHALLENGE, RESPONSE
    const uint8_t *nonce; // CHALLENGE, RESPONSE: LINK_NONCE_LEN bytes
    const uint8_t *mac;   // RESPONSE, ACCEPT: LINK_MAC_LEN bytes
    uint64_t gateway;     // RESPONSE
    uint64_t incarnation; // ACCEPT
    uint64_t view;        // ACCEPT, FORWARD, NOT_OWNER, PONG
    uint32_t refusals;    // FORWARD
    uint32_t count;       // FORWARD, VERDICTS, NOT_OWNER: records
    const uint8_t *records;
};

// 0 or ERR_MALFORMED.
MUST_CHECK int link_decode(const uint8_t *msg, size_t len, struct link_message *out);
// Record i < count of a decoded FORWARD, VERDICTS, NOT_OWNER. link_draw_at returns ERR_MALFORMED for a bad kind or
// reserved bytes that are set.
MUST_CHECK int link_draw_at(const uint8_t *records, uint32_t i, struct link_draw *out);
void link_verdict_at(const uint8_t *records, uint32_t i, struct link_verdict *out);
uint32_t link_id_at(const uint8_t *records, uint32_t i);

// Records are put one by one into a blob of the caller, then the message is made around it.
void link_put_draw(uint8_t *to, const struct link_draw *draw);          // LINK_DRAW_LEN bytes
void link_put_verdict(uint8_t *to, const struct link_verdict *verdict); // LINK_VERDICT_LEN bytes
void link_put_id(uint8_t *to, uint32_t id);                             // LINK_ID_LEN bytes

size_t link_encode_challenge(uint8_t *to, const uint8_t nonce[LINK_NONCE_LEN]);
size_t link_encode_response(uint8_t *to, const uint8_t nonce[LINK_NONCE_LEN], uint64_t gateway,
                            const uint8_t mac[LINK_MAC_LEN]);
size_t link_encode_accept(uint8_t *to, const uint8_t mac[LINK_MAC_LEN], uint64_t incarnation, uint64_t view);
size_t link_encode_forward(uint8_t *to, uint64_t view, uint32_t refusals, const uint8_t *draws, uint32_t count);
size_t link_encode_verdicts(uint8_t *to, const uint8_t *verdicts, uint32_t count);
size_t link_encode_not_owner(uint8_t *to, uint64_t view, const uint8_t *ids, uint32_t count);
size_t link_encode_ping(uint8_t *to);
size_t link_encode_pong(uint8_t *to, uint64_t view);

// The two macs of the mutual challenge (link_mac.c). 0, or ERR_NOMEM when OpenSSL fails.
MUST_CHECK int link_mac_gateway(const uint8_t *secret, size_t secret_len, const uint8_t shard_nonce[LINK_NONCE_LEN],
                                const uint8_t gateway_nonce[LINK_NONCE_LEN], uint64_t gateway,
                                uint8_t mac[LINK_MAC_LEN]);
MUST_CHECK int link_mac_shard(const uint8_t *secret, size_t secret_len, const uint8_t gateway_nonce[LINK_NONCE_LEN],
                              const uint8_t shard_nonce[LINK_NONCE_LEN], uint64_t incarnation,
                              uint8_t mac[LINK_MAC_LEN]);
