#include "tests/unit/edge_fakes.h"

#include "check.h"

#include <stdio.h>
#include <sys/socket.h>

#include "gateway/edge_internal.h"
#include "proto/verdict.h"

struct edge_fakes edge_fakes;

// ---- The edge in front of them
// ---------------------------------------------------------------------------------------

struct edge *edge_fakes_begin(const struct edge_options *options)
{
    static const struct addr_list nobody;
    static const struct static_files no_files;
    const char *text = "k1 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    const struct token token = {.kind = TOKEN_GUEST, .user = EDGE_FAKES_USER, .expires = UINT32_MAX};
    struct edge_options all = *options;
    char error[128];
    memset(&edge_fakes, 0, sizeof edge_fakes);
    edge_facts = (struct edge_facts){0};
    edge_fakes.loop = loop_new();
    metrics_init(&edge_fakes.metrics);
    assert_int_equal(token_keys_parse(&edge_fakes.keys, text, strlen(text), error, sizeof error), 0);
    assert_true(token_sign(&edge_fakes.keys, &token, edge_fakes.token) > 0);
    all.listen = options->listen != NULL ? options->listen : "";
    all.proxy_listen = all.allowed_origins = all.public_origin = "";
    all.proxy_networks = &nobody;
    all.keys = &edge_fakes.keys;
    all.files = options->files != NULL ? options->files : &no_files;
    edge_fakes.edge = edge_new(edge_fakes.loop, &edge_fakes.metrics, &all);
    assert_non_null(edge_fakes.edge);
    edge_attach(edge_fakes.edge, &(struct edge_parts){0});
    edge_fakes.events = edge_cluster_events(edge_fakes.edge);
    return edge_fakes.edge;
}

void edge_fakes_end(void)
{
    edge_fakes_turn(3);
    edge_close(edge_fakes.edge);
    assert_int_equal(edge_fakes.edge->stats.body_bytes, 0);
    edge_free(edge_fakes.edge);
    loop_free(edge_fakes.loop);
}

void edge_fakes_turn(unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        loop_run_once(edge_fakes.loop, 1);
}

struct conn *edge_fakes_connect(int type, int *far)
{
    int pair[2];
    const struct addr loopback = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1}};
    assert_int_equal(socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair), 0);
    *far = pair[1];
    conn_start(edge_fakes.edge, pair[0], &loopback, false);
    return edge_fakes.edge->conns->prev; // of the first: the last
}

void edge_fakes_upgrade(char *text, size_t size)
{
    snprintf(text, size,
             "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: tessera.v1\r\nAuthorization: "
             "Bearer %s\r\n\r\n",
             edge_fakes.token);
}

void edge_fakes_hang_up(int *far)
{
    if (*far >= 0)
        close(*far);
    *far = -1;
}

// ---- What it asks them
// -----------------------------------------------------------------------------------------------

int hub_join(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)entries;
    edge_fakes.joins++;
    client->asked = edge_fakes.watched = count;
    edge_fakes.last_joined = client->conn;
    return edge_fakes.join_result;
}

int hub_watch(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)entries;
    edge_fakes.watches++;
    client->asked = edge_fakes.watched = count;
    edge_fakes.last_watcher = client;
    return 0;
}

int hub_keep(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count)
{
    (void)hub;
    (void)entries;
    edge_fakes.keeps++;
    client->asked = count - edge_fakes.kept;
    return edge_fakes.keep_result;
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
