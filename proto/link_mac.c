// The two macs of the mutual challenge, in a file of their own: only they need OpenSSL.
#include "proto/link_proto.h"

#include "common/core/bytes.h"
#include "common/core/hmac.h"

#define GATEWAY_LABEL "tessera-gateway-1"
#define SHARD_LABEL "tessera-shard-1"

static int mac_over(const uint8_t *secret, size_t secret_len, struct hmac_part label, const uint8_t *first,
                    const uint8_t *second, uint64_t who, uint8_t mac[LINK_MAC_LEN])
{
    uint8_t number[8];
    bytes_set_u64(number, who);
    const struct hmac_part parts[] = {
        label, {first, LINK_NONCE_LEN}, {second, LINK_NONCE_LEN}, {number, sizeof number}};
    return hmac_sha256(secret, secret_len, parts, sizeof parts / sizeof parts[0], mac);
}

int link_mac_gateway(const uint8_t *secret, size_t secret_len, const uint8_t shard_nonce[LINK_NONCE_LEN],
                     const uint8_t gateway_nonce[LINK_NONCE_LEN], uint64_t gateway, uint8_t mac[LINK_MAC_LEN])
{
    struct hmac_part label = {GATEWAY_LABEL, sizeof GATEWAY_LABEL - 1};
    return mac_over(secret, secret_len, label, shard_nonce, gateway_nonce, gateway, mac);
}

int link_mac_shard(const uint8_t *secret, size_t secret_len, const uint8_t gateway_nonce[LINK_NONCE_LEN],
                   const uint8_t shard_nonce[LINK_NONCE_LEN], uint64_t incarnation, uint8_t mac[LINK_MAC_LEN])
{
    struct hmac_part label = {SHARD_LABEL, sizeof SHARD_LABEL - 1};
    return mac_over(secret, secret_len, label, gateway_nonce, shard_nonce, incarnation, mac);
}
