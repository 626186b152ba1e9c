// The canvas' configuration as stored in {cluster}:config (REDIS.md), one struct for both programs. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"
#include "common/core/palette.h"

#define CANVAS_ANNOUNCEMENT_MAX 500u
#define CANVAS_COOLDOWN_MAX_MS 86400000u
#define CANVAS_GUESTS_MAX 1024u

struct canvas_config {
    uint32_t version; // 0: not known yet
    struct geom geom;
    uint32_t cooldown_ms;        // 0 … 86,400,000
    uint32_t guests_per_address; // 0 (off) … 1024
    bool read_only;              // `closed`, or a restore is under way
    bool closed;                 // as it was set
    uint32_t restores;           // odd: one is under way. When it changes, nothing that was read before counts any more
    size_t announced_len;        // 0: nothing is announced
    char announced[CANVAS_ANNOUNCEMENT_MAX + 1];
    struct palette palette;
};

// Up to CANVAS_ANNOUNCEMENT_MAX bytes of UTF-8 without control characters.
bool canvas_announcement_valid(const char *text, size_t len);

// Fields as HGETALL of the key, or seed.lua, gives them: name, value, name, value …; unknown names are ignored.
// 0, or ERR_MALFORMED with a message that names the field.
MUST_CHECK int canvas_config_parse(const char *const *fields, const size_t *lens, size_t count,
                                   struct canvas_config *out, char *errbuf, size_t errlen);

// What of a canvas a process was told, as bits: a default is no opinion.
enum canvas_given {
    CANVAS_GIVEN_WIDTH = 1,
    CANVAS_GIVEN_HEIGHT = 2,
    CANVAS_GIVEN_EDGE = 4,
    CANVAS_GIVEN_COOLDOWN = 8,
    CANVAS_GIVEN_GUESTS = 16,
    CANVAS_GIVEN_PALETTE = 32,
    CANVAS_GIVEN_ALL = 63,
};

// Writes into errbuf how what was given (bits of enum canvas_given) of `flags` differs from `stored`, as
// "width 2000 (stored 1000), …"; returns whether it does. For the warning at start.
bool canvas_config_differs(const struct canvas_config *stored, const struct canvas_config *flags, unsigned given,
                           char *errbuf, size_t errlen);
