#include "common/core/name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/core/mix.h"
#include "common/core/name_impl.h"
#include "common/core/name_words.h"

#define NUMBERS 100000u

// Different for the two, so that nothing follows from one for the other.
#define NAME_SALT UINT64_C(0x6e616d6573313a31)
#define PSEUDONYM_SALT UINT64_C(0x65726173656431ff)

// ---- Without asking -------------------------------------------------------------------------------------------------

void name_generate(uint64_t user, char to[NAME_SIZE])
{
    uint64_t hash = mix_final(mix_final(user ^ NAME_SALT) + NAME_SALT);
    snprintf(to, NAME_SIZE, "%s %s %u", name_adjectives[hash % NAME_WORDS], name_nouns[(hash >> 8) % NAME_WORDS],
             (unsigned)((hash >> 16) % NUMBERS));
}

void name_pseudonym(uint64_t user, char to[NAME_SIZE])
{
    uint64_t hash = mix_final(mix_final(user ^ PSEUDONYM_SALT) + PSEUDONYM_SALT);
    snprintf(to, NAME_SIZE, "erased-%08" PRIx32, (uint32_t)(hash >> 32));
}

// ---- The alphabet ---------------------------------------------------------------------------------------------------

static const struct {
    uint16_t from, to;
    uint8_t script;
} ranges[] = {
    {' ', ' ', NAME_SEPARATOR},      {'-', '.', NAME_SEPARATOR},      {'0', '9', NAME_COMMON},
    {'A', 'Z', NAME_LATIN},          {'_', '_', NAME_SEPARATOR},      {'a', 'z', NAME_LATIN},
    {0x00c0, 0x00d6, NAME_LATIN},    {0x00d8, 0x00f6, NAME_LATIN},    {0x00f8, 0x0131, NAME_LATIN},
    {0x0134, 0x013e, NAME_LATIN},    {0x0141, 0x0148, NAME_LATIN},    {0x014a, 0x017e, NAME_LATIN},
    {0x0386, 0x0386, NAME_GREEK},    {0x0388, 0x038a, NAME_GREEK},    {0x038c, 0x038c, NAME_GREEK},
    {0x038e, 0x03a1, NAME_GREEK},    {0x03a3, 0x03ce, NAME_GREEK},    {0x0400, 0x045f, NAME_CYRILLIC},
    {0x0490, 0x0493, NAME_CYRILLIC}, {0x049a, 0x049b, NAME_CYRILLIC}, {0x04a2, 0x04a3, NAME_CYRILLIC},
    {0x04ae, 0x04b3, NAME_CYRILLIC}, {0x04ba, 0x04bb, NAME_CYRILLIC}, {0x04d8, 0x04d9, NAME_CYRILLIC},
    {0x04e8, 0x04e9, NAME_CYRILLIC}, {0x05d0, 0x05ea, NAME_HEBREW},   {0x0621, 0x063a, NAME_ARABIC},
    {0x0641, 0x064a, NAME_ARABIC},   {0x0679, 0x0679, NAME_ARABIC},   {0x067e, 0x067e, NAME_ARABIC},
    {0x0686, 0x0686, NAME_ARABIC},   {0x0688, 0x0688, NAME_ARABIC},   {0x0691, 0x0691, NAME_ARABIC},
    {0x0698, 0x0698, NAME_ARABIC},   {0x06a9, 0x06a9, NAME_ARABIC},   {0x06af, 0x06af, NAME_ARABIC},
    {0x06ba, 0x06ba, NAME_ARABIC},   {0x06be, 0x06be, NAME_ARABIC},   {0x06c1, 0x06c1, NAME_ARABIC},
    {0x06cc, 0x06cc, NAME_ARABIC},   {0x06d2, 0x06d2, NAME_ARABIC},   {0x3005, 0x3005, NAME_HAN},
    {0x3041, 0x3096, NAME_HAN},      {0x30a1, 0x30fa, NAME_HAN},      {0x30fc, 0x30fc, NAME_HAN},
    {0x4e00, 0x9fff, NAME_HAN},      {0xac00, 0xd7a3, NAME_HANGUL},
};

enum name_script name_script_of(uint32_t c)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0] && ranges[i].from <= c; i++)
        if (c <= ranges[i].to)
            return (enum name_script)ranges[i].script;
    return NAME_NONE;
}

uint32_t name_next(const char **at, const char *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800};
    const uint8_t *s = (const uint8_t *)*at;
    size_t left = (size_t)(end - *at);
    size_t len = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 : (s[0] & 0xf0) == 0xe0 ? 3 : 0;
    if (len == 0 || len > left)
        return 0;
    uint32_t c = len == 1 ? s[0] : len == 2 ? s[0] & 0x1fu : s[0] & 0x0fu;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    *at += len;
    return c >= least[len] && (c < 0xd800 || c > 0xdfff) ? c : 0;
}

// ---- What is kept back ----------------------------------------------------------------------------------------------

// Those who run the place; and what erased users are called.
static const char *const reserved[] = {
    "admin",  "administrator", "mod",  "moderator", "operator", "owner",  "root",    "staff", "support",
    "system", "tessera",       "team", "official",  "server",   "erased", "deleted", "guest", "anonymous",
};

// A digit, or what a skeleton has instead of one.
static bool only_digits(const char *text)
{
    return text[strspn(text, "0123456789ol")] == '\0';
}

// The part of a skeleton behind that of `word`; NULL when it does not begin with it.
static const char *behind(const char *skeleton, const char *word)
{
    char start[NAME_SKELETON_SIZE];
    size_t len = name_skeleton(word, strlen(word), start);
    return strncmp(skeleton, start, len) == 0 ? skeleton + len : NULL;
}

static bool looks_generated(const char *skeleton)
{
    for (size_t a = 0; a < NAME_WORDS; a++) {
        const char *rest = behind(skeleton, name_adjectives[a]);
        for (size_t n = 0; rest != NULL && n < NAME_WORDS; n++) {
            const char *number = behind(rest, name_nouns[n]);
            if (number != NULL && number[0] != '\0' && only_digits(number))
                return true;
        }
    }
    return false;
}

static bool is_reserved(const char *skeleton)
{
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++) {
        const char *rest = behind(skeleton, reserved[i]);
        if (rest != NULL && only_digits(rest))
            return true;
    }
    // "erased-" and hex digits.
    const char *rest = behind(skeleton, "erased");
    return (rest != NULL && rest[strspn(rest, "0123456789abcdefol")] == '\0') || looks_generated(skeleton);
}

// ---- A chosen one ---------------------------------------------------------------------------------------------------

enum name_fault name_check(const char *text, size_t len)
{
    const char *at = text, *end = text + len;
    enum name_script script = NAME_NONE, before = NAME_SEPARATOR;
    unsigned chars = 0;
    bool mixed = false, separated = false;
    while (at < end) {
        enum name_script now = name_script_of(name_next(&at, end));
        if (now == NAME_NONE)
            return NAME_FAULT_CHARACTER;
        if (++chars > NAME_CHARS_MAX)
            return NAME_FAULT_LENGTH;
        separated |= now == NAME_SEPARATOR && before == NAME_SEPARATOR;
        if (now >= NAME_LATIN) {
            mixed |= script != NAME_NONE && script != now;
            script = now;
        }
        before = now;
    }
    if (chars < (script >= NAME_HAN ? NAME_CHARS_MIN - 1 : NAME_CHARS_MIN))
        return NAME_FAULT_LENGTH;
    if (separated || before == NAME_SEPARATOR)
        return NAME_FAULT_SEPARATOR;
    if (mixed)
        return NAME_FAULT_SCRIPT;
    if (script == NAME_NONE)
        return NAME_FAULT_NO_LETTER;
    char skeleton[NAME_SKELETON_SIZE];
    name_skeleton(text, len, skeleton);
    return is_reserved(skeleton) ? NAME_FAULT_RESERVED : NAME_OK;
}

const char *name_fault_text(enum name_fault fault)
{
    static const char *const texts[] = {NULL, "length", "character", "script", "separator", "no_letter", "reserved"};
    return texts[fault];
}
