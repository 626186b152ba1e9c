#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/canvas_config.h"

#define FIELDS 20

static const char *const good[FIELDS] = {
    "version",
    "3",
    "width",
    "2000",
    "height",
    "1000",
    "edge",
    "128",
    "cooldown_ms",
    "300000",
    "palette",
    "white=#FFFFFF,black=#000000",
    "user_groups",
    "64",
    "read_only",
    "1",
    "later",
    "whatever",
    "guests_per_address",
    "16",
};

static struct canvas_config config;
static char error[160];

static int parse(const char *const *fields, size_t count)
{
    size_t lens[FIELDS];
    for (size_t i = 0; i < count; i++)
        lens[i] = strlen(fields[i]);
    error[0] = '\0';
    return canvas_config_parse(fields, lens, count, &config, error, sizeof error);
}

static void test_reads_all_fields(void **state)
{
    (void)state;
    assert_int_equal(parse(good, FIELDS), 0);
    assert_int_equal(config.version, 3);
    assert_int_equal(config.geom.width, 2000);
    assert_int_equal(config.geom.height, 1000);
    assert_int_equal(config.geom.edge, 128);
    assert_int_equal(config.cooldown_ms, 300000);
    assert_int_equal(config.guests_per_address, 16);
    assert_true(config.read_only);
    assert_int_equal(config.palette.count, 2);
    assert_string_equal(config.palette.colors[1].name, "black");
}

// Of a canvas of before, the later fields are missing; a restore that is under way is read-only for everybody.
static void test_later_fields(void **state)
{
    (void)state;
    const char *fields[FIELDS];
    memcpy(fields, good, sizeof fields);
    assert_int_equal(strcmp(fields[14], "read_only") + strcmp(fields[16], "later"), 0);
    fields[15] = "0";
    assert_int_equal(parse(fields, FIELDS), 0);
    assert_true(!config.read_only && !config.closed && config.restores == 0 && config.announced_len == 0);
    fields[16] = "restores";
    fields[17] = "3";
    assert_int_equal(parse(fields, FIELDS), 0);
    assert_true(config.read_only && !config.closed && config.restores == 3);
    fields[17] = "4";
    assert_int_equal(parse(fields, FIELDS), 0);
    assert_false(config.read_only);
    fields[16] = "announcement";
    fields[17] = "at eight";
    assert_int_equal(parse(fields, FIELDS), 0);
    assert_int_equal(config.announced_len, 8);
    assert_string_equal(config.announced, "at eight");
    fields[17] = "a\nb";
    assert_int_equal(parse(fields, FIELDS), ERR_MALFORMED);
}

static void test_announcements(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good;
    } texts[] = {
        {"", true},
        {"\xc3\x9c"
         "bung \xe2\x82\xac \xf0\x9f\x8e\xa8",
         true},
        {"tab\t", false},
        {"line\n", false},
        {"\x7f", false},
        {"\xc2\x85", false},         // a control character of the upper range
        {"\xc3", false},             // cut
        {"\xe2\x82", false},         // cut
        {"\xc0\x80", false},         // too long a form
        {"\xe0\x80\x80", false},     // likewise
        {"\xed\xa0\x80", false},     // half of a pair
        {"\xf4\x90\x80\x80", false}, // past the last
        {"\xff", false},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(canvas_announcement_valid(texts[i].text, strlen(texts[i].text)), texts[i].good);
    char longest[CANVAS_ANNOUNCEMENT_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_true(canvas_announcement_valid(longest, sizeof longest - 1));
    assert_false(canvas_announcement_valid(longest, sizeof longest));
}

static void assert_refused(const char *field, const char *value)
{
    const char *fields[FIELDS];
    memcpy(fields, good, sizeof fields);
    for (size_t i = 0; i < FIELDS; i += 2) {
        if (strcmp(fields[i], field) == 0)
            fields[i + 1] = value;
    }
    if (parse(fields, FIELDS) != ERR_MALFORMED)
        fail_msg("taken: %s = %s", field, value);
    assert_non_null(strstr(error, field));
}

static void test_refuses_what_cannot_be(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"version", "0"},
        {"version", ""},
        {"version", "4294967296"},
        {"width", "0"},
        {"width", "65537"},
        {"height", "-1"},
        {"height", "1e3"},
        {"edge", "63"},
        {"edge", "100"},
        {"edge", "257"},
        {"cooldown_ms", "86400001"},
        {"cooldown_ms", " 5"},
        {"guests_per_address", "1025"},
        {"user_groups", "32"},
        {"read_only", "2"},
        {"read_only", "true"},
        {"palette", ""},
        {"palette", "white=#FFFFFF"},
        {"width", "99999999999999999999"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i][0], bad[i][1]);
}

static void test_refuses_what_lacks_a_field(void **state)
{
    (void)state;
    for (size_t without = 0; without < FIELDS; without += 2) {
        const char *fields[FIELDS];
        memcpy(fields, good, sizeof fields);
        fields[without] = "elsewhere";
        bool needed = strcmp(good[without], "later") != 0;
        assert_int_equal(parse(fields, FIELDS), needed ? ERR_MALFORMED : 0);
        if (needed)
            assert_non_null(strstr(error, good[without]));
    }
    assert_int_equal(parse(good, 0), ERR_MALFORMED);
}

static void test_differences_named(void **state)
{
    (void)state;
    assert_int_equal(parse(good, FIELDS), 0);
    struct canvas_config flags = config;
    char text[200] = "x";
    flags.version = 0;
    flags.read_only = false; // a state, not something that a process is started with
    assert_false(canvas_config_differs(&config, &flags, CANVAS_GIVEN_ALL, text, sizeof text));
    assert_string_equal(text, "");

    flags.geom.width = 500;
    flags.cooldown_ms = 0;
    flags.palette.count = 1;
    assert_true(canvas_config_differs(&config, &flags, CANVAS_GIVEN_ALL, text, sizeof text));
    assert_string_equal(text, "width 500 (stored 2000), cooldown_ms 0 (stored 300000), palette of 1 colors (stored 2)");

    flags.palette = config.palette;
    flags.palette.colors[0].r = 1;
    assert_true(canvas_config_differs(&config, &flags, CANVAS_GIVEN_ALL, text, sizeof text));

    // What was not given is no opinion.
    assert_false(canvas_config_differs(&config, &flags, 0, text, sizeof text));
    assert_true(canvas_config_differs(&config, &flags, CANVAS_GIVEN_COOLDOWN, text, sizeof text));
    assert_string_equal(text, "cooldown_ms 0 (stored 300000)");

    // Cut, never past the end.
    char tight[10];
    assert_true(canvas_config_differs(&config, &flags, CANVAS_GIVEN_ALL, tight, sizeof tight));
    assert_string_equal(tight, "width 500");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all_fields),
        cmocka_unit_test(test_later_fields),
        cmocka_unit_test(test_announcements),
        cmocka_unit_test(test_refuses_what_cannot_be),
        cmocka_unit_test(test_refuses_what_lacks_a_field),
        cmocka_unit_test(test_differences_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
