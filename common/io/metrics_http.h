// A small private HTTP listener for the people who run the process: /metrics, /livez and /readyz. It belongs on
// loopback or on a private network; the public port never serves any of this. One request per connection; whatever is
// not done after METRICS_HTTP_TIMEOUT_MS is closed, and of more than METRICS_HTTP_CLIENTS_MAX connections the oldest.
#pragma once

#include "common/io/loop.h"
#include "common/io/metrics.h"

#include <stdbool.h>
#include <stddef.h>

#define METRICS_HTTP_CLIENTS_MAX 16u
#define METRICS_HTTP_TIMEOUT_MS 5000

struct metrics_http;

// Whether the process wants traffic. If not, `reason` receives a short text.
typedef bool metrics_ready_cb(void *arg, char *reason, size_t reason_size);

// Listens on `address` (host:port, numeric). `on_ready` may be NULL: always ready. /livez is 200 as long as the loop
// turns. ERR_MALFORMED, ERR_NOMEM, or ERR_IO with errno. `metrics` must outlive it.
MUST_CHECK int metrics_http_open(struct metrics_http **http, struct loop *loop, const char *address,
                                 const struct metrics *metrics, metrics_ready_cb *on_ready, void *arg);

// Port it listens on, for address ":0".
uint16_t metrics_http_port(const struct metrics_http *http);

// Harmless for NULL.
void metrics_http_close(struct metrics_http *http);
