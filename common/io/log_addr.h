// Addresses of people in the log: as a keyed hash, so that lines about one address can be found and counted, but the
// address is not there. The key comes from a secret that all processes of a cluster share: the same hash on all of
// them.
#pragma once

#include "common/core/err.h"

// The choices of the option log-addresses.
#define LOG_ADDR_CHOICES "hashed|full"
enum log_addr { LOG_ADDR_HASHED, LOG_ADDR_FULL };

// From now on. IPv6 addresses are hashed by their /64, as all limits count them. ERR_NOMEM.
MUST_CHECK int log_addr_hashed(const char *secret);
