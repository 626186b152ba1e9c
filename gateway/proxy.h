// PROXY protocol, versions 1 and 2 (PROTOCOL.md 1.3): the header that a balancer puts in front of a connection. Pure.
// Source: https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt, sections 2.1 and 2.2.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/core/addr.h"
#include "common/core/err.h"

#define PROXY_LEN_MAX 536u    // of a whole header of version 2 with its TLVs
#define PROXY_V1_LEN_MAX 107u // of a line of version 1 with its CR LF

struct proxy_header {
    bool has_address; // PROXY over TCP; not LOCAL (the balancer's own check), UNKNOWN nor an unspecified family
    bool says_tls;    // it carries PP2_TYPE_SSL, so that `tls` is known
    bool tls;         // the client came to the balancer over TLS
    struct addr source;
    uint16_t port;
};

// Looks at the first `len` bytes of a connection. Returns the length of the whole header when it is there; 0 when more
// bytes are needed; ERR_MALFORMED as soon as it cannot become one, also for a CRC32c that is there and wrong; ERR_RANGE
// when it is longer than PROXY_LEN_MAX or PROXY_V1_LEN_MAX; ERR_UNSUPPORTED for addresses other than TCP over IPv4 and
// IPv6. `out` is set with a length only.
MUST_CHECK ssize_t proxy_parse(const uint8_t *bytes, size_t len, struct proxy_header *out);

// How many bytes may be read next without reading past the header. At least 1 after proxy_parse has returned 0.
size_t proxy_want(const uint8_t *bytes, size_t len);
