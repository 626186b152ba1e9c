// uthash, for all files that have a table. By itself it ends the process when memory is short; here it leaves the
// element out, and says so by its hh.tbl, which is NULL then. Its hash is keyed: clients choose what they watch, the
// numbers of their connections, and where they come from.
#pragma once

#ifdef UTHASH_H
#error "uthash.h is included through this header only"
#endif
#include "common/core/hash_keyed.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key_, len_, hash_) (hash_) = hash_keyed(key_, len_)
#include <uthash.h>
