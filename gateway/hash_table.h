// uthash that leaves the element out, and says so by its hh.tbl, when memory is short; by itself it ends the process.
// Its hash is keyed: clients choose what they watch.
#pragma once

#ifdef UTHASH_H
#error "uthash.h is included through this header only"
#endif
#include "common/core/hash_keyed.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key_, len_, hash_) (hash_) = hash_keyed(key_, len_)
#include <uthash.h>
