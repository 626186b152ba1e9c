#include "tests/unit/edge_fakes.h"

#include "proto/verdict.h"

struct edge_fakes edge_fakes;

void hub_verify(struct hub *hub)
{
    (void)hub;
}

void hub_configure(struct hub *hub, const struct canvas_config *config)
{
    (void)hub;
    (void)config;
}

int hub_join(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)entries;
    (void)count;
    edge_fakes.joins++;
    edge_fakes.last_joined = client->conn;
    return edge_fakes.join_result;
}

int hub_watch(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)client;
    (void)entries;
    (void)count;
    edge_fakes.watches++;
    return 0;
}

int hub_resume(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)client;
    (void)entries;
    (void)count;
    edge_fakes.resumes++;
    return 0;
}

void hub_leave(struct hub *hub, struct hub_client *client)
{
    (void)hub;
    (void)client;
    edge_fakes.leaves++;
}

void hub_writable(struct hub *hub, struct hub_client *client)
{
    (void)hub;
    (void)client;
    edge_fakes.writables++;
}

bool hub_ready(const struct hub *hub)
{
    (void)hub;
    return true;
}

const struct canvas_config *cluster_config(const struct cluster *cluster)
{
    (void)cluster;
    return edge_fakes.config_known ? &edge_fakes.config : NULL;
}

uint32_t cluster_online(const struct cluster *cluster)
{
    (void)cluster;
    return edge_fakes.online;
}

bool cluster_read_only(const struct cluster *cluster)
{
    (void)cluster;
    return edge_fakes.read_only;
}

const char *cluster_not_ready(const struct cluster *cluster)
{
    (void)cluster;
    return edge_fakes.config_known ? NULL : "no canvas";
}

void cluster_set_connections(struct cluster *cluster, uint32_t count)
{
    (void)cluster;
    edge_fakes.connections = count;
}

void cluster_draw(struct cluster *cluster, struct cluster_client *client, const struct ws_draw *draw, uint64_t user,
                  uint8_t kind, uint64_t connection, const struct addr *address)
{
    (void)cluster;
    (void)user;
    (void)kind;
    (void)connection;
    (void)address;
    edge_fakes.draws++;
    edge_fakes.last_draw = *draw;
    edge_fakes.last_drawer = client;
    if (edge_fakes.answer_at_once)
        edge_fakes_answer_draw(client, draw->nonce);
}

void cluster_forget(struct cluster *cluster, struct cluster_client *client)
{
    (void)cluster;
    (void)client;
    edge_fakes.forgets++;
}

void content_configure(struct content *content, const struct canvas_config *config)
{
    (void)content;
    (void)config;
}

struct content_request *content_get(struct content *content, enum content_kind kind, struct tile tile, bool gzip,
                                    content_cb cb, void *arg)
{
    (void)content;
    (void)kind;
    (void)tile;
    (void)gzip;
    cb(ERR_TIMEOUT, NULL, arg);
    return NULL;
}

void content_cancel(struct content_request *request)
{
    (void)request;
}

void store_user(struct store *store, uint64_t user, store_user_cb cb, void *arg)
{
    (void)store;
    (void)user;
    edge_fakes.user_cb = cb;
    edge_fakes.user_arg = arg;
    if (edge_fakes.user_at_once)
        edge_fakes_answer_user(0, 0, 0, 0);
}

void edge_fakes_answer_user(int err, uint32_t last_nonce, uint64_t landed_ms, uint64_t now_ms)
{
    const struct user_record record = {.nonce = last_nonce, .landed_ms = landed_ms};
    edge_fakes.user_cb(err, &record, now_ms, edge_fakes.user_arg);
}

void edge_fakes_answer_draw(struct cluster_client *client, uint32_t nonce)
{
    const struct ws_verdict verdict = {.code = VERDICT_PLACED, .nonce = nonce, .next_nonce = nonce + 1, .seq = 1};
    edge_fakes.events.on_verdict(client, &verdict, edge_fakes.events.arg);
}
