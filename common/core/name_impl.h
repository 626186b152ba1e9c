// What the files of name share. Not for others.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/name.h"

enum name_script {
    NAME_NONE, // not in the alphabet
    NAME_COMMON,
    NAME_SEPARATOR,
    NAME_LATIN,
    NAME_GREEK,
    NAME_CYRILLIC,
    NAME_HEBREW,
    NAME_ARABIC,
    NAME_HAN, // with kana
    NAME_HANGUL,
};

// The next character, strictly; 0 for what is no UTF-8, or above U+FFFF. Moves *at behind it.
uint32_t name_next(const char **at, const char *end);
enum name_script name_script_of(uint32_t c);
