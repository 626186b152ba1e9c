// A gateway without its edge: what gateway/ws_conn.c and gateway/ws_input.c do around a socket is done here around a
// connection of the simulation.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/cluster.h"
#include "gateway/worker.h"
#include "gateway/ws_conn.h"
#include "proto/bus_proto.h"
#include "tests/sim/nodes.h"

#define QUEUE_MESSAGES_MAX 24u // a client that has so many under way has a full socket
#define LOOK_AGAIN_US 4000
#define WORKER_JOBS_MAX 64u

struct gateway_node;

struct ws_conn {
    struct hub_client hub;
    struct cluster_client cluster;
    struct gateway_node *node;
    struct ws_conn *prev, *next;
    struct net_end *end;
    struct edge_user user;
    uint64_t connection;
    bool welcomed, dying, waiting;
    struct hello *hello; // the user is being read
    sim_event look;
    struct loop_deferred release;
};

// Outlives its connection until the answer comes.
struct hello {
    struct ws_conn *conn; // NULL: gone
    uint16_t count;
    uint8_t entries[];
};

struct gateway_node {
    struct sim_proc proc;
    char name[16];
    bool lives;
    struct metrics *metrics;
    struct worker *worker;
    struct store *store;
    struct hub *hub;
    struct cluster *cluster;
    struct ws_conn *conns;
    uint32_t conn_count;
};

static struct {
    const struct node_settings *settings;
    struct gateway_node gateways[NODES_GATEWAYS_MAX];
} nodes;

void nodes_shard_init(const struct node_settings *settings);

void nodes_init(const struct node_settings *settings)
{
    memset(&nodes, 0, sizeof nodes);
    nodes.settings = settings;
    nodes_shard_init(settings);
}

// ---- Sending -------------------------------------------------------------------------------------------------------

static void drop_frames(struct net_message *message)
{
    struct edge_frames *frames = (struct edge_frames *)message;
    shared_buf_unref(frames->buf);
    free(frames);
}

static void on_look(void *arg)
{
    struct ws_conn *conn = arg;
    conn->look = 0;
    if (!net_is_open(conn->end) || conn->end->queued > QUEUE_MESSAGES_MAX / 4) {
        conn->look = sim_after(&conn->node->proc, LOOK_AGAIN_US, on_look, NULL, conn);
        return;
    }
    conn->waiting = false;
    hub_writable(conn->node->hub, &conn->hub);
}

enum ws_write ws_conn_write_shared(struct ws_conn *conn, struct shared_buf *buf, size_t from)
{
    if (conn->dying)
        return WS_WRITE_DEAD;
    if (conn->waiting || (net_is_open(conn->end) && conn->end->queued > QUEUE_MESSAGES_MAX)) {
        conn->waiting = true;
        if (conn->look == 0)
            conn->look = sim_after(&conn->node->proc, LOOK_AGAIN_US, on_look, NULL, conn);
        return WS_WRITE_FULL;
    }
    struct edge_frames *frames = malloc(sizeof *frames);
    if (frames == NULL)
        abort();
    *frames = (struct edge_frames){
        .head.drop = drop_frames, .len = buf->len - from, .bytes = buf->bytes + from, .buf = shared_buf_ref(buf)};
    net_send(conn->end, &frames->head);
    return WS_WRITE_TAKEN;
}

void ws_conn_send(struct ws_conn *conn, const uint8_t *payload, size_t len)
{
    if (conn->dying)
        return;
    struct edge_frames *frames = malloc(sizeof *frames + len + 10);
    if (frames == NULL)
        abort();
    uint8_t *bytes = (uint8_t *)(frames + 1);
    size_t head = ws_frame_head(bytes, len);
    memcpy(bytes + head, payload, len);
    *frames = (struct edge_frames){.head.drop = drop_frames, .len = head + len, .bytes = bytes};
    net_send(conn->end, &frames->head);
}

// ---- Its end -------------------------------------------------------------------------------------------------------

static void conn_free(struct ws_conn *conn)
{
    struct gateway_node *node = conn->node;
    hub_leave(node->hub, &conn->hub);
    cluster_forget(node->cluster, &conn->cluster);
    net_close(conn->end);
    sim_cancel(conn->look);
    loop_deferred_cancel(&conn->release);
    if (conn->hello != NULL)
        conn->hello->conn = NULL;
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        node->conns = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    cluster_set_connections(node->cluster, --node->conn_count);
    free(conn);
}

static void on_release(void *arg)
{
    conn_free(arg);
}

static void doom(struct ws_conn *conn)
{
    if (conn->dying)
        return;
    conn->dying = true;
    loop_defer(sim_loop(&conn->node->proc), &conn->release);
}

void ws_conn_close(struct ws_conn *conn, enum ws_close code, const char *reason)
{
    sim_trace("client's connection is closed: %d %s", (int)code, reason);
    if (code == WS_CLOSE_MALFORMED && !conn->dying)
        sim_fail("malformed", "a gateway closes a client's connection: %s", reason);
    doom(conn);
}

static void on_closed(void *arg)
{
    struct ws_conn *conn = arg;
    conn->end = NULL;
    doom(conn);
}

// ---- What comes ----------------------------------------------------------------------------------------------------

static void welcome(struct ws_conn *conn, const uint8_t *entries, uint16_t count, uint32_t next_nonce, uint32_t wait_ms)
{
    const struct canvas_config *config = cluster_config(conn->node->cluster);
    uint8_t message[WS_WELCOME_LEN];
    const struct ws_welcome welcome = {.edge = config->geom.edge,
                                       .version = config->version,
                                       .width = config->geom.width,
                                       .height = config->geom.height,
                                       .cooldown_ms = config->cooldown_ms,
                                       .next_nonce = next_nonce,
                                       .wait_ms = wait_ms,
                                       .user = conn->user.user};
    conn->welcomed = true;
    ws_conn_send(conn, message, ws_encode_welcome(message, &welcome));
    if (hub_join(conn->node->hub, &conn->hub, entries, count) != 0)
        sim_fail("malformed", "hub_join refuses");
}

static void on_user(int err, const struct store_user *user, void *arg)
{
    struct hello *hello = arg;
    struct ws_conn *conn = hello->conn;
    if (conn != NULL)
        conn->hello = NULL;
    if (conn != NULL && !conn->dying && err != 0) {
        ws_conn_close(conn, WS_CLOSE_FULL, "the user could not be read");
    } else if (conn != NULL && !conn->dying) {
        uint32_t cooldown_ms = cluster_config(conn->node->cluster)->cooldown_ms;
        uint64_t end_ms = user->record.nonce > 0 ? user->record.landed_ms + cooldown_ms : 0;
        welcome(conn, hello->entries, hello->count, user->record.nonce + 1,
                end_ms > user->now_ms ? (uint32_t)(end_ms - user->now_ms) : 0);
    }
    free(hello);
}

static void on_hello(struct ws_conn *conn, const struct ws_hello *message)
{
    conn->connection = message->connection;
    if (cluster_config(conn->node->cluster)->cooldown_ms == 0) {
        welcome(conn, message->entries, message->count, 1, 0);
        return;
    }
    struct hello *hello = malloc(sizeof *hello + (size_t)message->count * WS_ENTRY_LEN);
    if (hello == NULL)
        abort();
    hello->conn = conn;
    hello->count = message->count;
    memcpy(hello->entries, message->entries, (size_t)message->count * WS_ENTRY_LEN);
    conn->hello = hello;
    store_user(conn->node->store, conn->user.user, on_user, hello);
}

static void on_input(struct ws_conn *conn, const uint8_t *bytes, size_t len)
{
    struct ws_hello hello;
    struct ws_draw draw;
    struct ws_watch watch;
    if (bytes[0] == WS_HELLO && ws_decode_hello(bytes, len, &hello) == 0)
        on_hello(conn, &hello);
    else if (bytes[0] == WS_DRAW && conn->welcomed && ws_decode_draw(bytes, len, &draw) == 0)
        cluster_draw(conn->node->cluster, &conn->cluster, &draw, conn->user.user, conn->user.kind, conn->connection,
                     &conn->user.address);
    else if (bytes[0] == WS_RESUME && conn->welcomed && ws_decode_watch(bytes, len, &watch) == 0 &&
             hub_resume(conn->node->hub, &conn->hub, watch.entries, watch.count) == 0)
        return;
    else if (bytes[0] == WS_WATCH && conn->welcomed && ws_decode_watch(bytes, len, &watch) == 0 &&
             hub_watch(conn->node->hub, &conn->hub, watch.entries, watch.count) == 0)
        return;
    else
        sim_fail("malformed", "a client's message is not understood");
}

static void on_message(void *arg, struct net_message *message)
{
    struct ws_conn *conn = arg;
    struct edge_input *input = (struct edge_input *)message;
    if (!conn->dying)
        on_input(conn, input->bytes, input->len);
    free(input);
}

static void on_verdict(struct cluster_client *client, const struct ws_verdict *verdict, void *arg)
{
    struct ws_conn *conn = (struct ws_conn *)((char *)client - offsetof(struct ws_conn, cluster));
    uint8_t message[WS_VERDICT_LEN];
    (void)arg;
    ws_conn_send(conn, message, ws_encode_verdict(message, verdict));
}

static void drop_input(struct net_message *message)
{
    free(message);
}

struct edge_input *edge_input_new(const uint8_t *bytes, size_t len)
{
    struct edge_input *input = malloc(sizeof *input + len);
    if (input == NULL)
        abort();
    input->head = (struct net_message){.drop = drop_input};
    input->len = len;
    memcpy(input->bytes, bytes, len);
    return input;
}

struct net_end *gateway_node_accept(uint32_t number, struct sim_proc *client, const struct edge_user *user)
{
    struct gateway_node *node = &nodes.gateways[number];
    struct net_end *near, *far;
    if (!node->lives || cluster_config(node->cluster) == NULL)
        return NULL;
    struct ws_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL)
        abort();
    net_connect(client, &node->proc, &near, &far);
    conn->node = node;
    conn->end = far;
    conn->user = *user;
    conn->hub.conn = conn;
    conn->next = node->conns;
    if (node->conns != NULL)
        node->conns->prev = conn;
    node->conns = conn;
    cluster_set_connections(node->cluster, ++node->conn_count);
    loop_deferred_init(&conn->release, on_release, conn);
    net_attach(far, on_message, on_closed, conn);
    return near;
}

// ---- The process ---------------------------------------------------------------------------------------------------

static void on_config(const struct canvas_config *config, void *arg)
{
    struct gateway_node *node = arg;
    hub_configure(node->hub, config);
}

// Nobody is erased in here.
static void on_erased(uint64_t user, void *arg)
{
    (void)user;
    (void)arg;
}

static void on_status(uint32_t online, bool read_only, void *arg)
{
    (void)online;
    (void)read_only;
    (void)arg;
}

static void on_cluster(const struct bus_message *message, void *arg)
{
    struct gateway_node *node = arg;
    cluster_on_bus(node->cluster, message);
}

void gateway_node_start(uint32_t number)
{
    static const uint8_t secret[32] = "tests/sim: a secret of 32 bytes";
    struct gateway_node *node = &nodes.gateways[number];
    snprintf(node->name, sizeof node->name, "G%u", number);
    sim_proc_start(&node->proc, node->name);
    struct loop *loop = sim_loop(&node->proc);
    node->worker = worker_new(loop, WORKER_JOBS_MAX);
    node->store = store_new(loop, NULL, &(struct store_options){"10.3.0.0:6379", "", ""});
    const struct hub_options hub = {
        .redis_address = "10.3.0.0:6379",
        .redis_user = "",
        .redis_password = "",
        .replica_memory = (size_t)64 << 20,
        .linger_ms = nodes.settings->linger_ms,
        .tick_min_ms = 0,
        .tick_max_ms = nodes.settings->tick_max_ms,
        .slice_clients = nodes.settings->slice_clients,
        .ring_updates = nodes.settings->ring_updates,
    };
    node->hub = hub_new(loop, NULL, node->store, node->worker, &hub);
    const struct cluster_options options = {
        .secret = secret, .secret_len = sizeof secret, .flags = nodes.settings->canvas};
    const struct cluster_events events = {on_verdict, on_config, on_status, on_erased, node};
    node->cluster = cluster_new(loop, NULL, node->store, &options, &events);
    if (node->worker == NULL || node->store == NULL || node->hub == NULL || node->cluster == NULL)
        abort();
    hub_on_cluster(node->hub, on_cluster, node);
    node->lives = true;
    sim_trace("%s starts", node->name);
}

void gateway_node_kill(uint32_t number)
{
    struct gateway_node *node = &nodes.gateways[number];
    sim_trace("%s is killed", node->name);
    node->lives = false;
    node->proc.alive = false;
    while (node->conns != NULL)
        conn_free(node->conns);
    worker_free(node->worker);
    cluster_free(node->cluster);
    hub_free(node->hub);
    store_free(node->store);
    sim_proc_end(&node->proc);
}

bool gateway_node_lives(uint32_t number)
{
    return nodes.gateways[number].lives;
}

bool gateway_node_ready(uint32_t number)
{
    const struct gateway_node *node = &nodes.gateways[number];
    return node->lives && cluster_not_ready(node->cluster) == NULL && hub_ready(node->hub);
}

struct sim_proc *gateway_node_proc(uint32_t number)
{
    return &nodes.gateways[number].proc;
}

struct hub *gateway_node_hub(uint32_t number)
{
    return nodes.gateways[number].hub;
}
