// The text encodings of bytes.h.

#include "common/core/bytes.h"

#include <limits.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void bytes_to_hex(char *text, const void *data, size_t len)
{
    const uint8_t *at = data;
    for (size_t i = 0; i < len; i++) {
        *text++ = hex_digits[at[i] >> 4];
        *text++ = hex_digits[at[i] & 15];
    }
    *text = '\0';
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

int bytes_from_hex(void *data, size_t capacity, const char *text, size_t text_len)
{
    if (text_len % 2 != 0)
        return ERR_MALFORMED;
    if (text_len / 2 > capacity || text_len / 2 > INT_MAX)
        return ERR_FULL;
    uint8_t *out = data;
    for (size_t i = 0; i < text_len; i += 2) {
        int high = hex_value(text[i]);
        int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0)
            return ERR_MALFORMED;
        *out++ = (uint8_t)(high << 4 | low);
    }
    return (int)(text_len / 2);
}

void bytes_to_base64url(char *text, const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t held = 0; // bits not yet written, in the low end
    unsigned bits = 0;
    for (size_t i = 0; i < len; i++) {
        held = held << 8 | at[i];
        bits += 8;
        while (bits >= 6) {
            bits -= 6;
            *text++ = base64url_digits[held >> bits & 63];
        }
    }
    if (bits > 0)
        *text++ = base64url_digits[held << (6 - bits) & 63];
    *text = '\0';
}

static int base64url_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    if (digit == '-')
        return 62;
    if (digit == '_')
        return 63;
    return -1;
}

int bytes_from_base64url(void *data, size_t capacity, const char *text, size_t text_len)
{
    size_t len = text_len / 4 * 3 + text_len % 4 * 3 / 4;
    if (text_len % 4 == 1)
        return ERR_MALFORMED;
    if (len > capacity || len > INT_MAX)
        return ERR_FULL;
    uint8_t *out = data;
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < text_len; i++) {
        int value = base64url_value(text[i]);
        if (value < 0)
            return ERR_MALFORMED;
        held = held << 6 | (uint32_t)value;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            *out++ = (uint8_t)(held >> bits & 0xff);
        }
    }
    // Bits beyond the last byte would give one value several texts.
    if ((held & ((1u << bits) - 1)) != 0)
        return ERR_MALFORMED;
    return (int)len;
}

// Bytes of the UTF-8 sequence at `at` (RFC 3629), 0: none, or a control character.
static size_t utf8_len(const uint8_t *at, size_t left)
{
    static const struct {
        uint8_t first_min, first_max, second_min, second_max;
        size_t len;
    } forms[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f ? 1 : 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (at[0] < forms[i].first_min || at[0] > forms[i].first_max)
            continue;
        if (left < forms[i].len || at[1] < forms[i].second_min || at[1] > forms[i].second_max)
            return 0;
        for (size_t k = 2; k < forms[i].len; k++) {
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        }
        // C1 controls: U+0080 to U+009F.
        return at[0] == 0xc2 && at[1] < 0xa0 ? 0 : forms[i].len;
    }
    return 0;
}

bool bytes_is_text(const void *text, size_t len)
{
    const uint8_t *bytes = text;
    for (size_t at = 0, step; at < len; at += step) {
        step = utf8_len(bytes + at, len - at);
        if (step == 0)
            return false;
    }
    return true;
}

bool bytes_equal_secret(const void *a, const void *b, size_t len)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint8_t differ = 0;
    for (size_t i = 0; i < len; i++)
        differ |= (uint8_t)(left[i] ^ right[i]);
    return differ == 0;
}
