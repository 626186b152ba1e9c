#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/proxy.h"

static const uint8_t tcp4[] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T',  '\n', 0x21, 0x11,
                               0,    12,   192,  0,    2, 7,    10,   0,   0,   1,   0x1f, 0x90, 0x00, 0x50};

// The parser sees memory of exactly this length, so that a sanitizer finds every read past it.
static ssize_t parse_exact(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    ssize_t result = proxy_parse(copy, len, out);
    free(copy);
    return result;
}

static void header_of(uint8_t *to, uint8_t command, uint8_t family, size_t body)
{
    memcpy(to, tcp4, 12);
    to[12] = command;
    to[13] = family;
    to[14] = (uint8_t)(body >> 8);
    to[15] = (uint8_t)body;
}

static void test_tcp4(void **state)
{
    (void)state;
    struct proxy_header header;
    assert_int_equal(parse_exact(tcp4, sizeof tcp4, &header), sizeof tcp4);
    assert_true(header.has_address);
    const uint8_t want[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
    assert_memory_equal(header.source.bytes, want, 16);
    assert_int_equal(header.port, 8080);
}

static void test_every_truncation_is_partial(void **state)
{
    (void)state;
    struct proxy_header header;
    for (size_t len = 0; len < sizeof tcp4; len++) {
        assert_int_equal(parse_exact(tcp4, len, &header), 0);
        assert_in_range(proxy_want(tcp4, len), 1, sizeof tcp4 - len);
    }
    assert_int_equal(proxy_want(tcp4, sizeof tcp4), 0);
}

static void test_never_wants_beyond_the_header(void **state)
{
    (void)state;
    assert_int_equal(proxy_want(tcp4, 0), 16);
    assert_int_equal(proxy_want(tcp4, 15), 1);
    assert_int_equal(proxy_want(tcp4, 16), 12);
}

static void test_wrong_bytes_are_found_at_once(void **state)
{
    (void)state;
    struct proxy_header header;
    for (size_t at = 0; at < 12; at++) {
        uint8_t bytes[sizeof tcp4];
        memcpy(bytes, tcp4, sizeof bytes);
        bytes[at] ^= 0x20;
        assert_int_equal(parse_exact(bytes, at, &header), 0);
        assert_int_equal(parse_exact(bytes, at + 1, &header), ERR_MALFORMED);
    }
    assert_int_equal(parse_exact((const uint8_t *)"GET / HTTP/1.1\r\n", 16, &header), ERR_MALFORMED);
    assert_int_equal(parse_exact((const uint8_t *)"PROXY TCP4 1.2.3", 16, &header), ERR_MALFORMED);
}

static void test_commands_and_families(void **state)
{
    (void)state;
    struct proxy_header header;
    uint8_t bytes[PROXY_LEN_MAX] = {0};
    header_of(bytes, 0x20, 0x00, 0);
    assert_int_equal(parse_exact(bytes, 16, &header), 16);
    assert_false(header.has_address);
    header_of(bytes, 0x21, 0x00, 7);
    assert_int_equal(parse_exact(bytes, 23, &header), 23);
    assert_false(header.has_address);
    header_of(bytes, 0x20, 0x11, 12); // LOCAL: the addresses are to be ignored
    assert_int_equal(parse_exact(bytes, 28, &header), 28);
    assert_false(header.has_address);
    header_of(bytes, 0x21, 0x21, 36);
    bytes[16] = 0x20;
    bytes[17] = 0x01;
    assert_int_equal(parse_exact(bytes, 52, &header), 52);
    assert_true(header.has_address);
    assert_int_equal(header.source.bytes[0], 0x20);
    header_of(bytes, 0x22, 0x11, 12);
    assert_int_equal(parse_exact(bytes, 13, &header), ERR_MALFORMED);
    header_of(bytes, 0x11, 0x11, 12); // version 1 in the binary form
    assert_int_equal(parse_exact(bytes, 28, &header), ERR_MALFORMED);
    header_of(bytes, 0x21, 0x12, 12); // UDP
    assert_int_equal(parse_exact(bytes, 28, &header), ERR_UNSUPPORTED);
    header_of(bytes, 0x21, 0x31, 216); // Unix
    assert_int_equal(parse_exact(bytes, 232, &header), ERR_UNSUPPORTED);
}

static void test_lengths(void **state)
{
    (void)state;
    struct proxy_header header;
    uint8_t bytes[PROXY_LEN_MAX + 1] = {0};
    header_of(bytes, 0x21, 0x11, 11); // too short for its family
    assert_int_equal(parse_exact(bytes, 27, &header), ERR_MALFORMED);
    header_of(bytes, 0x21, 0x21, 35);
    assert_int_equal(parse_exact(bytes, 51, &header), ERR_MALFORMED);
    header_of(bytes, 0x21, 0x11, PROXY_LEN_MAX - 16); // with TLVs, just fits
    assert_int_equal(parse_exact(bytes, PROXY_LEN_MAX - 1, &header), 0);
    assert_int_equal(parse_exact(bytes, PROXY_LEN_MAX, &header), PROXY_LEN_MAX);
    header_of(bytes, 0x21, 0x11, PROXY_LEN_MAX - 15);
    assert_int_equal(parse_exact(bytes, 16, &header), ERR_RANGE);
    header_of(bytes, 0x21, 0x11, 0xffff);
    assert_int_equal(parse_exact(bytes, 16, &header), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp4),
        cmocka_unit_test(test_every_truncation_is_partial),
        cmocka_unit_test(test_never_wants_beyond_the_header),
        cmocka_unit_test(test_wrong_bytes_are_found_at_once),
        cmocka_unit_test(test_commands_and_families),
        cmocka_unit_test(test_lengths),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
