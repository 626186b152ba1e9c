// A text of keys, one a line. Spaces around a line do not count; blank lines and lines that begin with # are passed
// over. Pure.
#pragma once

#include <stddef.h>

#include "common/core/err.h"

// What stands on a line, `len` bytes, becomes a key. 0, or an error with `*why` in static memory, which never shows the
// key.
typedef int key_line(void *keys, const char *line, size_t len, const char **why);

// Every line, until one is refused. 0 and at least one key; the error of that line, ERR_NOT_FOUND for no key at all:
// then `error` has a message that names the line.
MUST_CHECK int key_lines_parse(const char *text, size_t len, key_line *parse, void *keys, char *error,
                               size_t error_size);
