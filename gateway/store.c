#include "gateway/store.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/io/log.h"
#include "gateway/store_internal.h"
#include "proto/lua_scripts.h"

// ---- Questions -----------------------------------------------------------------------------------------------------

struct store_request *store_request_new(struct store *store, union store_cb cb, void *arg)
{
    struct store_request *request = calloc(1, sizeof *request);
    if (request == NULL)
        return NULL;
    *request = (struct store_request){.store = store, .cb = cb, .arg = arg};
    DL_APPEND(store->requests, request);
    return request;
}

void store_request_free(struct store_request *request)
{
    if (request == NULL)
        return;
    DL_DELETE(request->store->requests, request);
    free(request);
}

void store_abandon(struct store *store, const void *arg)
{
    for (struct store_request *request = store->requests; request != NULL; request = request->next)
        request->abandoned |= request->arg == arg;
    size_t kept = 0;
    for (size_t i = 0; i < store->listener_count; i++) {
        if (store->listeners[i].arg != arg)
            store->listeners[kept++] = store->listeners[i];
    }
    store->listener_count = kept;
}

int store_check(struct store *store, const redisReply *reply)
{
    if (reply == NULL)
        return ERR_CLOSED;
    if (reply->type != REDIS_REPLY_ERROR)
        return 0;
    if (reply->len >= 4 && memcmp(reply->str, "OOM ", 4) == 0)
        return ERR_FULL;
    store->malformed++;
    log_warn("redis refuses", LOG_BYTES("reply", reply->str, reply->len));
    return ERR_IO;
}

int store_checked(struct store *store, int err)
{
    if (err == ERR_MALFORMED) {
        store->malformed++;
        log_warn("redis answers what cannot be", LOG_ERR(err));
    }
    return err;
}

void store_join(struct store_request *request, int err)
{
    if (request->err == 0)
        request->err = err;
    if (--request->pending > 0)
        return;
    request->finish(request);
    store_request_free(request);
}

void store_joined(struct store_request *request, int err)
{
    request->pending++;
    if (err != 0)
        store_join(request, err);
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static void tell(struct store *store, bool ready)
{
    for (size_t i = 0; i < store->listener_count; i++)
        store->listeners[i].cb(ready, store->listeners[i].arg);
}

static void on_ready(void *arg)
{
    struct store *store = arg;
    log_info("redis connected");
    tell(store, true);
}

static void on_down(void *arg)
{
    struct store *store = arg;
    log_warn("redis lost", LOG_STR("why", redis_conn_last_error(store->conn)));
    tell(store, false);
}

static double read_in_flight(void *arg)
{
    const struct store *store = arg;
    return (double)redis_conn_in_flight(store->conn);
}

static double read_ready(void *arg)
{
    const struct store *store = arg;
    return redis_conn_is_ready(store->conn);
}

static int add_metrics(struct store *store, struct metrics *metrics)
{
    const struct redis_conn_stats *stats = redis_conn_stats(store->conn);
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_store_up",
         .type = METRICS_GAUGE,
         .help = "Whether Redis answers reads.",
         .read = read_ready,
         .arg = store},
        {.name = "tessera_gateway_store_in_flight",
         .type = METRICS_GAUGE,
         .help = "Commands sent to Redis and not answered.",
         .read = read_in_flight,
         .arg = store},
        {.name = "tessera_gateway_store_commands_total",
         .type = METRICS_COUNTER,
         .help = "Commands sent to Redis.",
         .value = &stats->commands},
        {.name = "tessera_gateway_store_failures_total",
         .type = METRICS_COUNTER,
         .help = "Connections to Redis that broke or never came.",
         .value = &stats->failures},
        {.name = "tessera_gateway_store_bad_replies_total",
         .type = METRICS_COUNTER,
         .help = "Errors and malformed replies of Redis.",
         .value = &store->malformed},
        {.name = "tessera_gateway_store_latency_seconds",
         .type = METRICS_HIST,
         .help = "Time from a command to its reply.",
         .value = &stats->latency_us,
         .scale = 1e-6},
    };
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

struct store *store_new(struct loop *loop, struct metrics *metrics, const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL)
        return NULL;
    store->loop = loop;
    const struct redis_conn_config config = {
        .name = "reads",
        .address = options->address,
        .user = options->user,
        .password = options->password,
        .scripts = lua_scripts,
        .script_count = LUA_SCRIPT_COUNT,
    };
    const struct redis_conn_handlers handlers = {.on_ready = on_ready, .on_down = on_down};
    if (redis_conn_open(&store->conn, loop, &config, &handlers, store) != 0)
        goto fail;
    if (add_metrics(store, metrics) != 0)
        goto fail;
    return store;

fail:
    store_free(store);
    return NULL;
}

void store_free(struct store *store)
{
    if (store == NULL)
        return;
    redis_conn_close(store->conn);
    free(store);
}

bool store_ready(const struct store *store)
{
    return redis_conn_is_ready(store->conn);
}

int store_on_state(struct store *store, void (*cb)(bool ready, void *arg), void *arg)
{
    if (store->listener_count == STORE_LISTENERS_MAX)
        return ERR_FULL;
    store->listeners[store->listener_count++] = (struct store_listener){cb, arg};
    return 0;
}
