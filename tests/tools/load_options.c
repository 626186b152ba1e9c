#include "tests/tools/load_options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "common/core/addr.h"
#include "common/io/sock.h"
#include "tests/tools/load_sock.h"

#define AT(field_) offsetof(struct load_options, field_)

static const struct conf_option rows[] = {
    {.name = "url",
     .type = CONF_STRING,
     .fallback = "ws://127.0.0.1:8080",
     .max = 4096,
     .offset = AT(url),
     .help = "gateways, as ws://host:port or wss://host:port with commas between; loopback only"},
    {.name = "connections",
     .type = CONF_INT,
     .fallback = "200",
     .min = 1,
     .max = 1000000,
     .offset = AT(connections),
     .help = "connections in all, spread over gateways and processes"},
    {.name = "processes",
     .type = CONF_INT,
     .fallback = "1",
     .min = 1,
     .max = 64,
     .offset = AT(processes),
     .help = "processes that share the connections"},
    {.name = "source-addresses",
     .type = CONF_STRING,
     .fallback = "",
     .max = 1024,
     .offset = AT(source_addresses),
     .help = "addresses to connect from, as 127.0.0.1-127.0.0.8 or with commas; empty leaves it to the system"},
    {.name = "users",
     .type = CONF_INT,
     .fallback = "0",
     .min = 0,
     .max = 1000000,
     .offset = AT(users),
     .help = "guests that the connections share; 0 is one for each connection"},
    {.name = "users-from-keys",
     .type = CONF_PATH,
     .fallback = "",
     .max = 4096,
     .offset = AT(users_from_keys),
     .help = "file of session keys to sign the guests' tokens with, instead of asking a gateway for each"},
    {.name = "image",
     .type = CONF_STRING,
     .fallback = "",
     .max = 4096,
     .offset = AT(image),
     .help = "PNG to paint, replay or check; several with commas are laid over each other"},
    {.name = "expect",
     .type = CONF_STRING,
     .fallback = "",
     .max = 4096,
     .offset = AT(expect),
     .help = "PNG that watch expects at its end; several with commas are laid over each other"},
    {.name = "order",
     .type = CONF_ENUM,
     .fallback = "rows",
     .choices = "rows|shuffle",
     .offset = AT(order),
     .help = "order in which an image's pixels are drawn"},
    {.name = "window",
     .type = CONF_INT,
     .fallback = "64",
     .min = 1,
     .max = 255,
     .offset = AT(window),
     .help = "draws in flight per connection; with a cooldown it is always one"},
    {.name = "rate",
     .type = CONF_INT,
     .fallback = "0",
     .min = 0,
     .max = 10000000,
     .offset = AT(rate),
     .help = "draws per second in all; 0 is as many as are answered (idle: none)"},
    {.name = "seconds",
     .type = CONF_INT,
     .fallback = "10",
     .min = 0,
     .max = 1000000,
     .offset = AT(seconds),
     .help = "how long draw, idle and watch last; 0 is until SIGINT or SIGTERM"},
    {.name = "seed",
     .type = CONF_INT,
     .fallback = "1",
     .min = 0,
     .max = INT64_MAX,
     .offset = AT(seed),
     .help = "of everything random except connection ids"},
    {.name = "observers",
     .type = CONF_INT,
     .fallback = "1",
     .min = 0,
     .max = 64,
     .offset = AT(observers),
     .help = "further connections per process and gateway that watch all tiles while others draw"},
    {.name = "tiles",
     .type = CONF_INT,
     .fallback = "256",
     .min = 1,
     .max = 256,
     .offset = AT(tiles),
     .help = "most tiles that one connection watches"},
    {.name = "connecting",
     .type = CONF_INT,
     .fallback = "256",
     .min = 0,
     .max = 1000000,
     .offset = AT(connecting),
     .help = "connections of one process that are on their way at once; 0 is all"},
    {.name = "give-up",
     .type = CONF_DURATION,
     .fallback = "60s",
     .min = 100,
     .max = 600000,
     .offset = AT(give_up_ms),
     .help = "time after which an unanswered draw counts as unknown"},
    {.name = "settle",
     .type = CONF_DURATION,
     .fallback = "5s",
     .min = 0,
     .max = 600000,
     .offset = AT(settle_ms),
     .help = "time for all gateways and watchers to be equal at the end"},
    {.name = "verify",
     .type = CONF_BOOL,
     .fallback = "true",
     .offset = AT(verify),
     .help = "compare every gateway's tiles and PNG with the image at the end"},
    {.name = "journal",
     .type = CONF_PATH,
     .fallback = "",
     .max = 4096,
     .offset = AT(journal),
     .help = "file that receives a line for each draw sent, and for its outcome"},
    {.name = "json",
     .type = CONF_PATH,
     .fallback = "",
     .max = 4096,
     .offset = AT(json),
     .help = "file that receives the summary as JSON"},
    {.name = "read-times",
     .type = CONF_BOOL,
     .fallback = "false",
     .offset = AT(read_times),
     .help =
         "measure how long what arrives waits in the kernel until it is read: what of the latencies is this client's"},
    {.name = "progress",
     .type = CONF_BOOL,
     .fallback = "true",
     .offset = AT(progress),
     .help = "one line a second on standard error"},
};

static const struct conf_program program = {
    .name = "tessera-load",
    .version = TESSERA_VERSION,
    .summary =
        "tessera-load MODE: load client of Tessera. Modes: paint, replay (an image, or its opaque part), draw (random "
        "pixels), idle (watch and measure), watch (replicas, compared at the end), check (gateways against an image)",
    .options = rows,
    .count = sizeof rows / sizeof rows[0],
};

static const char *const mode_names[] = {
    [LOAD_PAINT] = "paint", [LOAD_REPLAY] = "replay", [LOAD_DRAW] = "draw",
    [LOAD_IDLE] = "idle",   [LOAD_WATCH] = "watch",   [LOAD_CHECK] = "check",
};

const char *load_mode_name(enum load_mode mode)
{
    return mode_names[mode];
}

void load_options_help(void)
{
    conf_print_help(&program, stdout);
}

__attribute__((format(printf, 2, 3))) static int fail(char *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error, CONF_ERROR_SIZE, format, args);
    va_end(args);
    return ERR_MALFORMED;
}

static bool is_loopback(const struct sockaddr_storage *sa, socklen_t len)
{
    struct addr addr;
    return addr_from_sockaddr(&addr, (const struct sockaddr *)sa, len) == 0 && addr_is_loopback(&addr);
}

static int take_target(struct load_options *options, char *text, char *error)
{
    static const char scheme[] = "ws://", tls_scheme[] = "wss://";
    bool tls = strncmp(text, tls_scheme, sizeof tls_scheme - 1) == 0;
    if (!tls && strncmp(text, scheme, sizeof scheme - 1) != 0)
        return fail(error, "--url: %s does not begin with ws:// or wss://", text);
    if (options->target_count == LOAD_TARGETS_MAX)
        return fail(error, "--url: more than %d gateways", LOAD_TARGETS_MAX);
    struct load_target *target = &options->targets[options->target_count];
    char *host = text + (tls ? sizeof tls_scheme : sizeof scheme) - 1;
    host[strcspn(host, "/")] = '\0';
    const char *port = strrchr(host, ':');
    bool named = strncmp(host, "localhost:", 10) == 0;
    (void)snprintf(target->host, sizeof target->host, "%s%s", named ? "127.0.0.1" : host, named && port ? port : "");
    if (sock_parse(target->host, &target->address, &target->address_len) != 0 ||
        !is_loopback(&target->address, target->address_len))
        return fail(error, "--url: %s is no loopback address with a port", host);
    if (tls && options->tls == NULL && (options->tls = load_sock_tls()) == NULL)
        return fail(error, "out of memory");
    target->tls = tls ? options->tls : NULL;
    options->target_count++;
    return 0;
}

static int add_source(struct load_options *options, const struct in_addr *address, char *error)
{
    if (options->source_count == LOAD_SOURCES_MAX)
        return fail(error, "--source-addresses: more than %d", LOAD_SOURCES_MAX);
    struct load_source *source = &options->sources[options->source_count++];
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr = *address};
    memcpy(&source->address, &sin, sizeof sin);
    source->address_len = sizeof sin;
    return 0;
}

// One address, or two with a - between.
static int take_sources(struct load_options *options, char *text, char *error)
{
    char *dash = strchr(text, '-');
    struct in_addr first;
    struct in_addr last;
    if (dash != NULL)
        *dash = '\0';
    if (inet_pton(AF_INET, text, &first) != 1 || inet_pton(AF_INET, dash != NULL ? dash + 1 : text, &last) != 1)
        return fail(error, "--source-addresses: %s is no IPv4 address or range", text);
    uint32_t end = ntohl(last.s_addr);
    for (uint32_t at = ntohl(first.s_addr); at <= end; at++) {
        struct in_addr address = {htonl(at)};
        int err = at >> 24 != 127 ? fail(error, "--source-addresses: not in 127.0.0.0/8")
                                  : add_source(options, &address, error);
        if (err != 0)
            return err;
    }
    return 0;
}

// A copy of an option's list, cut at its commas in place; kept until the end, as paths point into it.
static char *keep(struct load_options *options, const char *text, size_t *used)
{
    size_t len = strlen(text) + 1;
    char *at = options->texts + *used;
    memcpy(at, text, len);
    *used += len;
    return at;
}

static unsigned split_paths(char *list, const char **paths)
{
    unsigned count = 0;
    char *rest = NULL;
    for (char *item = strtok_r(list, ",", &rest); item != NULL && count < LOAD_IMAGES_MAX;
         item = strtok_r(NULL, ",", &rest))
        paths[count++] = item;
    return count;
}

static int split_lists(struct load_options *options, char *error)
{
    const char *lists[] = {options->url, options->source_addresses, options->image, options->expect};
    size_t size = 0;
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        size += strlen(lists[i]) + 1;
    options->texts = malloc(size);
    if (options->texts == NULL)
        return fail(error, "out of memory");

    size_t used = 0;
    char *rest = NULL;
    int err = 0;
    char *item = strtok_r(keep(options, options->url, &used), ",", &rest);
    for (; item != NULL && err == 0; item = strtok_r(NULL, ",", &rest))
        err = take_target(options, item, error);
    item = strtok_r(keep(options, options->source_addresses, &used), ",", &rest);
    for (; item != NULL && err == 0; item = strtok_r(NULL, ",", &rest))
        err = take_sources(options, item, error);
    options->image_count = split_paths(keep(options, options->image, &used), options->images);
    options->expect_count = split_paths(keep(options, options->expect, &used), options->expects);
    if (err == 0 && options->target_count == 0)
        err = fail(error, "--url: no gateway");
    return err;
}

static int check_together(const struct load_options *options, char *error)
{
    bool needs_image = options->mode == LOAD_PAINT || options->mode == LOAD_REPLAY || options->mode == LOAD_CHECK;
    if (needs_image && options->image_count == 0)
        return fail(error, "--image: %s needs one", load_mode_name(options->mode));
    if (options->processes > options->connections)
        return fail(error, "--processes: more than connections");
    return 0;
}

int load_options_parse(struct load_options *options, struct conf *conf, int argc, char **argv,
                       char error[CONF_ERROR_SIZE])
{
    // The environment is the gateways' and shards': their variables would be unknown options here.
    char *no_environment[] = {NULL};
    char mode_missing[] = "";
    const char *mode = argc > 1 ? argv[1] : mode_missing;
    unsigned i = 0;
    *options = (struct load_options){0};
    *conf = (struct conf){.program = &program};
    if (strcmp(mode, "--help") == 0 || strcmp(mode, "--version") == 0)
        return conf_parse(conf, &program, options, argc, argv, no_environment, error);
    while (i <= LOAD_CHECK && strcmp(mode, mode_names[i]) != 0)
        i++;
    if (i > LOAD_CHECK)
        return fail(error, "the first argument is the mode: paint, replay, draw, idle, watch or check");
    options->mode = (enum load_mode)i;
    int action = conf_parse(conf, &program, options, argc - 1, argv + 1, no_environment, error);
    if (action != CONF_RUN)
        return action;
    int err = split_lists(options, error);
    return err != 0 ? err : check_together(options, error);
}

void load_options_fini(struct load_options *options, struct conf *conf)
{
    free(options->texts);
    options->texts = NULL;
    SSL_CTX_free(options->tls);
    options->tls = NULL;
    conf_fini(conf);
}
