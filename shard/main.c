// tessera-shard: the only writer of its tiles.

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/admin/admin.h"
#include "common/io/conf.h"
#include "common/io/conf_common.h"
#include "common/io/health.h"
#include "common/io/log.h"
#include "common/io/loop.h"
#include "common/io/metrics_http.h"
#include "common/io/metrics_process.h"
#include "proto/admin_proto.h"
#include "proto/canvas_options.h"
#include "shard/shard.h"

#define SECRET_LEN_MIN 32u
#define EXIT_OPTIONS 2

struct options {
    struct conf_common common;
    struct canvas_options canvas;
    const char *listen;
    const char *advertise;
    int64_t lease_ms;
};

static const struct conf_option rows[] = {
    CONF_COMMON_ROWS(struct options, common, ""),
    {.name = "listen",
     .type = CONF_ADDRESS,
     .fallback = "127.0.0.1:0",
     .offset = offsetof(struct options, listen),
     .help = "private address for the links of gateways; port 0 for any free one"},
    {.name = "advertise",
     .type = CONF_ADDRESS,
     .fallback = "",
     .offset = offsetof(struct options, advertise),
     .help = "address under which gateways reach this shard; empty for the one it listens on, or this host's"},
    {.name = "lease",
     .type = CONF_DURATION,
     .fallback = "2s",
     .min = 1000,
     .max = 60000,
     .offset = offsetof(struct options, lease_ms),
     .help = "silence after which a shard is taken for dead and its tiles go to others"},
    CANVAS_OPTION_ROWS(struct options, canvas),
};

static const struct conf_program program = {
    .name = "tessera-shard",
    .version = TESSERA_VERSION,
    .summary = "owns tiles of a Tessera canvas and places draws on them",
    .options = rows,
    .count = sizeof rows / sizeof rows[0],
};

static void on_stopped(void *arg)
{
    loop_stop(arg);
}

static struct health health;

static void on_signal(int signo, void *arg)
{
    (void)signo;
    health_stopping(&health);
    shard_leave(arg);
}

// There is nothing to read again; but an operator who reloads everything must not end us.
static void on_hup(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    log_info("nothing is read again");
}

static bool is_ready(void *arg, char *reason, size_t reason_size)
{
    bool ready = shard_is_ready(arg);
    if (!ready)
        snprintf(reason, reason_size, "not a member");
    return ready;
}

static int open_metrics(struct metrics_http **http, struct shard *shard, struct metrics *metrics, const char *address)
{
    metrics_init(metrics);
    int err = metrics_process_add(metrics);
    if (err == 0)
        err = health_add_metric(&health, metrics, "tessera_shard_ready");
    if (err == 0)
        err = shard_add_metrics(shard, metrics);
    if (err == 0 && address[0] != '\0')
        err = metrics_http_open(http, shard->loop, address, metrics, is_ready, shard);
    if (err != 0)
        log_error("no metrics; each process of a host needs a metrics address of its own", LOG_STR("metrics", address),
                  LOG_FAILED(err));
    return err;
}

static int open_admin(struct admin **admin, const struct shard *shard, const struct conf_common *common)
{
    const struct admin_options options = {
        .listen = common->admin,
        .secret = common->admin_secret,
        .redis = common->redis,
        .redis_user = common->redis_user,
        .redis_password = common->redis_password,
        .role = "shard",
        .name = shard->address,
    };
    int err = admin_open(admin, shard->loop, &options);
    if (err != 0)
        log_error("no admin port", LOG_STR("admin", common->admin), LOG_FAILED(err));
    return err;
}

static int run(struct loop *loop, const struct options *options, const struct canvas_config *canvas, unsigned given)
{
    static struct shard shard;
    static struct metrics metrics;
    struct metrics_http *http = NULL;
    struct admin *admin = NULL;
    const char *secret = options->common.cluster_secret;
    const struct shard_options shard_options = {
        .listen = options->listen,
        .advertise = options->advertise,
        .redis = options->common.redis,
        .redis_user = options->common.redis_user,
        .redis_password = options->common.redis_password,
        .secret = (const uint8_t *)secret,
        .secret_len = strlen(secret),
        .lease_ms = options->lease_ms,
        .canvas = canvas,
        .canvas_given = given,
    };
    int err = shard_init(&shard, loop, &shard_options, on_stopped, loop);
    if (err != 0)
        return err;
    health_start(&health, loop, is_ready, &shard, shard.address);
    err = open_metrics(&http, &shard, &metrics, options->common.metrics);
    if (err == 0)
        err = open_admin(&admin, &shard, &options->common);
    if (err == 0)
        err = loop_on_signal(loop, SIGTERM, on_signal, &shard);
    if (err == 0)
        err = loop_on_signal(loop, SIGINT, on_signal, &shard);
    if (err == 0)
        err = loop_on_signal(loop, SIGHUP, on_hup, &shard);
    if (err == 0)
        err = loop_run(loop);
    metrics_http_close(http);
    admin_close(admin);
    health_stop(&health);
    shard_fini(&shard);
    return err;
}

// What the table of options cannot check. EXIT_SUCCESS, or the status of wrong options.
static int check(const struct options *options, struct canvas_config *canvas)
{
    char error[CONF_ERROR_SIZE];
    if (canvas_options_config(&options->canvas, canvas, error, sizeof error) != 0) {
        fprintf(stderr, "%s: palette: %s\n", program.name, error);
        return EXIT_OPTIONS;
    }
    if (strlen(options->common.cluster_secret) < SECRET_LEN_MIN) {
        fprintf(stderr, "%s: cluster-secret: %u characters or more are needed, the same for all gateways and shards\n",
                program.name, SECRET_LEN_MIN);
        return EXIT_OPTIONS;
    }
    if (options->common.admin[0] != '\0' && strlen(options->common.admin_secret) < ADMIN_SECRET_MIN) {
        fprintf(stderr, "%s: admin-secret: %u characters or more are needed with admin\n", program.name,
                ADMIN_SECRET_MIN);
        return EXIT_OPTIONS;
    }
    if (options->common.log_addresses == LOG_ADDR_HASHED && log_addr_hashed(options->common.cluster_secret) != 0)
        return EXIT_FAILURE;
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct conf conf;
    static struct canvas_config canvas;
    struct options options = {0};
    conf_load(&conf, &program, &options, argc, argv);
    log_init(program.name, (enum log_level)options.common.log_level, (enum log_format)options.common.log_format);
    int status = check(&options, &canvas);
    if (status == EXIT_SUCCESS) {
        struct loop *loop = loop_new();
        int err = loop != NULL ? run(loop, &options, &canvas, canvas_options_given(conf_is_given, &conf)) : ERR_NOMEM;
        status = err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        loop_free(loop);
    }
    conf_fini(&conf);
    return status;
}
