// What tessera-load is asked to do: one table of options (load_options.c), and what is parsed out of their texts.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <openssl/types.h>

#include "common/core/err.h"
#include "common/io/conf.h"

#define LOAD_TARGETS_MAX 32
#define LOAD_SOURCES_MAX 64
#define LOAD_IMAGES_MAX 8

enum load_mode { LOAD_PAINT, LOAD_REPLAY, LOAD_DRAW, LOAD_IDLE, LOAD_WATCH, LOAD_CHECK };
enum load_order { LOAD_ROWS, LOAD_SHUFFLE };

// A gateway. Only loopback addresses are taken: a load client is a weapon when it points at somebody else.
struct load_target {
    char host[64]; // "127.0.0.1:8080", for the Host header
    struct sockaddr_storage address;
    socklen_t address_len;
    SSL_CTX *tls; // NULL = plain; load_options.tls
};

struct load_source {
    struct sockaddr_storage address;
    socklen_t address_len;
};

struct load_options {
    enum load_mode mode;

    const char *url;
    const char *source_addresses;
    const char *image;
    const char *expect;
    const char *json;
    const char *journal;
    const char *users_from_keys;
    int64_t connections;
    int64_t processes;
    int64_t users;
    int64_t window;
    int64_t rate;
    int64_t seconds;
    int64_t seed;
    int64_t observers;
    int64_t tiles;
    int64_t connecting;
    int64_t give_up_ms;
    int64_t settle_ms;
    int order; // enum load_order
    bool verify;
    bool progress;
    bool read_times;

    struct load_target targets[LOAD_TARGETS_MAX];
    unsigned target_count;
    struct load_source sources[LOAD_SOURCES_MAX];
    unsigned source_count;
    const char *images[LOAD_IMAGES_MAX]; // layers, the later over the earlier
    unsigned image_count;
    const char *expects[LOAD_IMAGES_MAX];
    unsigned expect_count;
    char *texts;  // what the layers point into; owned
    SSL_CTX *tls; // when a gateway is at wss://; owned
};

const char *load_mode_name(enum load_mode mode);

// `argv` as in main: the mode first, then options. Returns an enum conf_action, or a negative error with a line in
// `error`. Call load_options_fini in any case.
MUST_CHECK int load_options_parse(struct load_options *options, struct conf *conf, int argc, char **argv,
                                  char error[CONF_ERROR_SIZE]);
void load_options_fini(struct load_options *options, struct conf *conf);

void load_options_help(void);

// The modes draw: they have pixels to place.
static inline bool load_mode_draws(const struct load_options *options)
{
    return options->mode <= LOAD_DRAW || (options->mode == LOAD_IDLE && options->rate > 0);
}
