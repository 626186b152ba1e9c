#include "check.h"

#include "common/core/bytes.h"
#include "common/core/hmac.h"
#include "common/core/token.h"

#include <stdio.h>

#define HEX32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define OTHER32 "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct token sample = {.kind = TOKEN_GUEST, .user = 0x1122334455667788, .issued = 1000, .expires = 2000};

static struct token_keys keys;
static char error[128];

static int parse(const char *text)
{
    return token_keys_parse(&keys, check_guarded(text, strlen(text)), strlen(text), error, sizeof error);
}

static int verify(const char *text, size_t len, uint32_t now)
{
    struct token token;
    return token_verify(&keys, check_guarded(text, len), len, now, &token);
}

static void test_hmac_of_rfc_4231(void **state)
{
    (void)state;
    uint8_t mac[HMAC_LEN];
    char hex[BYTES_HEX_SIZE(HMAC_LEN)];
    const struct hmac_part parts[] = {{"what do ya want ", 16}, {NULL, 0}, {"for nothing?", 12}};
    assert_int_equal(hmac_sha256("Jefe", 4, parts, 3, mac), 0);
    bytes_to_hex(hex, mac, sizeof mac);
    assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

static void test_keys(void **state)
{
    (void)state;
    assert_int_equal(parse("# comment\n\n new " HEX32 " \r\nold_1 " OTHER32), 0);
    assert_int_equal(keys.count, 2);
    assert_string_equal(keys.keys[0].kid, "new");
    assert_int_equal(keys.keys[1].len, 32);
    assert_int_equal(parse("k " HEX32 HEX32 "\n"), 0);
    assert_int_equal(keys.keys[0].len, 64);
}

static void test_keys_refused(void **state)
{
    (void)state;
    assert_int_equal(parse(""), ERR_NOT_FOUND);
    assert_int_equal(parse("# nothing\n"), ERR_NOT_FOUND);
    assert_int_equal(parse("k"), ERR_RANGE);
    assert_int_equal(parse("k 0011\n"), ERR_RANGE);
    assert_int_equal(parse("k " HEX32 HEX32 "00\n"), ERR_RANGE);
    assert_int_equal(parse("k " HEX32 "0\n"), ERR_MALFORMED);
    assert_int_equal(parse("k x" HEX32 "\n"), ERR_MALFORMED);
    assert_int_equal(parse("K " HEX32 "\n"), ERR_MALFORMED);
    assert_int_equal(parse("k.k " HEX32 "\n"), ERR_MALFORMED);
    assert_int_equal(parse("12345678901234567 " HEX32 "\n"), ERR_MALFORMED);
    assert_int_equal(parse("k " HEX32 " more\n"), ERR_MALFORMED);
    assert_int_equal(parse("k " HEX32 "\nk " OTHER32 "\n"), ERR_MALFORMED);
    assert_int_equal(parse("a " HEX32 "\nb " HEX32 "\nc " HEX32 "\n"), ERR_FULL);
    assert_non_null(strstr(error, "line 3"));
    assert_null(strstr(error, "0001"));
    assert_int_equal(keys.count, 0);
}

static void test_there_and_back(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_SIZE];
    struct token token = {0};
    assert_int_equal(parse("k1 " HEX32), 0);
    int len = token_sign(&keys, &sample, text);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(text, "t1.k1.", 6);
    assert_int_equal(token_verify(&keys, text, (size_t)len, 1999, &token), 0);
    assert_int_equal(token.kind, TOKEN_GUEST);
    assert_true(token.user == sample.user);
    assert_int_equal(token.issued, 1000);
    assert_int_equal(token.expires, 2000);
    assert_int_equal(verify(text, (size_t)len, 2000), ERR_TIMEOUT);
}

// The form is public: bots keep tokens, and other programs may issue them.
static void test_known_token(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_SIZE];
    assert_int_equal(parse("k1 " HEX32), 0);
    assert_true(token_sign(&keys, &sample, text) > 0);
    assert_memory_equal(text, "t1.k1.AQEAAIh3ZlVEMyIR6AMAANAHAAA.", 34);
}

static void test_longest_kid(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_SIZE];
    assert_int_equal(parse("1234567890123456 " HEX32), 0);
    int len = token_sign(&keys, &sample, text);
    assert_int_equal(len, 3 + 16 + 1 + 27 + 1 + 43);
    assert_int_equal(verify(text, (size_t)len, 1500), 0);
}

static void test_rotation(void **state)
{
    (void)state;
    char old[TOKEN_TEXT_SIZE];
    assert_int_equal(parse("old " HEX32), 0);
    int len = token_sign(&keys, &sample, old);
    assert_int_equal(parse("new " OTHER32 "\nold " HEX32), 0);
    assert_int_equal(verify(old, (size_t)len, 1500), 0);
    assert_int_equal(parse("new " OTHER32), 0);
    assert_int_equal(verify(old, (size_t)len, 1500), ERR_AUTH);
    assert_int_equal(parse("old " OTHER32), 0);
    assert_int_equal(verify(old, (size_t)len, 1500), ERR_AUTH);
}

static void test_truncated_at_every_length_and_every_bit_flipped(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_SIZE + 1];
    assert_int_equal(parse("k1 " HEX32), 0);
    size_t len = (size_t)token_sign(&keys, &sample, text);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(verify(text, i, 1500), ERR_MALFORMED);
    text[len] = 'A';
    assert_int_equal(verify(text, len + 1, 1500), ERR_MALFORMED);
    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            text[i] = (char)(text[i] ^ (1 << bit));
            int err = verify(text, len, 1500);
            assert_true(err == ERR_MALFORMED || err == ERR_AUTH);
            text[i] = (char)(text[i] ^ (1 << bit));
        }
    }
    assert_int_equal(verify(text, len, 1500), 0);
}

// Signed with a good key, but of a kind to come.
static void test_signed_but_unknown(void **state)
{
    (void)state;
    const uint8_t good[TOKEN_PAYLOAD_LEN] = {1, 1, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0, 0};
    static const struct {
        int offset; // -1 = nothing changed
        uint8_t value;
        int err;
    } cases[] = {{-1, 0, 0},
                 {0, 2, ERR_UNSUPPORTED},
                 {1, 2, ERR_UNSUPPORTED},
                 {2, 1, ERR_UNSUPPORTED},
                 {4, 0, ERR_UNSUPPORTED},
                 {15, 1, ERR_UNSUPPORTED}};
    assert_int_equal(parse("k1 " HEX32), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t payload[TOKEN_PAYLOAD_LEN];
        uint8_t mac[HMAC_LEN];
        char text[TOKEN_TEXT_SIZE] = "t1.k1.";
        memcpy(payload, good, sizeof payload);
        if (cases[i].offset >= 0)
            payload[cases[i].offset] = cases[i].value;
        bytes_to_base64url(text + 6, payload, sizeof payload);
        const struct hmac_part part = {text, strlen(text)};
        assert_int_equal(hmac_sha256(keys.keys[0].key, 32, &part, 1, mac), 0);
        strcat(text, ".");
        bytes_to_base64url(text + strlen(text), mac, sizeof mac);
        assert_int_equal(verify(text, strlen(text), 5), cases[i].err);
    }
}

static void test_sign_refused(void **state)
{
    (void)state;
    char text[TOKEN_TEXT_SIZE];
    struct token token = sample;
    assert_int_equal(parse("k1 " HEX32), 0);
    token.user = 0;
    assert_int_equal(token_sign(&keys, &token, text), ERR_RANGE);
    token = sample;
    token.expires = 999;
    assert_int_equal(token_sign(&keys, &token, text), ERR_RANGE);
    token_keys_fini(&keys);
    assert_int_equal(token_sign(&keys, &sample, text), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hmac_of_rfc_4231),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_keys_refused),
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_known_token),
        cmocka_unit_test(test_longest_kid),
        cmocka_unit_test(test_rotation),
        cmocka_unit_test(test_truncated_at_every_length_and_every_bit_flipped),
        cmocka_unit_test(test_signed_but_unknown),
        cmocka_unit_test(test_sign_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
