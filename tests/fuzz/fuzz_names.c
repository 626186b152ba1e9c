// Names, announcements and palettes: texts of people that others are shown.
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/core/name.h"
#include "common/core/palette.h"
#include "proto/canvas_config.h"
#include "proto/keys.h"
#include "tests/fuzz/fuzz.h"

// What jansson takes for UTF-8.
static bool is_utf8(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    json_decref(json);
    return json != NULL;
}

// The skeleton of a name goes into a key of Redis, whatever the name is.
static void check_skeleton(const char *text, size_t len)
{
    char skeleton[NAME_SKELETON_SIZE], key[KEY_MAX];
    size_t skeleton_len = name_skeleton(text, len, skeleton);
    FUZZ_CHECK(skeleton_len == strlen(skeleton) && skeleton_len > 0 && skeleton_len <= 60);
    FUZZ_CHECK(strpbrk(skeleton, "{}: \r\n") == NULL && is_utf8(skeleton, skeleton_len));
    FUZZ_CHECK(key_name(key, skeleton) < KEY_MAX && key_name(key, skeleton) == strlen(key));
}

static void check_name(const char *text, size_t len)
{
    enum name_fault fault = name_check(text, len);
    FUZZ_CHECK((name_fault_text(fault) == NULL) == (fault == NAME_OK));
    if (fault != NAME_OK)
        return;
    FUZZ_CHECK(len < NAME_SIZE && memchr(text, '\0', len) == NULL && is_utf8(text, len));
    for (size_t i = 0; i < len; i++)
        FUZZ_CHECK((unsigned char)text[i] >= 0x20 && strchr("\"<>&\\'/", text[i]) == NULL);
    check_skeleton(text, len);
}

// Nobody may choose what is generated, in any case of its letters.
static void check_generated(uint64_t user)
{
    char name[NAME_SIZE], skeleton[NAME_SKELETON_SIZE];
    name_generate(user, name);
    FUZZ_CHECK(name_check(name, strlen(name)) == NAME_FAULT_RESERVED || strlen(name) > NAME_CHARS_MAX);
    FUZZ_CHECK(name_skeleton(name, strlen(name), skeleton) < NAME_SKELETON_SIZE);
    name_pseudonym(user, name);
    FUZZ_CHECK(name_check(name, strlen(name)) == NAME_FAULT_RESERVED);
}

static void check_palette(const char *text, size_t len)
{
    static struct palette palette, second;
    static char formatted[PALETTE_TEXT_SIZE];
    char error[160];
    if (palette_parse(&palette, text, len, error, sizeof error) != 0) {
        for (const char *at = error; *at != '\0'; at++)
            FUZZ_CHECK(*at >= ' ' && *at <= '~');
        return;
    }
    int formatted_len = palette_format(&palette, formatted, sizeof formatted);
    FUZZ_CHECK(formatted_len > 0 && (size_t)formatted_len == strlen(formatted));
    FUZZ_CHECK(palette_parse(&second, formatted, (size_t)formatted_len, error, sizeof error) == 0);
    FUZZ_CHECK(second.count == palette.count && palette_extends(&second, &palette));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct fuzz_in in = fuzz_begin(data, size);
    check_name(text, size);
    check_palette(text, size);
    if (canvas_announcement_valid(text, size))
        FUZZ_CHECK(is_utf8(text, size) && size <= CANVAS_ANNOUNCEMENT_MAX);
    if (size == sizeof(uint64_t)) // it takes long
        check_generated(fuzz_u64(&in));
    return 0;
}
