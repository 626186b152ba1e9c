#include "check.h"

#include "common/core/bytes.h"

static void test_little_endian_both_ways(void **state)
{
    (void)state;
    uint8_t wire[15];
    struct bytes_writer writer;
    bytes_writer_init(&writer, wire, sizeof wire);
    bytes_put_u8(&writer, 0x01);
    bytes_put_u16(&writer, 0x0302);
    bytes_put_u32(&writer, 0x07060504);
    bytes_put_u64(&writer, 0x0f0e0d0c0b0a0908);
    assert_true(bytes_fits(&writer));
    assert_int_equal(bytes_written(&writer), 15);
    for (uint8_t i = 0; i < 15; i++)
        assert_int_equal(wire[i], i + 1);

    struct bytes_reader reader;
    bytes_reader_init(&reader, wire, sizeof wire);
    assert_int_equal(bytes_u8(&reader), 0x01);
    assert_int_equal(bytes_u16(&reader), 0x0302);
    assert_int_equal(bytes_u32(&reader), 0x07060504);
    assert_false(bytes_done(&reader));
    assert_true(bytes_u64(&reader) == 0x0f0e0d0c0b0a0908);
    assert_true(bytes_done(&reader));
}

static void test_reader_stops_at_every_length(void **state)
{
    (void)state;
    const uint8_t wire[15] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (size_t len = 0; len < sizeof wire; len++) {
        struct bytes_reader reader;
        bytes_reader_init(&reader, check_guarded(wire, len), len);
        (void)bytes_u8(&reader);
        (void)bytes_u16(&reader);
        (void)bytes_u32(&reader);
        assert_true(bytes_u64(&reader) == 0);
        assert_false(bytes_ok(&reader));
        assert_false(bytes_done(&reader));
    }
}

static void test_reader_fault_sticks(void **state)
{
    (void)state;
    struct bytes_reader reader;
    bytes_reader_init(&reader, "abc", 3);
    assert_int_equal(bytes_u32(&reader), 0);
    assert_int_equal(bytes_u8(&reader), 0);
    assert_null(bytes_take(&reader, 0));
    assert_int_equal(bytes_left(&reader), 0);
}

static void test_take_of_huge_length(void **state)
{
    (void)state;
    struct bytes_reader reader;
    bytes_reader_init(&reader, "abc", 3);
    assert_null(bytes_take(&reader, SIZE_MAX));
    assert_false(bytes_ok(&reader));
}

static void test_empty_reader(void **state)
{
    (void)state;
    struct bytes_reader reader;
    bytes_reader_init(&reader, NULL, 0);
    assert_true(bytes_done(&reader));
    assert_non_null(bytes_take(&reader, 0));
    assert_int_equal(bytes_u8(&reader), 0);
    assert_false(bytes_ok(&reader));
}

static void test_writer_stops_and_keeps_what_is_written(void **state)
{
    (void)state;
    struct bytes_writer writer;
    bytes_writer_init(&writer, check_guarded("....", 4), 4);
    bytes_put_u16(&writer, 0x6261);
    bytes_put_u32(&writer, 0);
    bytes_put_u8(&writer, 0);
    bytes_put(&writer, "x", 1);
    assert_null(bytes_reserve(&writer, 1));
    assert_false(bytes_fits(&writer));
    assert_int_equal(bytes_written(&writer), 2);
    assert_memory_equal(writer.start, "ab..", 4);
}

static void test_writer_of_no_room(void **state)
{
    (void)state;
    struct bytes_writer writer;
    bytes_writer_init(&writer, NULL, 0);
    bytes_put(&writer, NULL, 0);
    assert_true(bytes_fits(&writer));
    bytes_put_u8(&writer, 1);
    assert_false(bytes_fits(&writer));
}

static void test_hex(void **state)
{
    (void)state;
    char text[BYTES_HEX_SIZE(4)];
    uint8_t back[4];
    bytes_to_hex(text, "\x00\x0f\xa0\xff", 4);
    assert_string_equal(text, "000fa0ff");
    assert_int_equal(bytes_from_hex(back, sizeof back, text, 8), 4);
    assert_memory_equal(back, "\x00\x0f\xa0\xff", 4);
    assert_int_equal(bytes_from_hex(back, sizeof back, "0FA0", 4), 2);
    assert_memory_equal(back, "\x0f\xa0", 2);
    assert_int_equal(bytes_from_hex(back, sizeof back, "", 0), 0);
}

static void test_hex_refused(void **state)
{
    (void)state;
    uint8_t back[4];
    assert_int_equal(bytes_from_hex(back, sizeof back, "0", 1), ERR_MALFORMED);
    assert_int_equal(bytes_from_hex(back, sizeof back, "0g", 2), ERR_MALFORMED);
    assert_int_equal(bytes_from_hex(back, sizeof back, " 0", 2), ERR_MALFORMED);
    assert_int_equal(bytes_from_hex(back, sizeof back, "0011223344", 10), ERR_FULL);
}

static void test_base64url_of_the_rfc(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char text[16];
        char back[16];
        size_t len = strlen(pairs[i][0]);
        bytes_to_base64url(text, pairs[i][0], len);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(strlen(text), BYTES_BASE64URL_LEN(len));
        assert_int_equal(bytes_from_base64url(back, len, check_guarded(text, strlen(text)), strlen(text)), (int)len);
        assert_memory_equal(back, pairs[i][0], len);
    }
}

static void test_base64url_uses_its_own_alphabet(void **state)
{
    (void)state;
    char text[8];
    bytes_to_base64url(text, "\xfb\xff\xfe", 3);
    assert_string_equal(text, "-__-");
}

static void test_base64url_refused(void **state)
{
    (void)state;
    uint8_t back[8];
    assert_int_equal(bytes_from_base64url(back, sizeof back, "Z", 1), ERR_MALFORMED);
    assert_int_equal(bytes_from_base64url(back, sizeof back, "Zg==", 4), ERR_MALFORMED);
    assert_int_equal(bytes_from_base64url(back, sizeof back, "Z+8v", 4), ERR_MALFORMED);
    assert_int_equal(bytes_from_base64url(back, sizeof back, "Zh", 2), ERR_MALFORMED);  // unused bits set
    assert_int_equal(bytes_from_base64url(back, sizeof back, "Zm9", 3), ERR_MALFORMED); // likewise
    assert_int_equal(bytes_from_base64url(back, 2, "Zm9v", 4), ERR_FULL);
}

static void test_equal_secret(void **state)
{
    (void)state;
    assert_true(bytes_equal_secret("abc", "abc", 3));
    assert_false(bytes_equal_secret("abc", "abd", 3));
    assert_false(bytes_equal_secret("abc", "xbc", 3));
    assert_true(bytes_equal_secret("a", "b", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_little_endian_both_ways),
        cmocka_unit_test(test_reader_stops_at_every_length),
        cmocka_unit_test(test_reader_fault_sticks),
        cmocka_unit_test(test_take_of_huge_length),
        cmocka_unit_test(test_empty_reader),
        cmocka_unit_test(test_writer_stops_and_keeps_what_is_written),
        cmocka_unit_test(test_writer_of_no_room),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hex_refused),
        cmocka_unit_test(test_base64url_of_the_rfc),
        cmocka_unit_test(test_base64url_uses_its_own_alphabet),
        cmocka_unit_test(test_base64url_refused),
        cmocka_unit_test(test_equal_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
