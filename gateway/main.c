// tessera-gateway: reads the options, builds the parts, ties them together, and ends them in the right order.
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/admin/admin.h"
#include "common/io/health.h"
#include "common/io/log.h"
#include "common/io/metrics_http.h"
#include "common/io/metrics_process.h"
#include "common/io/sock.h"
#include "gateway/credentials.h"
#include "gateway/edge.h"
#include "gateway/options.h"
#include "gateway/worker.h"

#define WORKER_JOBS_MAX 1024
#define FILES_RESERVED 320u // for links, Redis, listeners, logs

struct gateway {
    struct conf conf;
    struct options options;
    struct credentials credentials;
    struct canvas_config canvas;
    unsigned canvas_given;
    struct static_files files;
    struct loop *loop;
    struct metrics metrics;
    struct metrics_http *metrics_http;
    struct admin *admin;
    struct health health;
    struct worker *worker;
    struct store *store;
    struct hub *hub;
    struct cluster *cluster;
    struct content *content;
    struct edge *edge;
    char listen[SOCK_HOST_SIZE + 8]; // where it listens
    struct loop_timer drain_timer;
    bool stopping;
};

// ---- Before anything is opened --------------------------------------------------------------------------------------

static int fail_options(const char *error)
{
    fprintf(stderr, "tessera-gateway: %s\n", error);
    return 2;
}

// What the options say in their own languages: keys, palette, certificate, files. 0 or the status to exit with.
static int read_options(struct gateway *gateway)
{
    const struct options *options = &gateway->options;
    char text[256], error[CREDENTIALS_ERROR_SIZE];
    if (options_check(options, error, sizeof error) != 0)
        return fail_options(error);
    if (options->common.log_addresses == LOG_ADDR_HASHED && log_addr_hashed(options->common.cluster_secret) != 0)
        return fail_options("no memory");
    if (credentials_init(&gateway->credentials, options, error) != 0)
        return fail_options(error);
    if (canvas_options_config(&options->canvas, &gateway->canvas, text, sizeof text) != 0) {
        snprintf(error, sizeof error, "palette: %s", text);
        return fail_options(error);
    }
    int err = static_files_load(&gateway->files, options->web_dir, text, sizeof text);
    if (err != 0) {
        const char *why = err == ERR_IO          ? strerror(errno)
                          : err == ERR_NOT_FOUND ? "no index.html there"
                                                 : err_text(err);
        snprintf(error, sizeof error, "web-dir: %s: %s", text, why);
        return fail_options(error);
    }
    return 0;
}

// As many files as the system gives. Returns how many sockets of clients there may be.
static uint32_t raise_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 512;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 512;
    rlim_t files = limit.rlim_cur < 10000000 ? limit.rlim_cur : 10000000;
    return files > (rlim_t)2 * FILES_RESERVED ? (uint32_t)files - FILES_RESERVED : (uint32_t)files / 2;
}

// ---- The parts ------------------------------------------------------------------------------------------------------

static struct edge *new_edge(struct gateway *gateway)
{
    const struct options *options = &gateway->options;
    uint32_t sockets = raise_files();
    // A sixteenth is left for those who only fetch the page.
    uint32_t clients = sockets - sockets / 16;
    if (options->max_connections > 0 && options->max_connections < clients)
        clients = (uint32_t)options->max_connections;
    else if (options->max_connections > clients)
        log_warn("max-connections is more than the limit of open files allows", LOG_U64("connections", clients));
    const struct edge_options edge = {.listen = options->listen,
                                      .proxy_listen = options->proxy_listen,
                                      .proxy_networks = &options->proxy_networks,
                                      .tls = gateway->credentials.tls,
                                      .tls_before = options->tls_before,
                                      .https_redirect = options->https_redirect,
                                      .https_port = (uint16_t)options->https_port,
                                      .hsts_s = (uint32_t)(options->hsts_ms / 1000),
                                      .keys = &gateway->credentials.tokens,
                                      .files = &gateway->files,
                                      .allowed_origins = options->allowed_origins,
                                      .message_rate = options->message_rate,
                                      .messages_per_address = options->messages_per_address,
                                      .connections_per_address = (uint32_t)options->connections_per_address,
                                      .new_connections_per_minute = (uint32_t)options->new_connections_per_minute,
                                      .sessions_per_minute = (uint32_t)options->sessions_per_minute,
                                      .names_per_hour = (uint32_t)options->names_per_hour,
                                      .lookups_per_second = (uint32_t)options->lookups_per_second,
                                      .name_keep_ms = (uint64_t)options->name_keep_ms,
                                      .public_origin = options->public_origin,
                                      .session_life_s = (uint32_t)(options->session_life_ms / 1000),
                                      .max_connections = clients,
                                      .max_sockets = sockets,
                                      .drain_spread_ms = (uint32_t)options->drain_spread_ms};
    return edge_new(gateway->loop, &gateway->metrics, &edge);
}

static struct hub *new_hub(struct gateway *gateway)
{
    const struct options *options = &gateway->options;
    const struct hub_options hub = {.redis_address = options->common.redis,
                                    .redis_user = options->common.redis_user,
                                    .redis_password = options->common.redis_password,
                                    .replica_memory = (size_t)options->replica_memory,
                                    .linger_ms = (uint32_t)options->linger_ms,
                                    .tick_min_ms = (uint32_t)options->tick_min_ms,
                                    .tick_max_ms = (uint32_t)options->tick_max_ms,
                                    .slice_clients = (uint32_t)options->slice_clients,
                                    .ring_updates = (uint32_t)options->ring_updates};
    return hub_new(gateway->loop, &gateway->metrics, gateway->store, gateway->worker, &hub);
}

static struct cluster *new_cluster(struct gateway *gateway)
{
    const char *secret = gateway->options.common.cluster_secret;
    const struct cluster_options cluster = {.secret = (const uint8_t *)secret,
                                            .secret_len = strlen(secret),
                                            .flags = gateway->canvas,
                                            .flags_given = gateway->canvas_given};
    const struct cluster_events events = edge_cluster_events(gateway->edge);
    return cluster_new(gateway->loop, &gateway->metrics, gateway->store, &cluster, &events);
}

static void on_cluster_message(const struct bus_message *message, void *arg)
{
    struct gateway *gateway = arg;
    cluster_on_bus(gateway->cluster, message);
}

static int add_metrics(struct gateway *gateway)
{
    const struct metrics_row row = {.name = "tessera_gateway_loop_lag_seconds",
                                    .type = METRICS_HIST,
                                    .help = "How late the event loop was.",
                                    .value = loop_lag(gateway->loop),
                                    .scale = 1e-6};
    int err = metrics_process_add(&gateway->metrics);
    if (err == 0)
        err = health_add_metric(&gateway->health, &gateway->metrics, "tessera_gateway_ready");
    return err != 0 ? err : metrics_add(&gateway->metrics, &row, 1);
}

// False without memory.
static bool build(struct gateway *gateway)
{
    const struct conf_common *common = &gateway->options.common;
    gateway->loop = loop_new();
    if (gateway->loop == NULL)
        return false;
    metrics_init(&gateway->metrics);
    if (add_metrics(gateway) != 0 || credentials_start(&gateway->credentials, gateway->loop, &gateway->metrics) != 0)
        return false;
    gateway->worker = worker_new(gateway->loop, WORKER_JOBS_MAX);
    gateway->store = store_new(gateway->loop, &gateway->metrics,
                               &(struct store_options){common->redis, common->redis_user, common->redis_password});
    if (gateway->worker == NULL || gateway->store == NULL)
        return false;
    gateway->edge = new_edge(gateway);
    gateway->hub = new_hub(gateway);
    if (gateway->edge == NULL || gateway->hub == NULL)
        return false;
    gateway->content = content_new(gateway->loop, &gateway->metrics, gateway->hub, gateway->worker);
    gateway->cluster = new_cluster(gateway);
    if (gateway->content == NULL || gateway->cluster == NULL)
        return false;
    hub_on_cluster(gateway->hub, on_cluster_message, gateway);
    edge_attach(gateway->edge, &(struct edge_parts){gateway->store, gateway->hub, gateway->cluster, gateway->content});
    return true;
}

// Whoever calls back later is ended before whom it calls.
static void unbuild(struct gateway *gateway)
{
    metrics_http_close(gateway->metrics_http);
    admin_close(gateway->admin);
    health_stop(&gateway->health);
    credentials_stop(&gateway->credentials);
    if (gateway->edge != NULL)
        edge_close(gateway->edge);
    if (gateway->worker != NULL)
        worker_free(gateway->worker);
    if (gateway->content != NULL)
        content_free(gateway->content);
    if (gateway->cluster != NULL)
        cluster_free(gateway->cluster);
    if (gateway->hub != NULL)
        hub_free(gateway->hub);
    if (gateway->store != NULL)
        store_free(gateway->store);
    edge_free(gateway->edge);
    if (gateway->stopping)
        loop_timer_disarm(&gateway->drain_timer);
    loop_free(gateway->loop);
}

// ---- Running --------------------------------------------------------------------------------------------------------

static bool on_ready_asked(void *arg, char *reason, size_t reason_size)
{
    struct gateway *gateway = arg;
    const char *why = edge_not_ready(gateway->edge);
    snprintf(reason, reason_size, "%s", why != NULL ? why : "ok");
    return why == NULL;
}

static bool open_metrics(struct gateway *gateway)
{
    const char *address = gateway->options.common.metrics;
    if (address[0] == '\0' || metrics_http_open(&gateway->metrics_http, gateway->loop, address, &gateway->metrics,
                                                on_ready_asked, gateway) == 0)
        return true;
    log_error("cannot listen for metrics; each process of a host needs a --metrics of its own",
              LOG_STR("address", address), LOG_ERRNO(errno));
    return false;
}

static bool open_admin(struct gateway *gateway)
{
    const struct conf_common *common = &gateway->options.common;
    char name[24];
    snprintf(name, sizeof name, "%016" PRIx64, cluster_gateway_id(gateway->cluster));
    const struct admin_options options = {.listen = common->admin,
                                          .secret = common->admin_secret,
                                          .redis = common->redis,
                                          .redis_user = common->redis_user,
                                          .redis_password = common->redis_password,
                                          .role = "gateway",
                                          .name = name};
    int err = admin_open(&gateway->admin, gateway->loop, &options);
    if (err != 0)
        log_error("no admin port", LOG_STR("address", common->admin), LOG_FAILED(err));
    return err == 0;
}

// The address as it was given, with the port that it has become.
static void address_text(char text[SOCK_HOST_SIZE + 8], const char *given, uint16_t port)
{
    char host[SOCK_HOST_SIZE];
    uint16_t asked;
    if (sock_split(given, host, &asked) != 0)
        host[0] = '\0';
    snprintf(text, SOCK_HOST_SIZE + 8, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
             host[0] != '\0' ? host : "0.0.0.0", port);
}

static bool open_ports(struct gateway *gateway)
{
    const char *which = "";
    char proxy[SOCK_HOST_SIZE + 8] = "";
    if (edge_listen(gateway->edge, &which) != 0) {
        log_error("cannot listen", LOG_STR("address", which), LOG_ERRNO(errno));
        return false;
    }
    address_text(gateway->listen, gateway->options.listen, edge_port(gateway->edge));
    if (gateway->options.proxy_listen[0] != '\0')
        address_text(proxy, gateway->options.proxy_listen, edge_proxy_port(gateway->edge));
    log_info("listening", LOG_STR("listen", gateway->listen), LOG_STR("proxy_listen", proxy),
             LOG_BOOL("tls", gateway->credentials.tls != NULL),
             LOG_U64("metrics_port", gateway->metrics_http != NULL ? metrics_http_port(gateway->metrics_http) : 0),
             LOG_STR("version", TESSERA_VERSION));
    health_start(&gateway->health, gateway->loop, on_ready_asked, gateway, gateway->listen);
    return true;
}

static void on_drained(void *arg)
{
    struct gateway *gateway = arg;
    log_info("drained");
    loop_stop(gateway->loop);
}

static void on_drain_late(void *arg)
{
    struct gateway *gateway = arg;
    log_warn("stopping before all clients have left");
    loop_stop(gateway->loop);
}

// The first signal drains, the second ends at once.
static void on_signal(int signo, void *arg)
{
    struct gateway *gateway = arg;
    if (gateway->stopping) {
        loop_stop(gateway->loop);
        return;
    }
    gateway->stopping = true;
    health_stopping(&gateway->health);
    log_info("stopping", LOG_STR("signal", signo == SIGTERM ? "TERM" : "INT"));
    loop_timer_init(&gateway->drain_timer, gateway->loop, on_drain_late, gateway);
    loop_timer_arm_ms(&gateway->drain_timer, gateway->options.drain_timeout_ms);
    edge_drain(gateway->edge, on_drained, gateway);
}

// Certificate and keys are read again.
static void on_hup(int signo, void *arg)
{
    struct gateway *gateway = arg;
    struct credentials *credentials = &gateway->credentials;
    char error[CREDENTIALS_ERROR_SIZE];
    (void)signo;
    health_reloading(&gateway->health);
    int err = credentials_reload(credentials, &gateway->conf, &gateway->options, loop_wall_s(gateway->loop), error);
    health_reloaded(&gateway->health);
    if (err != 0) {
        log_error("certificate and keys stay as they were", LOG_STR("reason", error));
        return;
    }
    edge_set_tls(gateway->edge, credentials->tls);
    log_info("certificate and keys are read again", LOG_STR("token_key", credentials->tokens.keys[0].kid),
             LOG_I64("certificate_ends_unix_s", credentials->stats.tls_expiry_s));
}

static int run(struct gateway *gateway)
{
    if (!build(gateway)) {
        log_error("no memory");
        return 1;
    }
    if (loop_on_signal(gateway->loop, SIGTERM, on_signal, gateway) != 0 ||
        loop_on_signal(gateway->loop, SIGINT, on_signal, gateway) != 0 ||
        loop_on_signal(gateway->loop, SIGHUP, on_hup, gateway) != 0 || !open_metrics(gateway) || !open_admin(gateway) ||
        !open_ports(gateway))
        return 1;
    return loop_run(gateway->loop) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static struct gateway gateway; // zeroed, and large
    conf_load(&gateway.conf, &options_program, &gateway.options, argc, argv);
    gateway.canvas_given = canvas_options_given(conf_is_given, &gateway.conf);
    log_init(options_program.name, (enum log_level)gateway.options.common.log_level,
             (enum log_format)gateway.options.common.log_format);
    int status = read_options(&gateway);
    if (status == 0)
        status = run(&gateway);
    unbuild(&gateway);
    static_files_free(&gateway.files);
    credentials_fini(&gateway.credentials);
    conf_fini(&gateway.conf);
    return status;
}
