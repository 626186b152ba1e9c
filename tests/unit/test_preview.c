#include "check.h"

#include "gateway/preview.h"

static void test_origins(void **state)
{
    (void)state;
    char origin[PREVIEW_ORIGIN_SIZE];
    static const struct {
        const char *host, *origin;
    } cases[] = {
        {"place.example", "https://place.example"},
        {"place.example:8080", "https://place.example:8080"},
        {"127.0.0.1:1", "https://127.0.0.1:1"},
        {"[::1]", "https://[::1]"},
        {"[2001:db8::7]:443", "https://[2001:db8::7]:443"},
        {"", NULL},
        {"a b", NULL},
        {"a\"b", NULL},
        {"a<b", NULL},
        {"a&b", NULL},
        {"a'b", NULL},
        {"a/b", NULL},
        {"a@b", NULL},
        {"a_b", NULL},
        {"a]b", NULL},
        {"[::1", NULL},
        {"[g]", NULL},
        {"[]", NULL},
        {"[::1]x", NULL},
        {"::1", NULL},
        {"a:b", NULL},
        {"a:0", NULL},
        {"a:65536", NULL},
        {"a:", NULL},
        {":80", NULL},
        {"\xc3\xa4", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t len = strlen(cases[i].host);
        bool good = preview_origin("", check_guarded(cases[i].host, len), len, true, origin);
        if (good != (cases[i].origin != NULL))
            fail_msg("%s", cases[i].host);
        if (good)
            assert_string_equal(origin, cases[i].origin);
    }
    assert_false(preview_origin("", NULL, 0, true, origin));
    assert_false(preview_origin("", "a\0b", 3, true, origin));
    char longest[400];
    memset(longest, 'a', sizeof longest);
    assert_false(preview_origin("", longest, sizeof longest, true, origin));
    assert_true(preview_origin("", "a", 1, false, origin));
    assert_string_equal(origin, "http://a");
    assert_true(preview_origin("https://b", "a", 1, false, origin));
    assert_string_equal(origin, "https://b");
}

static const char *tags_of(const char *query, const struct geom *geom)
{
    static char tags[PREVIEW_TAGS_SIZE];
    size_t len = preview_tags("https://a", &(struct query){query, strlen(query)}, geom, tags);
    assert_int_equal(len, strlen(tags));
    assert_true(len > 0);
    return tags;
}

static void expect(const char *query, const struct geom *geom, const char *text)
{
    if (strstr(tags_of(query, geom), text) == NULL)
        fail_msg("%s: no %s in\n%s", query, text, tags_of(query, geom));
}

static void test_places(void **state)
{
    (void)state;
    const struct geom small = {1000, 500, 256}, large = {65536, 65536, 256};
    expect("x=10&y=20", &small, "content=\"https://a/?x=10&amp;y=20&amp;zoom=4\"");
    expect("x=10&y=20", &small, "region.png?x=-140&amp;y=-58&amp;w=300&amp;h=157&amp;scale=4\"");
    expect("x=10&y=20&zoom=32", &small, "w=37&amp;h=19&amp;scale=32\"");
    expect("x=10.9&y=20.1&zoom=0.25", &small, "w=400&amp;h=210&amp;scale=3\"");
    expect("x=10&y=20&zoom=99999", &small, "scale=32\"");
    expect("x=10&y=20&zoom=<script>", &small, "scale=4\"");
    expect("x=10&y=20", &small, "og:title\" content=\"Tessera at 10, 20\"");
    // As older sites wrote them; the first form that has a place counts.
    expect("cx=10&cy=20&px=7", &small, "zoom=7\"");
    expect("cx=10&cy=20", &small, "x=10&amp;y=20&amp;zoom=4\"");
    expect("x=10&y=20&scale=9", &small, "zoom=9\"");
    expect("x=10&y=20&cx=30&cy=40&zoom=5&px=9", &small, "x=10&amp;y=20&amp;zoom=5\"");
    expect("x=10&y=20&cx=30&cy=40&px=9", &small, "x=10&amp;y=20&amp;zoom=4\"");
    // No place, or none of this canvas: all of it, if it is served as one.
    static const char *const nowhere[] = {"", "x=1", "x=-1&y=0", "x=1000&y=0", "x=0&y=500", "x=\"><script>&y=1"};
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        expect(nowhere[i], &small, "og:image\" content=\"https://a/api/v1/canvas.png\"");
        expect(nowhere[i], &small, "og:url\" content=\"https://a/\"");
        assert_null(strstr(tags_of(nowhere[i], &small), "<script"));
    }
    expect("", &large, "region.png?x=32568&amp;y=32663&amp;w=400&amp;h=210&amp;scale=3\"");
    expect("x=65535&y=65535", &large, "x=65385&amp;y=65457&amp;");
}

static void test_room_for_the_longest(void **state)
{
    (void)state;
    const struct geom large = {65536, 65536, 256};
    char origin[PREVIEW_ORIGIN_SIZE], tags[PREVIEW_TAGS_SIZE];
    memset(origin, 'a', sizeof origin);
    origin[sizeof origin - 1] = '\0';
    const char *query = "x=65535&y=65535&zoom=32";
    assert_true(preview_tags(origin, &(struct query){query, strlen(query)}, &large, tags) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_origins), cmocka_unit_test(test_places),
                                       cmocka_unit_test(test_room_for_the_longest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
