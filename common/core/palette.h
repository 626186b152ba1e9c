// The colors of a canvas: index to RGB and a name. Index 0 is the background. Colors are only ever appended.
//
// Text form, one line: `white=#FFFFFF,burgundy=#6D001A,...` in the order of the indices.
#pragma once

#include "common/core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PALETTE_COLORS_MIN 2
#define PALETTE_COLORS_MAX 256
#define PALETTE_NAME_SIZE 32 // with the closing NUL

// Enough for palette_format of any palette: per color a name, "=#RRGGBB" and a comma.
#define PALETTE_TEXT_SIZE (PALETTE_COLORS_MAX * (PALETTE_NAME_SIZE + 9))

struct palette_color {
    uint8_t r;
    uint8_t g;
    uint8_t b;
    char name[PALETTE_NAME_SIZE]; // 1 … 31 of [a-z0-9 -], unique in its palette
};

struct palette {
    uint16_t count;
    struct palette_color colors[PALETTE_COLORS_MAX];
};

// The 32 colors of the r/place of 2022, with white moved to the front as the background.
const struct palette *palette_default(void);

// Reads the text form of `len` bytes (no NUL needed). Spaces around names and values are allowed. On ERR_MALFORMED or
// ERR_RANGE (too few, too many colors) `palette` is unspecified and `error` holds one line that says what is wrong
// where.
MUST_CHECK int palette_parse(struct palette *palette, const char *text, size_t len, char *error, size_t error_size);

// Writes the text form with a closing NUL. Returns its length, or ERR_FULL.
MUST_CHECK int palette_format(const struct palette *palette, char *text, size_t size);

// `next` has all colors of `old` unchanged at their places, and may have more behind them.
bool palette_extends(const struct palette *next, const struct palette *old);
