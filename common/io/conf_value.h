// Single values of options: from text into the field that their row names. Inside of conf.
#pragma once

#include "common/io/conf.h"

// Parses `text` into target's field. On ERR_MALFORMED or ERR_RANGE `why` receives what is allowed; nothing was set.
// CONF_STRING and its kin point to `text` itself.
MUST_CHECK int conf_value_set(const struct conf_option *option, void *target, const char *text, char *why,
                              size_t why_size);

// Whether the length of a text fits its row; ERR_RANGE with what is allowed in `why`.
MUST_CHECK int conf_value_check(const struct conf_option *option, const char *text, char *why, size_t why_size);
