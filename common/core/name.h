// What users are called (PROTOCOL.md 1.1, Names): the name that everybody has without asking, what a chosen one may
// look like, and which names look alike. Pure.
//
// A strict alphabet instead of Unicode's whole machinery (ICU would add 36 MB to every image): letters of one script,
// all of them precomposed, so that a name in it is its own NFC and NFKC, and nothing invisible, bidirectional or
// stacked can get in. Scripts that need combining marks (Devanagari, Thai, …) are the price.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NAME_CHARS_MIN 3u       // 2 in Chinese, Japanese and Korean
#define NAME_CHARS_MAX 20u      // code points
#define NAME_SIZE 64u           // bytes of UTF-8 with the closing NUL: 20 characters of at most 3 bytes
#define NAME_SKELETON_SIZE 128u // with the NUL

// What is wrong with a chosen name.
enum name_fault {
    NAME_OK,
    NAME_FAULT_LENGTH,
    NAME_FAULT_CHARACTER, // not UTF-8, or not in the alphabet
    NAME_FAULT_SCRIPT,    // letters of two scripts
    NAME_FAULT_SEPARATOR, // at an end, or two in a row
    NAME_FAULT_NO_LETTER,
    NAME_FAULT_RESERVED, // looks like a generated name, a pseudonym, or one of the operators'
};

// "Brave Otter 4711": the same for a user for good. Another user may have the same, one pair among some fifty thousand
// users.
void name_generate(uint64_t user, char to[NAME_SIZE]);

// "erased-1a2b3c4d": what an erased user is called. It has nothing to do with the generated name.
void name_pseudonym(uint64_t user, char to[NAME_SIZE]);

// `text` has `len` bytes of anything.
enum name_fault name_check(const char *text, size_t len);

// The skeleton of a name that name_check allows: two names look alike when they have the same. Letters and digits of
// UTF-8 only. Returns its length.
//
// Case is folded first, then accents, separators and letters of other scripts that look like Latin ones are dropped or
// made these; 0 is o; 1, i and l are one, as are m and rn, w and vv; final letters of Hebrew, the several yeh, kaf and
// heh of Arabic, hiragana and katakana, and kana that look like Han are one.
size_t name_skeleton(const char *text, size_t len, char to[NAME_SKELETON_SIZE]);

// "length", "character", …: for the API. NULL for NAME_OK.
const char *name_fault_text(enum name_fault fault);
