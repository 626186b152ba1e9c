// uthash that leaves the element out, and says so by its hh.tbl, when memory is short; by itself it ends the process.
#ifndef TESSERA_GATEWAY_HASH_TABLE_H
#define TESSERA_GATEWAY_HASH_TABLE_H

#ifdef UTHASH_H
#error "uthash.h is included through this header only"
#endif
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#endif
