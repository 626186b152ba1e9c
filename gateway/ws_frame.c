// The header of a server's frame (RFC 6455, 5.2): final, binary, unmasked. Apart from ws_conn.c, as the hub's ready
// frames need it without a connection.

#include "gateway/ws_conn.h"

#define FINAL_BINARY 0x82u
#define LENGTH_16_BITS 126u
#define LENGTH_64_BITS 127u

size_t ws_frame_head(uint8_t to[10], size_t payload_len)
{
    to[0] = FINAL_BINARY;
    if (payload_len < LENGTH_16_BITS) {
        to[1] = (uint8_t)payload_len;
        return 2;
    }
    if (payload_len <= UINT16_MAX) {
        to[1] = LENGTH_16_BITS;
        to[2] = (uint8_t)(payload_len >> 8);
        to[3] = (uint8_t)payload_len;
        return 4;
    }
    to[1] = LENGTH_64_BITS;
    for (unsigned i = 0; i < 8; i++)
        to[2 + i] = (uint8_t)((uint64_t)payload_len >> (56 - 8 * i));
    return 10;
}
