#include "tests/unit/edge_fakes.h"

#include <stdio.h>
#include <string.h>

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
    client->asked = count;
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
    client->asked = count;
    return 0;
}

int hub_resume(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)client;
    (void)entries;
    (void)count;
    edge_fakes.resumes++;
    client->asked = count;
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

bool hub_holds(const struct hub *hub, struct tile tile)
{
    (void)hub;
    return tile.tx == 0;
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

struct content_request *content_get(struct content *content, const struct content_part *part, content_cb cb, void *arg)
{
    (void)content;
    (void)part;
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
    const struct store_user user = {.record = {.nonce = last_nonce, .landed_ms = landed_ms},
                                    .name = {.erased = edge_fakes.user_erased},
                                    .now_ms = now_ms};
    edge_fakes.user_cb(err, &user, edge_fakes.user_arg);
}

void edge_fakes_answer_draw(struct cluster_client *client, uint32_t nonce)
{
    const struct ws_verdict verdict = {.code = VERDICT_PLACED, .nonce = nonce, .next_nonce = nonce + 1, .seq = 1};
    edge_fakes.events.on_verdict(client, &verdict, edge_fakes.events.arg);
}

// ---- What /api/v1 asks of Redis: each question waits for a test to answer it ----------------------------------------

void store_names(struct store *store, const uint64_t *users, size_t count, store_names_cb cb, void *arg)
{
    (void)store;
    memcpy(edge_fakes.names_asked, users, count * sizeof *users);
    edge_fakes.names_count = count;
    edge_fakes.names_cb = cb;
    edge_fakes.arg = arg;
}

void store_rename(struct store *store, const struct store_rename *rename, store_rename_cb cb, void *arg)
{
    (void)store;
    edge_fakes.renames++;
    snprintf(edge_fakes.renamed, sizeof edge_fakes.renamed, "%s>%s", rename->old, rename->name);
    edge_fakes.rename_cb = cb;
    edge_fakes.arg = arg;
}

void store_erase(struct store *store, uint64_t user, const char *old, store_erase_cb cb, void *arg)
{
    (void)store;
    edge_fakes.erased = user;
    snprintf(edge_fakes.renamed, sizeof edge_fakes.renamed, "%s", old);
    edge_fakes.erase_cb = cb;
    edge_fakes.arg = arg;
}

void store_pixel(struct store *store, const struct store_pixel_asked *asked, store_pixel_cb cb, void *arg)
{
    (void)store;
    edge_fakes.pixels++;
    edge_fakes.pixel_asked = *asked;
    edge_fakes.pixel_cb = cb;
    edge_fakes.arg = arg;
}

void store_heat(struct store *store, store_heat_cb cb, void *arg)
{
    (void)store;
    edge_fakes.heats++;
    edge_fakes.heat_cb = cb;
    edge_fakes.arg = arg;
}
