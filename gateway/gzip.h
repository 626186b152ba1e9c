// Bytes as one gzip member. Pure; may run on the worker.
#pragma once

#include "gateway/shared_buf.h"

// NULL without memory.
struct shared_buf *gzip_fast(const struct shared_buf *raw);
