#include "gateway/options.h"

#include <stdio.h>
#include <string.h>

#include "gateway/origin.h"
#include "proto/admin_proto.h"

#define AT(field_) offsetof(struct options, field_)
#define SECRET_LEN_MIN 32u

// clang-format off
static const struct conf_option rows[] = {
    {.name = "listen", .type = CONF_ADDRESS, .fallback = ":8080", .offset = AT(listen),
     .help = "public address for HTTP and WebSockets, as host:port; several gateways may share one"},
    {.name = "proxy-listen", .type = CONF_ADDRESS, .fallback = "", .offset = AT(proxy_listen),
     .help = "address for connections of a balancer that speaks the PROXY protocol, v1 or v2; empty for none"},
    {.name = "proxy-networks", .type = CONF_CIDRS, .fallback = "127.0.0.0/8,::1", .offset = AT(proxy_networks),
     .help = "networks whose PROXY headers are believed"},
    {.name = "web-dir", .type = CONF_PATH, .fallback = "web", .offset = AT(web_dir),
     .help = "folder of the page's files, read once at start"},
    {.name = "token-keys", .type = CONF_SECRET, .fallback = "", .max = 1024, .offset = AT(token_keys),
     .help = "keys of session tokens, one `<id> <hex of 32 to 64 bytes>` per line, at most two, the first signs; the same on all gateways"},
    {.name = "tls-cert", .type = CONF_PATH, .fallback = "", .offset = AT(tls_cert),
     .help = "PEM file of the certificate and its chain; empty for no TLS"},
    {.name = "tls-key", .type = CONF_PATH, .fallback = "", .offset = AT(tls_key),
     .help = "PEM file of the certificate's key"},
    {.name = "tls-ticket-keys", .type = CONF_SECRET, .fallback = "", .max = 4096, .offset = AT(tls_ticket_keys),
     .help = "keys by which TLS sessions are resumed, hex of 32 to 64 bytes per line, at most eight, the first encrypts; the same on all gateways; empty for keys of its own"},
    {.name = "tls-before", .type = CONF_BOOL, .fallback = "false", .offset = AT(tls_before),
     .help = "TLS ends in front of the gateway: cookies are Secure; a PROXY header that tells counts more"},
    {.name = "https-redirect", .type = CONF_BOOL, .fallback = "false", .offset = AT(https_redirect),
     .help = "plain HTTP, also on a port for TLS, is answered with a redirect to https"},
    {.name = "https-port", .type = CONF_INT, .fallback = "0", .min = 0, .max = 65535, .offset = AT(https_port),
     .help = "public port of https in redirects; 0 for the one that the client has asked"},
    {.name = "hsts", .type = CONF_DURATION, .fallback = "0", .min = 0, .max = INT64_C(315360000000), .offset = AT(hsts_ms),
     .help = "time for which browsers shall use nothing but https for this host (Strict-Transport-Security); 0 to say nothing, 17520h is usual"},
    {.name = "allowed-origins", .type = CONF_STRING, .fallback = "", .max = 4096, .offset = AT(allowed_origins),
     .help = "further origins whose pages may connect, as scheme://host[:port], separated by commas"},
    CONF_COMMON_ROWS(struct options, common, "127.0.0.1:9100"),
    CANVAS_OPTION_ROWS(struct options, canvas),
    {.name = "message-rate", .type = CONF_INT, .fallback = "-1", .min = -1, .max = 1000000, .offset = AT(message_rate),
     .help = "messages per second of one client, with a burst of twice that; 0 for no limit, -1 for 50, or 1000 when there is no cooldown"},
    {.name = "connections-per-address", .type = CONF_INT, .fallback = "256", .min = 0, .max = 1000000, .offset = AT(connections_per_address),
     .help = "WebSockets of one address (of IPv6: /64) at once, and as many other connections; 0 for no limit"},
    {.name = "new-connections-per-minute", .type = CONF_INT, .fallback = "1200", .min = 0, .max = 1000000, .offset = AT(new_connections_per_minute),
     .help = "connections of one address (of IPv6: /64) that are accepted in a minute; 0 for no limit"},
    {.name = "messages-per-address", .type = CONF_INT, .fallback = "-1", .min = -1, .max = 10000000, .offset = AT(messages_per_address),
     .help = "messages per second of all clients of one address (of IPv6: /64), with a burst of twice that; 0 for no limit, -1 for 20 times message-rate"},
    {.name = "max-connections", .type = CONF_INT, .fallback = "0", .min = 0, .max = 10000000, .offset = AT(max_connections),
     .help = "WebSockets at once; 0 for as many as the limit of open files allows"},
    {.name = "sessions-per-minute", .type = CONF_INT, .fallback = "60", .min = 0, .max = 1000000, .offset = AT(sessions_per_minute),
     .help = "new guests of one address in a minute; 0 for no limit"},
    {.name = "names-per-hour", .type = CONF_INT, .fallback = "100", .min = 0, .max = 1000000, .offset = AT(names_per_hour),
     .help = "names that users of one address may take in an hour, and users that it may erase; 0 for no limit"},
    {.name = "lookups-per-second", .type = CONF_INT, .fallback = "10", .min = 0, .max = 1000000, .offset = AT(lookups_per_second),
     .help = "questions of one address about pixels, tiles, regions, heat and users, with a burst of eight times that; 0 for no limit"},
    {.name = "name-wait", .type = CONF_DURATION, .fallback = "24h", .min = 0, .max = INT64_C(31536000000), .offset = AT(name_keep_ms),
     .help = "time for which a chosen name is kept before its user may choose another"},
    {.name = "public-origin", .type = CONF_STRING, .fallback = "", .max = 256, .offset = AT(public_origin),
     .help = "where people find this canvas, as scheme://host[:port], for the previews of links; empty for what each of them asked for"},
    {.name = "session-life", .type = CONF_DURATION, .fallback = "720h", .min = 60000, .max = INT64_C(31536000000), .offset = AT(session_life_ms),
     .help = "time after which an unused session ends"},
    {.name = "replica-memory", .type = CONF_SIZE, .fallback = "512MiB", .min = 1 << 20, .max = INT64_C(1) << 40, .offset = AT(replica_memory),
     .help = "memory for the tiles that clients of this gateway watch"},
    {.name = "linger", .type = CONF_DURATION, .fallback = "30s", .min = 0, .max = 3600000, .offset = AT(linger_ms),
     .help = "time for which a tile that nobody watches is kept"},
    {.name = "tick-min", .type = CONF_DURATION, .fallback = "5ms", .min = 0, .max = 10000, .offset = AT(tick_min_ms),
     .help = "least time between two rounds of updates to the same clients"},
    {.name = "tick-max", .type = CONF_DURATION, .fallback = "1s", .min = 1, .max = 60000, .offset = AT(tick_max_ms),
     .help = "most time between two rounds of updates to the same clients, under load"},
    {.name = "ring-updates", .type = CONF_INT, .fallback = "4096", .min = 64, .max = 1 << 20, .offset = AT(ring_updates),
     .help = "recent placements kept per tile, for clients that fell behind"},
    {.name = "slice-clients", .type = CONF_INT, .fallback = "512", .min = 1, .max = 1000000, .offset = AT(slice_clients),
     .help = "clients that are served before draws have their turn, and that share a lane of the fan-out"},
    {.name = "drain-spread", .type = CONF_DURATION, .fallback = "10s", .min = 0, .max = 3600000, .offset = AT(drain_spread_ms),
     .help = "time over which the clients move elsewhere after SIGTERM"},
    {.name = "drain-timeout", .type = CONF_DURATION, .fallback = "15s", .min = 0, .max = 3600000, .offset = AT(drain_timeout_ms),
     .help = "time after SIGTERM at which the gateway ends in any case"},
};
// clang-format on

const struct conf_program options_program = {
    .name = "tessera-gateway",
    .version = TESSERA_VERSION,
    .summary = "serves the page, the API and the WebSockets of a Tessera canvas",
    .options = rows,
    .count = sizeof rows / sizeof rows[0],
};

static int bad(char *error, size_t error_size, const char *text)
{
    snprintf(error, error_size, "%s", text);
    return ERR_MALFORMED;
}

// Sharing a port is allowed, so nothing else would say that half of the connections are taken for the other kind.
static bool same_port(const char *a, const char *b)
{
    size_t len = strlen(a);
    bool chosen_by_the_system = len >= 2 && strcmp(a + len - 2, ":0") == 0;
    return strcmp(a, b) == 0 && !chosen_by_the_system;
}

int options_check(const struct options *options, char *error, size_t error_size)
{
    if (strlen(options->common.cluster_secret) < SECRET_LEN_MIN)
        return bad(error, error_size,
                   "cluster-secret: 32 characters or more are needed, the same for all gateways and shards (openssl "
                   "rand -hex 32)");
    if (options->common.admin[0] != '\0' && strlen(options->common.admin_secret) < ADMIN_SECRET_MIN)
        return bad(error, error_size, "admin-secret: 32 characters or more are needed with admin");
    if (options->token_keys[0] == '\0')
        return bad(error, error_size,
                   "token-keys: a key is needed, the same for all gateways (echo k1 $(openssl rand -hex 32))");
    if ((options->tls_cert[0] == '\0') != (options->tls_key[0] == '\0'))
        return bad(error, error_size, "tls-cert and tls-key: both or none");
    if (options->https_redirect && options->tls_cert[0] == '\0' && options->proxy_listen[0] == '\0')
        return bad(error, error_size,
                   "https-redirect: needs TLS, by tls-cert or at a balancer that proxy-listen is for");
    if (same_port(options->listen, options->proxy_listen))
        return bad(error, error_size, "proxy-listen: must be another address than listen");
    if (options->tick_min_ms > options->tick_max_ms)
        return bad(error, error_size, "tick-min is above tick-max");
    if (origin_check_list(options->allowed_origins) != 0)
        return bad(error, error_size, "allowed-origins: each is scheme://host or scheme://host:port");
    if (options->public_origin[0] != '\0' &&
        (strpbrk(options->public_origin, " ,\"'<>&") != NULL || origin_check_list(options->public_origin) != 0))
        return bad(error, error_size, "public-origin: scheme://host or scheme://host:port");
    return 0;
}
