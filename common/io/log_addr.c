#include "common/io/log_addr.h"

#include <stdio.h>
#include <string.h>

#include "common/core/addr.h"
#include "common/core/bytes.h"
#include "common/core/hmac.h"
#include "common/io/log.h"

#define SHOWN 6 // bytes of the hash: plenty to tell addresses apart

static uint8_t key[HMAC_LEN];

static void hash(const struct addr *addr, char text[ADDR_TEXT_SIZE])
{
    uint8_t mac[HMAC_LEN] = {0};
    char name[ADDR_KEY_SIZE], hex[2 * SHOWN + 1];
    addr_key(addr, name);
    const struct hmac_part part = {name, strlen(name)};
    if (hmac_sha256(key, sizeof key, &part, 1, mac) != 0)
        memset(mac, 0, sizeof mac);
    bytes_to_hex(hex, mac, SHOWN);
    snprintf(text, ADDR_TEXT_SIZE, "h-%s", hex);
}

int log_addr_hashed(const char *secret)
{
    const struct hmac_part label = {"tessera log addresses", 21};
    int err = hmac_sha256(secret, strlen(secret), &label, 1, key);
    if (err == 0)
        log_set_addr_text(hash);
    return err;
}
