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
    assert_int_equal(proxy_want(tcp4, 0), 12); // not yet known which version
    assert_int_equal(proxy_want(tcp4, 12), 4);
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
    bytes[28] = 0x04; // a TLV to be skipped, which fills the rest
    bytes[29] = (PROXY_LEN_MAX - 31) >> 8;
    bytes[30] = (PROXY_LEN_MAX - 31) & 0xff;
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

// ---- TLVs -----------------------------------------------------------------------------------------------------------

// tcp4 with `tlvs` behind it, in `bytes`; returns the length.
static size_t with_tlvs(uint8_t *bytes, const uint8_t *tlvs, size_t len)
{
    memcpy(bytes, tcp4, sizeof tcp4);
    if (len > 0)
        memcpy(bytes + sizeof tcp4, tlvs, len);
    bytes[15] = (uint8_t)(12 + len);
    return sizeof tcp4 + len;
}

static ssize_t parse_tlvs_of(const uint8_t *tlvs, size_t len, struct proxy_header *header)
{
    uint8_t bytes[PROXY_LEN_MAX];
    return parse_exact(bytes, with_tlvs(bytes, tlvs, len), header);
}

static void test_tlvs(void **state)
{
    (void)state;
    struct proxy_header header;
    const uint8_t two[] = {0x04, 0, 1, 'x', 0xea, 0, 2, 'y', 'z'};
    assert_int_equal(parse_tlvs_of(two, sizeof two, &header), sizeof tcp4 + sizeof two);
    assert_true(header.has_address);
    assert_false(header.says_tls);
    for (size_t len = 0; len < sizeof two; len++) // cut anywhere but between the two
        assert_int_equal(parse_tlvs_of(two, len, &header) < 0, len != 0 && len != 4);
    uint8_t ssl[] = {0x20, 0, 5, 0x01, 0, 0, 0, 0};
    assert_true(parse_tlvs_of(ssl, sizeof ssl, &header) > 0);
    assert_true(header.says_tls && header.tls);
    ssl[3] = 0x06; // a certificate on another connection of the session, no TLS on this one
    assert_true(parse_tlvs_of(ssl, sizeof ssl, &header) > 0);
    assert_true(header.says_tls && !header.tls);
    const uint8_t short_ssl[] = {0x20, 0, 4, 0x01, 0, 0, 0};
    assert_int_equal(parse_tlvs_of(short_ssl, sizeof short_ssl, &header), ERR_MALFORMED);
}

// The sum was made by another implementation, one that gives e3069283 for "123456789".
static void test_crc32c(void **state)
{
    (void)state;
    struct proxy_header header;
    uint8_t tlv[] = {0x03, 0, 4, 0x31, 0xae, 0x89, 0x76};
    assert_int_equal(parse_tlvs_of(tlv, sizeof tlv, &header), sizeof tcp4 + sizeof tlv);
    for (unsigned bit = 0; bit < 32; bit++) {
        tlv[3 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(parse_tlvs_of(tlv, sizeof tlv, &header), ERR_MALFORMED);
        tlv[3 + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    tlv[2] = 3;
    assert_int_equal(parse_tlvs_of(tlv, sizeof tlv - 1, &header), ERR_MALFORMED);
}

// ---- Version 1 ------------------------------------------------------------------------------------------------------

static ssize_t parse_line(const char *line, struct proxy_header *header)
{
    return parse_exact((const uint8_t *)line, strlen(line), header);
}

static void test_v1(void **state)
{
    (void)state;
    struct proxy_header header;
    const char *line = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
    assert_int_equal(parse_line(line, &header), strlen(line));
    const uint8_t v4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7};
    assert_true(header.has_address);
    assert_memory_equal(header.source.bytes, v4, 16);
    assert_int_equal(header.port, 56324);
    line = "PROXY TCP6 2001:db8::7 2001:db8::1 1 65535\r\nGET";
    assert_int_equal(parse_line(line, &header), strlen(line) - 3);
    assert_true(header.has_address);
    assert_int_equal(header.source.bytes[15], 7);
    const char *const unknown[] = {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n",
                                   "PROXY UNKNOWN any thing\r\n"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_int_equal(parse_line(unknown[i], &header), strlen(unknown[i]));
        assert_false(header.has_address);
    }
    // What is behind the line does not count, whatever it is.
    static const uint8_t followed[] = "PROXY UNKNOWN\r\n\0";
    assert_int_equal(parse_exact(followed, sizeof followed, &header), sizeof followed - 2);
}

static void test_v1_in_pieces(void **state)
{
    (void)state;
    const char *const lines[] = {"PROXY UNKNOWN\r\n", "PROXY TCP6 :: :: 1 1\r\n",
                                 "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"};
    struct proxy_header header;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t whole = strlen(lines[i]);
        for (size_t len = 0; len < whole; len++) {
            assert_int_equal(parse_exact((const uint8_t *)lines[i], len, &header), 0);
            assert_in_range(proxy_want((const uint8_t *)lines[i], len), 1, whole - len);
        }
        assert_int_equal(parse_line(lines[i], &header), whole);
    }
}

static void test_v1_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n",
        "PROXY  TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7  198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 -1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.1 1 2\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4 2001:db8::7 198.51.100.1 1 2\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY \r\n",
        "PROXY TCP4 \r\n",
        "proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4\t192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\r\n",
    };
    struct proxy_header header;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(parse_line(bad[i], &header), ERR_MALFORMED);
    char line[PROXY_V1_LEN_MAX + 1] = "PROXY UNKNOWN ";
    memset(line + 14, 'x', sizeof line - 14);
    assert_int_equal(parse_exact((uint8_t *)line, PROXY_V1_LEN_MAX - 1, &header), 0);
    assert_int_equal(parse_exact((uint8_t *)line, PROXY_V1_LEN_MAX, &header), ERR_RANGE);
    line[PROXY_V1_LEN_MAX - 2] = '\r';
    line[PROXY_V1_LEN_MAX - 1] = '\n';
    assert_int_equal(parse_exact((uint8_t *)line, PROXY_V1_LEN_MAX, &header), PROXY_V1_LEN_MAX);
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
        cmocka_unit_test(test_tlvs),
        cmocka_unit_test(test_crc32c),
        cmocka_unit_test(test_v1),
        cmocka_unit_test(test_v1_in_pieces),
        cmocka_unit_test(test_v1_refused),
    };
    return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
