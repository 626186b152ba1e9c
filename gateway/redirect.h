// Where a request that came without TLS is sent instead. Pure.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "gateway/http.h"

#define REDIRECT_HEADER_MAX 1500u // of the whole line; what is longer is refused

// Writes "Location: https://<host>[:<port>]<target>\r\n" with the host of the request; `port` 0 leaves the port that is
// in Host, 443 is not written. Returns its length, or 0 when it is longer than `size`.
size_t redirect_header(char *to, size_t size, const struct http_request *request, const char *buffer, uint16_t port);
