// WebSocket frames for many connections over two contexts of wslay: one that reads and one that writes, as a context of
// its own for each of 100,000 connections would be a gigabyte. What a connection has received of an unfinished frame is
// kept by the connection as raw bytes, and read again from its beginning when more has come.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wslay/wslay.h>

#include "common/core/err.h"

#define LOAD_FRAME_OVERHEAD 14u     // most bytes that framing adds to a message of ours
#define LOAD_FRAME_MAX (256u << 10) // most bytes of a message of a gateway

struct load_framer {
    wslay_frame_context_ptr reader;
    wslay_frame_context_ptr writer;
    const uint8_t *data; // being read
    size_t len;
    size_t fed;  // handed to wslay
    size_t done; // of whole frames
    bool inside; // a frame
    uint8_t *to; // being written
    size_t written;
    uint64_t random; // masking keys
};

struct load_frame {
    uint8_t opcode; // enum wslay_opcode
    const uint8_t *payload;
    size_t len;
};

// ERR_NOMEM.
MUST_CHECK int load_framer_init(struct load_framer *framer, uint64_t seed);
void load_framer_fini(struct load_framer *framer);

// Writes one masked frame to `to`, which has room for len + LOAD_FRAME_OVERHEAD bytes; returns its length.
size_t load_framer_put(struct load_framer *framer, uint8_t *to, uint8_t opcode, const uint8_t *payload, size_t len);

// Reads the frames that lie in `data` one after the other:
//     load_framer_begin, load_framer_next until it is not 1, load_framer_end
// `next` returns 1 with a frame whose payload points into `data`, 0 when no whole one is left, or ERR_MALFORMED:
// masked, in pieces (gateways send messages whole), too long, or no frame at all. `end` returns how many bytes whole
// frames took.
void load_framer_begin(struct load_framer *framer, const uint8_t *data, size_t len);
MUST_CHECK int load_framer_next(struct load_framer *framer, struct load_frame *out);
MUST_CHECK int load_framer_end(struct load_framer *framer, size_t *used);
