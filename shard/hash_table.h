// uthash, for the files of the shard. By itself it ends the process when memory is short; here it leaves the element
// out, and says so by its hh.tbl, which is NULL then. Its hash is keyed: clients choose the numbers of their
// connections.
#pragma once

#include "common/core/hash_keyed.h"

#define HASH_NONFATAL_OOM 1
#define HASH_FUNCTION(key_, len_, hash_) (hash_) = hash_keyed(key_, len_)
#include <uthash.h>
