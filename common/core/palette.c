#include "common/core/palette.h"

#include <stdio.h>
#include <string.h>

#define COLOR(rgb_, name_)                                                                                             \
    {                                                                                                                  \
        .r = (rgb_) >> 16 & 0xff, .g = (rgb_) >> 8 & 0xff, .b = (rgb_)&0xff, .name = (name_)                           \
    }

static const struct palette default_palette = {
    .count = 32,
    .colors =
        {
            COLOR(0xFFFFFF, "white"),       COLOR(0x6D001A, "burgundy"),    COLOR(0xBE0039, "dark red"),
            COLOR(0xFF4500, "red"),         COLOR(0xFFA800, "orange"),      COLOR(0xFFD635, "yellow"),
            COLOR(0xFFF8B8, "pale yellow"), COLOR(0x00A368, "dark green"),  COLOR(0x00CC78, "green"),
            COLOR(0x7EED56, "light green"), COLOR(0x00756F, "dark teal"),   COLOR(0x009EAA, "teal"),
            COLOR(0x00CCC0, "light teal"),  COLOR(0x2450A4, "dark blue"),   COLOR(0x3690EA, "blue"),
            COLOR(0x51E9F4, "light blue"),  COLOR(0x493AC1, "indigo"),      COLOR(0x6A5CFF, "periwinkle"),
            COLOR(0x94B3FF, "lavender"),    COLOR(0x811E9F, "dark purple"), COLOR(0xB44AC0, "purple"),
            COLOR(0xE4ABFF, "pale purple"), COLOR(0xDE107F, "magenta"),     COLOR(0xFF3881, "pink"),
            COLOR(0xFF99AA, "light pink"),  COLOR(0x6D482F, "dark brown"),  COLOR(0x9C6926, "brown"),
            COLOR(0xFFB470, "beige"),       COLOR(0x000000, "black"),       COLOR(0x515252, "dark gray"),
            COLOR(0x898D90, "gray"),        COLOR(0xD4D7D9, "light gray"),
        },
};

const struct palette *palette_default(void)
{
    return &default_palette;
}

// ---- Parsing -------------------------------------------------------------------------------------------------------

// A piece of the text, which need not end in NUL.
struct span {
    const char *at;
    size_t len;
};

static struct span trim(struct span span)
{
    while (span.len > 0 && span.at[0] == ' ') {
        span.at++;
        span.len--;
    }
    while (span.len > 0 && span.at[span.len - 1] == ' ')
        span.len--;
    return span;
}

// Cuts off and returns what stands before `stop`, or all of it.
static struct span cut(struct span *rest, char stop)
{
    const char *found = rest->len > 0 ? memchr(rest->at, stop, rest->len) : NULL;
    struct span head = {rest->at, found != NULL ? (size_t)(found - rest->at) : rest->len};
    size_t used = head.len + (found != NULL ? 1 : 0);
    rest->at += used;
    rest->len -= used;
    return head;
}

static bool name_valid(struct span name)
{
    if (name.len == 0 || name.len >= PALETTE_NAME_SIZE)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ' ' || c == '-'))
            return false;
    }
    return true;
}

static bool rgb_parse(struct span value, struct palette_color *color)
{
    uint8_t rgb[3];
    if (value.len != 7 || value.at[0] != '#')
        return false;
    for (size_t i = 0; i < 6; i++) {
        char c = value.at[1 + i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        rgb[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : rgb[i / 2] | digit);
    }
    color->r = rgb[0];
    color->g = rgb[1];
    color->b = rgb[2];
    return true;
}

static bool name_taken(const struct palette *palette, struct span name)
{
    for (uint16_t i = 0; i < palette->count; i++) {
        const char *other = palette->colors[i].name;
        if (strlen(other) == name.len && memcmp(other, name.at, name.len) == 0)
            return true;
    }
    return false;
}

// What is wrong with one `name=#RRGGBB`, or NULL when it was added.
static const char *color_add(struct palette *palette, struct span item)
{
    struct span name = trim(cut(&item, '='));
    struct palette_color color = {0};
    if (!name_valid(name))
        return "a name is 1 to 31 characters of a-z, 0-9, space and -";
    if (!rgb_parse(trim(item), &color))
        return "after the name comes =#RRGGBB";
    if (name_taken(palette, name))
        return "the name is used already";
    memcpy(color.name, name.at, name.len);
    palette->colors[palette->count++] = color;
    return NULL;
}

// The item goes into the message in a form that is safe to print.
static void complain(char *error, size_t size, unsigned index, struct span item, const char *why)
{
    char shown[48];
    size_t len = item.len < sizeof shown - 1 ? item.len : sizeof shown - 1;
    for (size_t i = 0; i < len; i++)
        shown[i] = (char)(item.at[i] >= ' ' && item.at[i] <= '~' ? item.at[i] : '?');
    shown[len] = '\0';
    snprintf(error, size, "color %u (\"%s\"): %s", index, shown, why);
}

int palette_parse(struct palette *palette, const char *text, size_t len, char *error, size_t error_size)
{
    struct span rest = {text, len};
    *palette = (struct palette){0};
    for (bool more = true; more;) {
        more = rest.len > 0 && memchr(rest.at, ',', rest.len) != NULL;
        struct span item = trim(cut(&rest, ','));
        if (palette->count == PALETTE_COLORS_MAX) {
            complain(error, error_size, palette->count, item, "a palette has at most 256 colors");
            return ERR_RANGE;
        }
        const char *why = color_add(palette, item);
        if (why != NULL) {
            complain(error, error_size, palette->count, item, why);
            return ERR_MALFORMED;
        }
    }
    if (palette->count < PALETTE_COLORS_MIN) {
        snprintf(error, error_size, "a palette has at least %d colors", PALETTE_COLORS_MIN);
        return ERR_RANGE;
    }
    return 0;
}

int palette_format(const struct palette *palette, char *text, size_t size)
{
    size_t used = 0;
    for (uint16_t i = 0; i < palette->count; i++) {
        const struct palette_color *color = &palette->colors[i];
        int len = snprintf(text + used, size - used, "%s%s=#%02X%02X%02X", i > 0 ? "," : "", color->name, color->r,
                           color->g, color->b);
        if (len < 0 || (size_t)len >= size - used)
            return ERR_FULL;
        used += (size_t)len;
    }
    return (int)used;
}

bool palette_extends(const struct palette *next, const struct palette *old)
{
    if (next->count < old->count)
        return false;
    for (uint16_t i = 0; i < old->count; i++) {
        const struct palette_color *a = &next->colors[i];
        const struct palette_color *b = &old->colors[i];
        if (a->r != b->r || a->g != b->g || a->b != b->b || strcmp(a->name, b->name) != 0)
            return false;
    }
    return true;
}
