#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "proto/admin_proto.h"

static uint8_t nonce[ADMIN_NONCE_LEN], other[ADMIN_NONCE_LEN], mac[ADMIN_MAC_LEN];
static uint8_t message[ADMIN_COMMAND_MAX + 2 * ADMIN_OVERHEAD];

static void fill(void)
{
    memset(nonce, 1, sizeof nonce);
    memset(other, 2, sizeof other);
    memset(mac, 3, sizeof mac);
}

static size_t command_of(size_t json_len)
{
    static uint8_t json[ADMIN_COMMAND_MAX + 1];
    memset(json, 'x', sizeof json);
    size_t at = admin_encode_head(message, ADMIN_COMMAND, 7, json_len);
    memcpy(message + at, json, json_len);
    at += json_len;
    return at + admin_encode_mac(message + at, mac);
}

static void test_messages_come_back(void **state)
{
    (void)state;
    struct admin_message out;
    fill();
    assert_int_equal(admin_decode(message, admin_encode_challenge(message, nonce), &out), 0);
    assert_true(out.type == ADMIN_CHALLENGE && out.version == ADMIN_VERSION);
    assert_memory_equal(out.nonce, nonce, sizeof nonce);
    assert_int_equal(admin_decode(message, admin_encode_response(message, nonce, mac), &out), 0);
    assert_true(out.type == ADMIN_RESPONSE && out.version == ADMIN_VERSION);
    assert_memory_equal(out.mac, mac, sizeof mac);
    assert_int_equal(admin_decode(message, admin_encode_accept(message, mac), &out), 0);
    assert_int_equal(out.type, ADMIN_ACCEPT);
    size_t len = command_of(5);
    assert_int_equal(admin_decode(message, len, &out), 0);
    assert_true(out.type == ADMIN_COMMAND && out.number == 7 && out.json_len == 5);
    assert_memory_equal(out.json, "xxxxx", 5);
    assert_memory_equal(out.mac, mac, sizeof mac);
}

static void test_cut_long_and_strange_refused(void **state)
{
    (void)state;
    struct admin_message out;
    fill();
    size_t len = command_of(5);
    for (size_t cut = 0; cut < len; cut++)
        assert_int_equal(admin_decode(message, cut, &out), ERR_MALFORMED);
    message[len] = 0;
    assert_int_equal(admin_decode(message, len + 1, &out), ERR_MALFORMED);
    assert_int_equal(admin_decode(message, command_of(ADMIN_COMMAND_MAX), &out), 0);
    assert_int_equal(admin_decode(message, command_of(ADMIN_COMMAND_MAX + 1), &out), ERR_MALFORMED);
    // [6], [0], and a mac that is one byte short.
    assert_int_equal(admin_decode((const uint8_t *)"\x91\x06", 2, &out), ERR_MALFORMED);
    assert_int_equal(admin_decode((const uint8_t *)"\x91\x00", 2, &out), ERR_MALFORMED);
    len = admin_encode_accept(message, mac);
    message[len - ADMIN_MAC_LEN - 1]--;
    assert_int_equal(admin_decode(message, len - 1, &out), ERR_MALFORMED);
}

// Each mac is of its own purpose: one can never be shown for another, nor be turned around to whoever made it.
static void test_macs_differ(void **state)
{
    (void)state;
    uint8_t macs[7][ADMIN_MAC_LEN];
    fill();
    const struct admin_keys keys = {"secret", 6, nonce, other}, turned = {"secret", 6, other, nonce};
    assert_int_equal(admin_mac_ctl(&keys, macs[0]), 0);
    assert_int_equal(admin_mac_port(&keys, macs[1]), 0);
    assert_int_equal(admin_session_key(&keys, macs[2]), 0);
    assert_int_equal(admin_mac_ctl(&turned, macs[3]), 0);
    assert_int_equal(admin_mac_message(macs[2], ADMIN_COMMAND, 1, "{}", 2, macs[4]), 0);
    assert_int_equal(admin_mac_message(macs[2], ADMIN_ANSWER, 1, "{}", 2, macs[5]), 0);
    assert_int_equal(admin_mac_message(macs[2], ADMIN_COMMAND, 2, "{}", 2, macs[6]), 0);
    for (int i = 0; i < 7; i++) {
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(macs[i], macs[k], ADMIN_MAC_LEN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_come_back),
        cmocka_unit_test(test_cut_long_and_strange_refused),
        cmocka_unit_test(test_macs_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
