#include "proto/canvas_config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/decimal.h"
#include "proto/bus_proto.h"

enum field {
    FIELD_VERSION,
    FIELD_WIDTH,
    FIELD_HEIGHT,
    FIELD_EDGE,
    FIELD_COOLDOWN,
    FIELD_GUESTS,
    FIELD_USER_GROUPS,
    FIELD_READ_ONLY,
    FIELD_RESTORES,
    FIELD_PALETTE,
    FIELD_ANNOUNCEMENT,
    FIELD_COUNT
};

// Every field of {cluster}:config. All but palette and announcement are decimal numbers between min and max. The
// optional ones came later than the first canvases.
static const struct field_rule {
    const char *name;
    uint32_t min, max;
    bool optional;
} rules[FIELD_COUNT] = {
    [FIELD_VERSION] = {"version", 1, UINT32_MAX, false},
    [FIELD_WIDTH] = {"width", 1, GEOM_SIDE_MAX, false},
    [FIELD_HEIGHT] = {"height", 1, GEOM_SIDE_MAX, false},
    [FIELD_EDGE] = {"edge", 64, GEOM_EDGE_MAX, false},
    [FIELD_COOLDOWN] = {"cooldown_ms", 0, CANVAS_COOLDOWN_MAX_MS, false},
    [FIELD_GUESTS] = {"guests_per_address", 0, CANVAS_GUESTS_MAX, false},
    [FIELD_USER_GROUPS] = {"user_groups", USER_GROUPS, USER_GROUPS, false},
    [FIELD_READ_ONLY] = {"read_only", 0, 1, false},
    [FIELD_RESTORES] = {"restores", 0, UINT32_MAX, true},
    [FIELD_PALETTE] = {"palette", 0, 0, false},
    [FIELD_ANNOUNCEMENT] = {"announcement", 0, 0, true},
};

static enum field field_named(const char *name, size_t len)
{
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strlen(rules[i].name) == len && memcmp(rules[i].name, name, len) == 0)
            return (enum field)i;
    }
    return FIELD_COUNT;
}

static int parse_number(const char *text, size_t len, const struct field_rule *rule, uint32_t *out)
{
    uint64_t value;
    if (len > 10 || decimal_read(text, len, rule->max, &value) != 0 || value < rule->min)
        return ERR_MALFORMED;
    *out = (uint32_t)value;
    return 0;
}

static int parse_palette(const char *text, size_t len, struct palette *out, char *errbuf, size_t errlen)
{
    char why[160];
    if (palette_parse(out, text, len, why, sizeof why) == 0)
        return 0;
    (void)snprintf(errbuf, errlen, "stored palette: %s", why);
    return ERR_MALFORMED;
}

bool canvas_announcement_valid(const char *text, size_t len)
{
    return len <= CANVAS_ANNOUNCEMENT_MAX && bytes_is_text(text, len);
}

static int parse_announcement(const char *text, size_t len, struct canvas_config *out, char *errbuf, size_t errlen)
{
    if (!canvas_announcement_valid(text, len)) {
        (void)snprintf(errbuf, errlen, "stored announcement: not up to %u bytes of UTF-8", CANVAS_ANNOUNCEMENT_MAX);
        return ERR_MALFORMED;
    }
    memcpy(out->announced, text, len);
    out->announced_len = len;
    return 0;
}

int canvas_config_parse(const char *const *fields, const size_t *lens, size_t count, struct canvas_config *out,
                        char *errbuf, size_t errlen)
{
    uint32_t numbers[FIELD_COUNT] = {0};
    bool seen[FIELD_COUNT] = {false};
    out->announced_len = 0;
    memset(out->announced, 0, sizeof out->announced);
    for (size_t i = 0; i + 1 < count; i += 2) {
        enum field field = field_named(fields[i], lens[i]);
        if (field == FIELD_COUNT)
            continue;
        seen[field] = true;
        if (field == FIELD_PALETTE) {
            if (parse_palette(fields[i + 1], lens[i + 1], &out->palette, errbuf, errlen) != 0)
                return ERR_MALFORMED;
        } else if (field == FIELD_ANNOUNCEMENT) {
            if (parse_announcement(fields[i + 1], lens[i + 1], out, errbuf, errlen) != 0)
                return ERR_MALFORMED;
        } else if (parse_number(fields[i + 1], lens[i + 1], &rules[field], &numbers[field]) != 0) {
            (void)snprintf(errbuf, errlen, "stored %s: not a number from %" PRIu32 " to %" PRIu32, rules[field].name,
                           rules[field].min, rules[field].max);
            return ERR_MALFORMED;
        }
    }
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (!seen[i] && !rules[i].optional) {
            (void)snprintf(errbuf, errlen, "stored %s: missing", rules[i].name);
            return ERR_MALFORMED;
        }
    }
    out->version = numbers[FIELD_VERSION];
    out->geom = (struct geom){numbers[FIELD_WIDTH], numbers[FIELD_HEIGHT], (uint16_t)numbers[FIELD_EDGE]};
    out->cooldown_ms = numbers[FIELD_COOLDOWN];
    out->guests_per_address = numbers[FIELD_GUESTS];
    out->closed = numbers[FIELD_READ_ONLY] == 1;
    out->restores = numbers[FIELD_RESTORES];
    out->read_only = out->closed || out->restores % 2 == 1;
    if (!geom_valid(&out->geom)) {
        (void)snprintf(errbuf, errlen, "stored edge: not 64, 128 or 256");
        return ERR_MALFORMED;
    }
    return 0;
}

struct report {
    char *at;
    size_t left;
    unsigned given;
    bool any;
};

__attribute__((format(printf, 2, 3))) static void say(struct report *report, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(report->at, report->left, format, args);
    va_end(args);
    size_t used = len < 0 ? 0 : (size_t)len;
    if (used >= report->left)
        used = report->left > 0 ? report->left - 1 : 0;
    report->at += used;
    report->left -= used;
}

static void compare(struct report *report, enum canvas_given bit, enum field field, uint32_t flag, uint32_t stored)
{
    if ((report->given & bit) == 0 || flag == stored)
        return;
    say(report, "%s%s %" PRIu32 " (stored %" PRIu32 ")", report->any ? ", " : "", rules[field].name, flag, stored);
    report->any = true;
}

bool canvas_config_differs(const struct canvas_config *stored, const struct canvas_config *flags, unsigned given,
                           char *errbuf, size_t errlen)
{
    struct report report = {.at = errbuf, .left = errlen, .given = given};
    if (errlen > 0)
        errbuf[0] = '\0';
    compare(&report, CANVAS_GIVEN_WIDTH, FIELD_WIDTH, flags->geom.width, stored->geom.width);
    compare(&report, CANVAS_GIVEN_HEIGHT, FIELD_HEIGHT, flags->geom.height, stored->geom.height);
    compare(&report, CANVAS_GIVEN_EDGE, FIELD_EDGE, flags->geom.edge, stored->geom.edge);
    compare(&report, CANVAS_GIVEN_COOLDOWN, FIELD_COOLDOWN, flags->cooldown_ms, stored->cooldown_ms);
    compare(&report, CANVAS_GIVEN_GUESTS, FIELD_GUESTS, flags->guests_per_address, stored->guests_per_address);
    const struct palette *ours = &flags->palette;
    bool same = ours->count == stored->palette.count && palette_extends(ours, &stored->palette);
    if ((given & CANVAS_GIVEN_PALETTE) != 0 && !same) {
        say(&report, "%spalette of %u colors (stored %u)", report.any ? ", " : "", ours->count, stored->palette.count);
        report.any = true;
    }
    return report.any;
}
