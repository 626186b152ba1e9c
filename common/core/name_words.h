// The words of generated names (name.h).
#pragma once

#define NAME_WORDS 128u

// ASCII, none longer than 8 letters; static storage.
extern const char *const name_adjectives[NAME_WORDS];
extern const char *const name_nouns[NAME_WORDS];
