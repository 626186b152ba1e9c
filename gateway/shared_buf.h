// Immutable bytes that many connections send: counted, freed with the last reference. One thread only.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct shared_buf {
    uint32_t refs;
    uint32_t answers; // HTTP answers that are sending it (http_conn.c)
    size_t len;
    uint8_t bytes[];
};

// One reference, len bytes to be filled by the caller before anybody else sees them. NULL without memory.
struct shared_buf *shared_buf_new(size_t len);
struct shared_buf *shared_buf_ref(struct shared_buf *buf);
void shared_buf_unref(struct shared_buf *buf); // NULL is ignored
