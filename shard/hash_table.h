// uthash, for the files of the shard. By itself it ends the process when memory is short; here it leaves the element
// out, and says so by its hh.tbl, which is NULL then.
#pragma once

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
