#include "common/core/token.h"

#include "common/core/bytes.h"
#include "common/core/hmac.h"
#include "common/core/key_lines.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#define VERSION 1
#define PAYLOAD_TEXT_LEN BYTES_BASE64URL_LEN(TOKEN_PAYLOAD_LEN)
#define HMAC_TEXT_LEN BYTES_BASE64URL_LEN(HMAC_LEN)

static const char prefix[] = "t1.";
#define PREFIX_LEN (sizeof prefix - 1)

_Static_assert(PREFIX_LEN + TOKEN_KID_SIZE + PAYLOAD_TEXT_LEN + 1 + HMAC_TEXT_LEN + 1 <= TOKEN_TEXT_SIZE,
               "the longest token fits");

static bool kid_valid(const char *kid, size_t len)
{
    if (len == 0 || len >= TOKEN_KID_SIZE)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = kid[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

static const struct token_key *key_find(const struct token_keys *keys, const char *kid, size_t len)
{
    for (uint8_t i = 0; i < keys->count; i++) {
        const struct token_key *key = &keys->keys[i];
        if (strlen(key->kid) == len && memcmp(key->kid, kid, len) == 0)
            return key;
    }
    return NULL;
}

// ---- Keys ----------------------------------------------------------------------------------------------------------

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static size_t word_len(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && !is_space(*at))
        at++;
    return (size_t)(at - start);
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && is_space(*at))
        at++;
    return at;
}

// `<kid> <hex>`.
static int key_parse(void *arg, const char *at, size_t line_len, const char **why)
{
    struct token_keys *keys = arg;
    const char *end = at + line_len;
    size_t kid_len = word_len(at, end);
    const char *hex = skip_space(at + kid_len, end);
    size_t hex_len = word_len(hex, end);
    *why = "not `<kid> <hex>` with a kid of 1 to 16 characters of a-z, 0-9, _ and -";
    if (!kid_valid(at, kid_len) || hex + hex_len != end)
        return ERR_MALFORMED;
    *why = "the kid is used already";
    if (key_find(keys, at, kid_len) != NULL)
        return ERR_MALFORMED;
    *why = "too many keys";
    if (keys->count == TOKEN_KEYS_MAX)
        return ERR_FULL;
    struct token_key *key = &keys->keys[keys->count];
    int len = bytes_from_hex(key->key, sizeof key->key, hex, hex_len);
    *why = "the key is not hex";
    if (len == ERR_MALFORMED)
        return ERR_MALFORMED;
    *why = "a key is 32 to 64 bytes, 64 to 128 hex digits";
    if (len < TOKEN_KEY_LEN_MIN)
        return ERR_RANGE;
    memcpy(key->kid, at, kid_len);
    key->len = (uint8_t)len;
    keys->count++;
    return 0;
}

int token_keys_parse(struct token_keys *keys, const char *text, size_t len, char *error, size_t error_size)
{
    *keys = (struct token_keys){0};
    int err = key_lines_parse(text, len, key_parse, keys, error, error_size);
    if (err != 0)
        token_keys_fini(keys);
    return err;
}

void token_keys_fini(struct token_keys *keys)
{
    OPENSSL_cleanse(keys, sizeof *keys);
}

// ---- Tokens --------------------------------------------------------------------------------------------------------

static bool token_possible(const struct token *token)
{
    return token->kind == TOKEN_GUEST && token->user != 0 && token->issued <= token->expires;
}

int token_sign(const struct token_keys *keys, const struct token *token, char text[TOKEN_TEXT_SIZE])
{
    uint8_t payload[TOKEN_PAYLOAD_LEN];
    uint8_t mac[HMAC_LEN];
    if (keys->count == 0 || !token_possible(token))
        return ERR_RANGE;
    struct bytes_writer writer;
    bytes_writer_init(&writer, payload, sizeof payload);
    bytes_put_u8(&writer, VERSION);
    bytes_put_u8(&writer, token->kind);
    bytes_put_u16(&writer, 0);
    bytes_put_u64(&writer, token->user);
    bytes_put_u32(&writer, token->issued);
    bytes_put_u32(&writer, token->expires);

    const struct token_key *key = &keys->keys[0];
    size_t len = (size_t)snprintf(text, TOKEN_TEXT_SIZE, "%s%s.", prefix, key->kid);
    bytes_to_base64url(text + len, payload, sizeof payload);
    len += PAYLOAD_TEXT_LEN;
    const struct hmac_part part = {text, len};
    int err = hmac_sha256(key->key, key->len, &part, 1, mac);
    if (err != 0)
        return err;
    text[len++] = '.';
    bytes_to_base64url(text + len, mac, sizeof mac);
    return (int)(len + HMAC_TEXT_LEN);
}

// Where the parts of a token's text lie.
struct layout {
    const char *kid;
    size_t kid_len;
    size_t signed_len; // of the text, what the signature covers
    uint8_t payload[TOKEN_PAYLOAD_LEN];
    uint8_t mac[HMAC_LEN];
};

static bool layout_find(struct layout *layout, const char *text, size_t len)
{
    // The tail has a fixed length, so the kid is what remains in between.
    const size_t tail_len = 1 + PAYLOAD_TEXT_LEN + 1 + HMAC_TEXT_LEN;
    if (len <= PREFIX_LEN + tail_len || len >= TOKEN_TEXT_SIZE || memcmp(text, prefix, PREFIX_LEN) != 0)
        return false;
    layout->kid = text + PREFIX_LEN;
    layout->kid_len = len - PREFIX_LEN - tail_len;
    const char *payload = layout->kid + layout->kid_len + 1;
    const char *mac = payload + PAYLOAD_TEXT_LEN + 1;
    layout->signed_len = (size_t)(mac - 1 - text);
    return kid_valid(layout->kid, layout->kid_len) && payload[-1] == '.' && mac[-1] == '.' &&
           bytes_from_base64url(layout->payload, sizeof layout->payload, payload, PAYLOAD_TEXT_LEN) ==
               TOKEN_PAYLOAD_LEN &&
           bytes_from_base64url(layout->mac, sizeof layout->mac, mac, HMAC_TEXT_LEN) == HMAC_LEN;
}

int token_verify(const struct token_keys *keys, const char *text, size_t len, uint32_t now_unix_s, struct token *token)
{
    struct layout layout;
    uint8_t mac[HMAC_LEN];
    if (!layout_find(&layout, text, len))
        return ERR_MALFORMED;
    const struct token_key *key = key_find(keys, layout.kid, layout.kid_len);
    if (key == NULL)
        return ERR_AUTH;
    const struct hmac_part part = {text, layout.signed_len};
    int err = hmac_sha256(key->key, key->len, &part, 1, mac);
    if (err != 0)
        return err;
    if (!bytes_equal_secret(mac, layout.mac, sizeof mac))
        return ERR_AUTH;

    struct bytes_reader reader;
    bytes_reader_init(&reader, layout.payload, sizeof layout.payload);
    uint8_t version = bytes_u8(&reader);
    struct token found = {.kind = bytes_u8(&reader)};
    uint16_t reserved = bytes_u16(&reader);
    found.user = bytes_u64(&reader);
    found.issued = bytes_u32(&reader);
    found.expires = bytes_u32(&reader);
    if (version != VERSION || reserved != 0 || !token_possible(&found))
        return ERR_UNSUPPORTED;
    if (now_unix_s >= found.expires)
        return ERR_TIMEOUT;
    *token = found;
    return 0;
}
