#include "common/core/key_lines.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

int key_lines_parse(const char *text, size_t len, key_line *parse, void *keys, char *error, size_t error_size)
{
    const char *at = text, *end = text + len;
    unsigned count = 0;
    for (unsigned line = 1; at < end; line++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at)), *why = "";
        const char *stop = newline != NULL ? newline : end, *next = newline != NULL ? newline + 1 : end;
        while (at < stop && is_space(*at))
            at++;
        while (at < stop && is_space(stop[-1]))
            stop--;
        if (at < stop && *at != '#') {
            int err = parse(keys, at, (size_t)(stop - at), &why);
            if (err != 0) {
                snprintf(error, error_size, "line %u: %s", line, why);
                return err;
            }
            count++;
        }
        at = next;
    }
    if (count > 0)
        return 0;
    snprintf(error, error_size, "there is no key");
    return ERR_NOT_FOUND;
}
