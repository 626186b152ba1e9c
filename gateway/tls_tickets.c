#include "gateway/tls_tickets.h"

#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>

#include "common/core/bytes.h"
#include "common/core/hmac.h"
#include "common/core/key_lines.h"
#include "common/io/rand.h"

// ---- Keys -----------------------------------------------------------------------------------------------------------

// Name and two keys from one secret, each under a label of its own.
static int derive(struct tls_tickets_key *key, const uint8_t *secret, size_t len)
{
    const struct hmac_part name = {"tessera ticket name", 19}, cipher = {"tessera ticket cipher", 21},
                           mac = {"tessera ticket mac", 18};
    uint8_t named[HMAC_LEN];
    int err = hmac_sha256(secret, len, &name, 1, named);
    if (err == 0)
        err = hmac_sha256(secret, len, &cipher, 1, key->cipher);
    if (err == 0)
        err = hmac_sha256(secret, len, &mac, 1, key->mac);
    if (err == 0)
        memcpy(key->name, named, sizeof key->name);
    return err;
}

static int parse_key(void *arg, const char *hex, size_t hex_len, const char **why)
{
    struct tls_tickets *tickets = arg;
    uint8_t secret[TLS_TICKETS_SECRET_MAX];
    *why = "too many keys";
    if (tickets->count == TLS_TICKETS_KEYS_MAX)
        return ERR_FULL;
    int len = bytes_from_hex(secret, sizeof secret, hex, hex_len);
    *why = "not hex";
    if (len == ERR_MALFORMED)
        return ERR_MALFORMED;
    *why = "a key is 32 to 64 bytes, 64 to 128 hex digits";
    if (len < TLS_TICKETS_SECRET_MIN)
        return ERR_RANGE;
    *why = "no memory";
    int err = derive(&tickets->keys[tickets->count], secret, (size_t)len);
    OPENSSL_cleanse(secret, sizeof secret);
    if (err == 0)
        tickets->count++;
    return err;
}

int tls_tickets_parse(struct tls_tickets *tickets, const char *text, size_t len, char *error, size_t error_size)
{
    *tickets = (struct tls_tickets){0};
    int err = key_lines_parse(text, len, parse_key, tickets, error, error_size);
    if (err != 0)
        tls_tickets_fini(tickets);
    return err;
}

int tls_tickets_rotate(struct tls_tickets *tickets, unsigned keep)
{
    uint8_t secret[TLS_TICKETS_SECRET_MIN];
    struct tls_tickets_key key;
    if (keep > TLS_TICKETS_KEYS_MAX - 1)
        keep = TLS_TICKETS_KEYS_MAX - 1;
    if (keep > tickets->count)
        keep = tickets->count;
    rand_bytes(secret, sizeof secret);
    int err = derive(&key, secret, sizeof secret);
    OPENSSL_cleanse(secret, sizeof secret);
    if (err != 0)
        return err;
    memmove(&tickets->keys[1], &tickets->keys[0], keep * sizeof key);
    tickets->keys[0] = key;
    OPENSSL_cleanse(&tickets->keys[keep + 1], (TLS_TICKETS_KEYS_MAX - 1 - keep) * sizeof key);
    OPENSSL_cleanse(&key, sizeof key);
    tickets->count = (uint8_t)(keep + 1);
    return 0;
}

void tls_tickets_fini(struct tls_tickets *tickets)
{
    OPENSSL_cleanse(tickets, sizeof *tickets);
}

// ---- Tickets --------------------------------------------------------------------------------------------------------

static int find(const struct tls_tickets *tickets, const uint8_t *name)
{
    for (int i = 0; i < tickets->count; i++)
        if (memcmp(tickets->keys[i].name, name, TLS_TICKETS_NAME_LEN) == 0)
            return i;
    return -1;
}

static int set_mac(EVP_MAC_CTX *mac, struct tls_tickets_key *key)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
                                 OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params);
}

// Of OpenSSL: below 0 ends the connection; 0 is a ticket that is not known, or none to be given: a full handshake; 2
// asks for a new ticket.
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac,
                     int encrypt)
{
    struct tls_tickets *tickets = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    int at = encrypt ? (tickets->count > 0 ? 0 : -1) : find(tickets, name);
    if (at < 0)
        return 0;
    struct tls_tickets_key *key = &tickets->keys[at];
    if (encrypt) {
        memcpy(name, key->name, sizeof key->name);
        rand_bytes(iv, EVP_MAX_IV_LENGTH);
    }
    if (EVP_CipherInit_ex2(cipher, EVP_aes_256_cbc(), key->cipher, iv, encrypt, NULL) != 1 || set_mac(mac, key) != 1)
        return -1;
    // In 1.3 a client uses a ticket only once (RFC 8446, appendix C.4), so each resumption has to give the next one.
    return at == 0 && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
}

void tls_tickets_use(struct tls_tickets *tickets, SSL_CTX *tls)
{
    SSL_CTX_set_app_data(tls, tickets);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(tls, on_ticket);
}
