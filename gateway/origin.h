// Which pages may speak with us: the page of the host that is asked, and those of a list (PROTOCOL.md 1.1, Origin).
// Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/core/err.h"

// Whether `origin` (the header's value) has the host and port of `host` (the header's value), or is in `allowed`:
// origins, separated by spaces or commas. Ports that are not written are those of the origin's scheme. `tls`: the host
// was asked over TLS, so a page that came without it is none of its own, whoever wrote it on the way.
bool origin_allowed(const char *origin, size_t origin_len, const char *host, size_t host_len, bool tls,
                    const char *allowed);

// Whether the text is a list of origins, `scheme://host[:port]` each. 0 or ERR_MALFORMED.
MUST_CHECK int origin_check_list(const char *allowed);
