#include "common/core/hmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

// Kept for the life of the process, on purpose never freed. Single-threaded use, as everything that signs runs on the
// loop.
static EVP_MAC *algorithm(void)
{
    static EVP_MAC *mac;
    if (mac == NULL)
        mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    return mac;
}

int hmac_sha256(const void *key, size_t key_len, const struct hmac_part *parts, size_t count, uint8_t out[HMAC_LEN])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    int err = ERR_NOMEM;
    size_t len = 0;
    EVP_MAC *mac = algorithm();
    EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;
    if (ctx == NULL || EVP_MAC_init(ctx, key, key_len, params) != 1)
        goto done;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0 && EVP_MAC_update(ctx, parts[i].data, parts[i].len) != 1)
            goto done;
    }
    if (EVP_MAC_final(ctx, out, &len, HMAC_LEN) == 1 && len == HMAC_LEN)
        err = 0;
done:
    EVP_MAC_CTX_free(ctx);
    return err;
}
