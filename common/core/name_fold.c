// Skeletons of names: what they look like.
#include <stdlib.h>
#include <string.h>

#include "common/core/name_impl.h"

// U+00C0 … U+017F without case and accents. Those of two letters are in `pairs`, those outside the alphabet are ?.
static const char latin[] = "aaaaaa?ceeeeiiiidnooooo?ouuuuyp?aaaaaa?ceeeeiiiidnooooo?ouuuuypy"
                            "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiii??jjkkkllllll?"
                            "?llnnnnnn?nnoooooo??rrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzz?";

// Sorted. What a character becomes, once its case is folded; letters that look Latin become Latin.
static const struct pair {
    uint16_t from;
    const char *to;
} pairs[] = {
    {'0', "o"},     {'1', "l"},     {'i', "l"},     {'m', "rn"},    {'w', "vv"},    {0x00c6, "ae"}, {0x00df, "ss"},
    {0x00e6, "ae"}, {0x0152, "oe"}, {0x0153, "oe"}, {0x0390, "l"},  {0x03ac, "a"},  {0x03ad, "e"},  {0x03ae, "n"},
    {0x03af, "l"},  {0x03b0, "u"},  {0x03b1, "a"},  {0x03b2, "b"},  {0x03b3, "y"},  {0x03b5, "e"},  {0x03b6, "z"},
    {0x03b7, "n"},  {0x03b9, "l"},  {0x03ba, "k"},  {0x03bc, "rn"}, {0x03bd, "v"},  {0x03bf, "o"},  {0x03c1, "p"},
    {0x03c2, "σ"},  {0x03c4, "t"},  {0x03c5, "u"},  {0x03c7, "x"},  {0x03c9, "ω"},  {0x03ca, "l"},  {0x03cb, "u"},
    {0x03cc, "o"},  {0x03cd, "u"},  {0x03ce, "ω"},  {0x0430, "a"},  {0x0432, "b"},  {0x0435, "e"},  {0x0439, "и"},
    {0x043a, "k"},  {0x043c, "rn"}, {0x043d, "h"},  {0x043e, "o"},  {0x0440, "p"},  {0x0441, "c"},  {0x0442, "t"},
    {0x0443, "y"},  {0x0445, "x"},  {0x0450, "e"},  {0x0451, "e"},  {0x0452, "h"},  {0x0453, "г"},  {0x0455, "s"},
    {0x0456, "l"},  {0x0457, "l"},  {0x0458, "j"},  {0x045b, "h"},  {0x045c, "k"},  {0x045d, "и"},  {0x045e, "y"},
    {0x0491, "г"},  {0x0493, "г"},  {0x049b, "k"},  {0x04a3, "h"},  {0x04af, "y"},  {0x04b1, "y"},  {0x04b3, "x"},
    {0x04bb, "h"},  {0x04e9, "o"},  {0x05da, "כ"},  {0x05dd, "מ"},  {0x05df, "נ"},  {0x05e3, "פ"},  {0x05e5, "צ"},
    {0x0622, "ا"},  {0x0623, "ا"},  {0x0624, "و"},  {0x0625, "ا"},  {0x0626, "ی"},  {0x0629, "ه"},  {0x0643, "ک"},
    {0x0649, "ی"},  {0x064a, "ی"},  {0x06ba, "ن"},  {0x06be, "ه"},  {0x06c1, "ه"},  {0x06d2, "ی"},  {0x3041, "あ"},
    {0x3043, "い"}, {0x3045, "う"}, {0x3047, "工"}, {0x3048, "工"}, {0x3049, "才"}, {0x304a, "才"}, {0x304b, "力"},
    {0x305f, "夕"}, {0x3063, "つ"}, {0x3068, "卜"}, {0x306b, "二"}, {0x306f, "八"}, {0x3083, "や"}, {0x3085, "ゆ"},
    {0x3087, "よ"}, {0x308d, "口"}, {0x308e, "わ"}, {0x3095, "力"}, {0x3096, "け"}, {0x30fc, "一"},
};

static int by_from(const void *key, const void *item)
{
    return (int)*(const uint16_t *)key - (int)((const struct pair *)item)->from;
}

static uint32_t fold_case(uint32_t c)
{
    switch (name_script_of(c)) {
    case NAME_LATIN:
        if (c >= 'A' && c <= 'Z')
            return c + 32;
        return c >= 0xc0 && latin[c - 0xc0] != '?' ? (uint8_t)latin[c - 0xc0] : c;
    case NAME_GREEK:
        if (c >= 0x388 && c <= 0x38a)
            return c + 37;
        return c == 0x386               ? 0x3ac
               : c == 0x38c             ? 0x3cc
               : c == 0x38e             ? 0x3cd
               : c == 0x38f             ? 0x3ce
               : c > 0x390 && c < 0x3ac ? c + 32
                                        : c;
    case NAME_CYRILLIC:
        return c < 0x410 ? c + 80 : c < 0x430 ? c + 32 : c >= 0x490 ? c | 1 : c;
    case NAME_HAN: // katakana to hiragana
        return c >= 0x30a1 && c <= 0x30f6 ? c - 0x60 : c;
    default:
        return c;
    }
}

static size_t put(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    to[0] = (char)(0xe0 | c >> 12);
    to[1] = (char)(0x80 | (c >> 6 & 0x3f));
    to[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

size_t name_skeleton(const char *text, size_t len, char to[NAME_SKELETON_SIZE])
{
    const char *at = text, *end = text + len;
    size_t n = 0;
    while (at < end && n + 4 < NAME_SKELETON_SIZE) {
        uint32_t c = name_next(&at, end);
        if (c == 0)
            break;
        if (name_script_of(c) == NAME_SEPARATOR)
            continue;
        uint16_t folded = (uint16_t)fold_case(c);
        const struct pair *pair = bsearch(&folded, pairs, sizeof pairs / sizeof pairs[0], sizeof pairs[0], by_from);
        size_t more = pair != NULL ? strlen(pair->to) : put(to + n, folded);
        if (pair != NULL)
            memcpy(to + n, pair->to, more);
        n += more;
    }
    to[n] = '\0';
    return n;
}
