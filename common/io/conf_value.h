// Single values of options: from text into the field that their row names. Inside of conf.
#pragma once

#include "common/io/conf.h"

#define CONF_VALUE_TEXT_SIZE 32

// Parses `text` into target's field. On ERR_MALFORMED or ERR_RANGE `why` receives what is allowed; nothing was set.
// CONF_STRING and its kin point to `text` itself.
MUST_CHECK int conf_value_set(const struct conf_option *option, void *target, const char *text, char *why,
                              size_t why_size);

// The value of a duration or size as it would be written, in the largest unit that says it exactly; a plain number for
// the other types.
void conf_value_text(const struct conf_option *option, int64_t value, char text[CONF_VALUE_TEXT_SIZE]);

// Whether the length of a text fits its row; ERR_RANGE with what is allowed in `why`.
MUST_CHECK int conf_value_check(const struct conf_option *option, const char *text, char *why, size_t why_size);
