// What a gateway is started with: one table of options (common/io/conf.h), read into one struct, and turned into what
// the parts ask for.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/io/conf.h"
#include "common/io/conf_common.h"
#include "proto/canvas_options.h"

struct options {
    struct conf_common common;
    struct canvas_options canvas;
    const char *listen, *proxy_listen;
    struct addr_list proxy_networks;
    const char *web_dir;
    const char *token_keys;
    const char *tls_cert, *tls_key, *tls_ticket_keys;
    bool tls_before, https_redirect;
    int64_t https_port, hsts_ms;
    const char *allowed_origins;
    int64_t message_rate, connections_per_address, max_connections, sessions_per_minute;
    int64_t new_connections_per_minute, messages_per_address;
    int64_t lookups_per_second, names_per_hour, name_keep_ms;
    const char *public_origin;
    int64_t session_life_ms;
    int64_t replica_memory;
    int64_t linger_ms, tick_min_ms, tick_max_ms;
    int64_t ring_updates, slice_clients;
    int64_t drain_spread_ms, drain_timeout_ms;
};

extern const struct conf_program options_program;

// What the types of the table cannot say. 0; or ERR_MALFORMED with one line in `error`.
MUST_CHECK int options_check(const struct options *options, char *error, size_t error_size);
