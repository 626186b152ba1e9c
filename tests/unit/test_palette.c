#include "check.h"

#include "common/core/palette.h"

#include <stdio.h>

static struct palette palette;
static char error[256];

static int parse(const char *text)
{
    size_t len = strlen(text);
    error[0] = '\0';
    return palette_parse(&palette, check_guarded(text, len), len, error, sizeof error);
}

static void test_default(void **state)
{
    (void)state;
    const struct palette *p = palette_default();
    assert_int_equal(p->count, 32);
    assert_string_equal(p->colors[0].name, "white");
    assert_string_equal(p->colors[1].name, "burgundy");
    assert_int_equal(p->colors[1].r, 0x6d);
    assert_int_equal(p->colors[1].b, 0x1a);
    assert_string_equal(p->colors[31].name, "light gray");
}

static void test_default_survives_its_text(void **state)
{
    (void)state;
    char text[PALETTE_TEXT_SIZE];
    int len = palette_format(palette_default(), text, sizeof text);
    assert_true(len > 0);
    assert_int_equal(strlen(text), len);
    assert_int_equal(parse(text), 0);
    assert_true(palette_extends(&palette, palette_default()));
    assert_true(palette_extends(palette_default(), &palette));
}

static void test_spaces_and_case(void **state)
{
    (void)state;
    assert_int_equal(parse(" white = #ffFFff , night sky=#001020 "), 0);
    assert_int_equal(palette.count, 2);
    assert_string_equal(palette.colors[1].name, "night sky");
    assert_int_equal(palette.colors[1].g, 0x10);
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "white",
        "white=",
        "white=#FFFFF",
        "white=#FFFFFFF",
        "white=FFFFFF",
        "white=#GGGGGG",
        "=#FFFFFF",
        "White=#FFFFFF",
        "w_ite=#FFFFFF",
        "white=#FFFFFF,",
        ",white=#FFFFFF",
        "white=#FFFFFF,white=#000000",
        "white=#FFFFFF;black=#000000",
        "a name of 32 characters is long..=#FFFFFF",
        "abcdefghijklmnopqrstuvwxyz012345=#FFFFFF",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(parse(texts[i]), ERR_MALFORMED);
        assert_true(error[0] != '\0');
    }
}

static void test_message_says_where_and_is_printable(void **state)
{
    (void)state;
    assert_int_equal(parse("white=#FFFFFF,bl\x1b[31mack=#000000"), ERR_MALFORMED);
    assert_non_null(strstr(error, "color 1"));
    assert_null(strchr(error, '\x1b'));
}

static void test_longest_name(void **state)
{
    (void)state;
    assert_int_equal(parse("abcdefghijklmnopqrstuvwxyz01234=#FFFFFF,b=#000000"), 0);
    assert_int_equal(strlen(palette.colors[0].name), 31);
}

static void test_count_bounds(void **state)
{
    (void)state;
    static char text[257 * 16];
    size_t len = 0;
    assert_int_equal(parse("white=#FFFFFF"), ERR_RANGE);
    for (int i = 0; i < 257; i++) {
        len += (size_t)sprintf(text + len, "%sc%d=#%06X", i > 0 ? "," : "", i, (unsigned)i);
        if (i == 255)
            assert_int_equal(parse(text), 0);
    }
    assert_int_equal(palette.count, 256);
    assert_int_equal(parse(text), ERR_RANGE);
}

static void test_truncated_at_every_length(void **state)
{
    (void)state;
    static const char text[] = "white=#FFFFFF,dark red=#BE0039,black=#000000";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        int err = palette_parse(&palette, check_guarded(text, len), len, error, sizeof error);
        // Only whole colors, at least two of them, are a palette.
        assert_int_equal(err == 0, len == strlen("white=#FFFFFF,dark red=#BE0039"));
    }
}

static void test_format_bound(void **state)
{
    (void)state;
    char text[28];
    assert_int_equal(parse("white=#FFFFFF,black=#000000"), 0);
    assert_int_equal(palette_format(&palette, text, 28), 27);
    assert_int_equal(palette_format(&palette, text, 27), ERR_FULL);
    assert_int_equal(palette_format(&palette, text, 5), ERR_FULL);
}

static void test_extends(void **state)
{
    (void)state;
    struct palette old;
    assert_int_equal(parse("white=#FFFFFF,black=#000000"), 0);
    old = palette;
    assert_int_equal(parse("white=#FFFFFF,black=#000000,red=#FF0000"), 0);
    assert_true(palette_extends(&palette, &old));
    assert_false(palette_extends(&old, &palette));
    assert_int_equal(parse("white=#FFFFFF,black=#000001"), 0);
    assert_false(palette_extends(&palette, &old));
    assert_int_equal(parse("white=#FFFFFF,blackish=#000000"), 0);
    assert_false(palette_extends(&palette, &old));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_default_survives_its_text),
        cmocka_unit_test(test_spaces_and_case),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_message_says_where_and_is_printable),
        cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_count_bounds),
        cmocka_unit_test(test_truncated_at_every_length),
        cmocka_unit_test(test_format_bound),
        cmocka_unit_test(test_extends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
