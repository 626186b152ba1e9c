#include "check.h"

#include "common/core/name.h"
#include "vectors.h"

#include <stdio.h>

static void check_generated(const json_t *vectors)
{
    char name[NAME_SIZE];
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(vectors, "generated"), i, item)
    {
        name_generate(field_u64(item, "user"), name);
        assert_string_equal(name, field_text(item, "name"));
        name_pseudonym(field_u64(item, "user"), name);
        assert_string_equal(name, field_text(item, "erased"));
    }
}

static enum name_fault check_copy(const char *text, size_t len)
{
    return name_check(check_guarded(text, len), len);
}

static void test_vectors(void **state)
{
    (void)state;
    json_t *vectors = vectors_load("names.json");
    char skeleton[NAME_SKELETON_SIZE];
    size_t i;
    json_t *item;
    check_generated(vectors);
    json_array_foreach(json_object_get(vectors, "allowed"), i, item)
    {
        const char *name = field_text(item, "name");
        size_t len = strlen(name);
        assert_int_equal(check_copy(name, len), NAME_OK);
        assert_int_equal(name_skeleton(check_guarded(name, len), len, skeleton), strlen(field_text(item, "skeleton")));
        assert_string_equal(skeleton, field_text(item, "skeleton"));
    }
    json_array_foreach(json_object_get(vectors, "refused"), i, item)
    {
        const json_t *name = json_object_get(item, "name");
        const char *fault = name_fault_text(check_copy(json_string_value(name), json_string_length(name)));
        assert_non_null(fault);
        assert_string_equal(fault, field_text(item, "reason"));
    }
    json_decref(vectors);
}

static void test_look_alikes(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"Bob0", "BobO"},   {"Lil", "1iI"}, {"modern", "modem"},  {"vvinter", "Winter"}, {"Zoë", "zo.e"},
        {"осаса", "ocaca"}, {"ΑΤΟ", "ATO"}, {"СССР 1", "cccp-l"}, {"Мария", "марИя"},    {"ΣΟΦΟΣ", "σοφος"},
        {"ネコ", "ねこ"},   {"علي", "علی"}, {"מים", "מימ"},       {"Łukasz", "lukasz"},  {"ЁЖИК", "ежик"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char a[NAME_SKELETON_SIZE], b[NAME_SKELETON_SIZE];
        name_skeleton(pairs[i][0], strlen(pairs[i][0]), a);
        name_skeleton(pairs[i][1], strlen(pairs[i][1]), b);
        assert_string_equal(a, b);
    }
}

// Every character of the basic plane: what is allowed has a skeleton that is itself of the alphabet, without
// separators, and the skeleton of a skeleton is itself.
static void test_every_character(void **state)
{
    (void)state;
    unsigned allowed = 0;
    for (unsigned c = 1; c < 0x10000; c++) {
        char text[16], once[NAME_SKELETON_SIZE], twice[NAME_SKELETON_SIZE];
        char one[4] = {(char)c, 0};
        if (c >= 0x800)
            snprintf(one, sizeof one, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 0x3f), 0x80 | (c & 0x3f));
        else if (c >= 0x80)
            snprintf(one, sizeof one, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 0x3f));
        int len = snprintf(text, sizeof text, "%s%s%s", one, one, one);
        if (name_check(text, (size_t)len) != NAME_OK)
            continue;
        allowed++;
        size_t n = name_skeleton(text, (size_t)len, once);
        assert_true(n > 0 && n <= 60);
        assert_int_equal(name_skeleton(once, n, twice), n);
        assert_string_equal(once, twice);
        assert_null(strpbrk(once, " -_.{}"));
    }
    assert_in_range(allowed, 32000, 33500);
}

static void test_generated_are_kept_back(void **state)
{
    (void)state;
    for (uint64_t user = 1; user < 2000; user++) {
        char name[NAME_SIZE];
        name_generate(user, name);
        assert_true(strlen(name) <= NAME_CHARS_MAX + 4u);
        if (strlen(name) <= NAME_CHARS_MAX)
            assert_int_equal(name_check(name, strlen(name)), NAME_FAULT_RESERVED);
        name_pseudonym(user, name);
        assert_int_equal(name_check(name, strlen(name)), NAME_FAULT_RESERVED);
    }
}

// Broken UTF-8 of every kind, at an unreadable page.
static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {"abc\xc3",         "abc\x80",     "abc\xc0\x80",        "abc\xe0\x80\x80",
                                        "abc\xed\xa0\x80", "abc\xe3\x81", "ab\xf0\x90\x80\x80", "abc\xff",
                                        "\xe4\xb8"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(check_copy(texts[i], strlen(texts[i])), NAME_FAULT_CHARACTER);
    uint64_t random = 1;
    for (unsigned i = 0; i < 20000; i++) {
        char text[24], skeleton[NAME_SKELETON_SIZE];
        for (size_t k = 0; k < sizeof text; k++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[k] = (char)(random >> 56);
        }
        size_t len = random >> 32 & 15;
        if (check_copy(text, len) == NAME_OK)
            assert_true(name_skeleton(text, len, skeleton) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),         cmocka_unit_test(test_look_alikes),
        cmocka_unit_test(test_every_character), cmocka_unit_test(test_generated_are_kept_back),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
