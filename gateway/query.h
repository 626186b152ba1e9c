// The query of a request's target: `name=value&name=value`. Pure. Nothing is decoded: all that we ask for are numbers.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"

struct query {
    const char *text; // behind the question mark; not terminated
    size_t len;
};

// The value of the first parameter of that name, empty without an equals sign; NULL when there is none.
const char *query_find(const struct query *query, const char *name, size_t *len);

// A decimal number, perhaps with a minus, from `min` to `max`. 0; ERR_NOT_FOUND (*out is left alone); ERR_RANGE;
// ERR_MALFORMED.
MUST_CHECK int query_number(const struct query *query, const char *name, int64_t min, int64_t max, int64_t *out);

// As query_number, but up to 20 decimals may follow, behind at most 7 digits; then it is the next lower whole number.
// So the page writes and reads some of its numbers (web/src/url.js).
MUST_CHECK int query_whole(const struct query *query, const char *name, int64_t min, int64_t max, int64_t *out);
