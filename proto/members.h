// The fields of {cluster}:members (REDIS.md), read by gateways and shards alike: all must compute the same owners from
// the same hash. Pure.
#pragma once

#include <stddef.h>

#include "common/core/member.h"

// One field and its value, which need no closing NUL. A field that is no member, or whose value does not begin with an
// incarnation, is passed over: nobody routes to it or reckons with it, and the next lease beat of another takes it
// away, as one that does not beat. 0; ERR_MALFORMED: `view` is no number; ERR_FULL: more than MEMBER_MAX members.
MUST_CHECK int members_field(struct member_view *view, const char *name, size_t name_len, const char *value,
                             size_t value_len);
