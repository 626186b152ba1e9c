// The opening handshake of a WebSocket, the client's side. Pure.
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "common/core/err.h"

// Writes the request with a closing NUL; returns its length, or ERR_FULL.
MUST_CHECK ssize_t load_upgrade_write(char *to, size_t size, const char *host, const char *token);

// Reads the answer. Returns the length of its head, with `status` set: 101 only when the answer fits the request; 0
// when more is needed; or ERR_MALFORMED.
MUST_CHECK ssize_t load_upgrade_read(const char *data, size_t len, unsigned *status);
