// The macs of the admin port, in a file of their own: only they need OpenSSL.
#include "proto/admin_proto.h"

#include <string.h>

#include "common/core/bytes.h"
#include "common/core/hmac.h"

static int over_nonces(const struct admin_keys *keys, const char *label, const uint8_t *first, const uint8_t *second,
                       uint8_t mac[ADMIN_MAC_LEN])
{
    const struct hmac_part parts[] = {{label, strlen(label)}, {first, ADMIN_NONCE_LEN}, {second, ADMIN_NONCE_LEN}};
    return hmac_sha256(keys->secret, keys->secret_len, parts, sizeof parts / sizeof parts[0], mac);
}

int admin_mac_ctl(const struct admin_keys *keys, uint8_t mac[ADMIN_MAC_LEN])
{
    return over_nonces(keys, "tessera-ctl-1", keys->port_nonce, keys->ctl_nonce, mac);
}

int admin_mac_port(const struct admin_keys *keys, uint8_t mac[ADMIN_MAC_LEN])
{
    return over_nonces(keys, "tessera-admin-1", keys->ctl_nonce, keys->port_nonce, mac);
}

int admin_session_key(const struct admin_keys *keys, uint8_t key[ADMIN_MAC_LEN])
{
    return over_nonces(keys, "tessera-session-1", keys->port_nonce, keys->ctl_nonce, key);
}

int admin_mac_message(const uint8_t key[ADMIN_MAC_LEN], enum admin_type type, uint32_t number, const char *json,
                      size_t len, uint8_t mac[ADMIN_MAC_LEN])
{
    uint8_t bytes[4];
    const char *label = type == ADMIN_COMMAND ? "command" : "answer";
    bytes_set_u32(bytes, number);
    const struct hmac_part parts[] = {{label, strlen(label)}, {bytes, sizeof bytes}, {json, len}};
    return hmac_sha256(key, ADMIN_MAC_LEN, parts, sizeof parts / sizeof parts[0], mac);
}
