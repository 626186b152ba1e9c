#include "tests/sim/server.h"

#include <stdlib.h>
#include <string.h>

#include "proto/keys.h"

#define CONNS_MAX 64u
#define SYNC_MAX_US 3000
#define SLOW_SYNCS_IN_MILLION 2000u
#define SLOW_SYNC_MAX_US 3000000
#define EVERYSEC_US 1000000

struct channels {
    bool cluster;
    bool tiles[DB_TILES];
};

struct conn {
    struct net_end *end; // NULL: free
    struct channels channels;
};

struct held_answer {
    struct held_answer *next;
    struct conn *conn;
    uint32_t generation;
    unsigned tile; // of a snapshot that is stamped late; DB_TILES = none
    struct server_answer *answer;
};

static struct {
    struct sim_proc proc;
    struct db *db;
    enum mutant mutant;
    bool up;
    uint32_t synced;
    uint32_t drop_in_million;
    bool hurries;
    struct conn conns[CONNS_MAX];
    uint32_t generations[CONNS_MAX];
    struct held_answer *held, **held_end;
    sim_event sync;
} server;

static void drop_request(struct net_message *message)
{
    free(message);
}

struct server_request *server_request_new(enum server_kind kind, int script, const struct redis_arg *keys,
                                          size_t key_count, const struct redis_arg *args, size_t arg_count)
{
    size_t count = key_count + arg_count, bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += (i < key_count ? keys[i] : args[i - key_count]).len + 1;
    struct server_request *request = malloc(sizeof *request + count * sizeof request->items[0] + bytes);
    if (request == NULL)
        abort();
    request->head = (struct net_message){.drop = drop_request};
    request->kind = kind;
    char *at = (char *)&request->items[count];
    for (size_t i = 0; i < count; i++) {
        const struct redis_arg *from = i < key_count ? &keys[i] : &args[i - key_count];
        if (from->len > 0)
            memcpy(at, from->data, from->len);
        at[from->len] = '\0';
        request->items[i] = (struct redis_arg){at, from->len};
        at += from->len + 1;
    }
    request->call = (struct db_call){script, request->items, key_count, request->items + key_count, arg_count};
    return request;
}

// ---- Answers -------------------------------------------------------------------------------------------------------

static void drop_answer(struct net_message *message)
{
    struct server_answer *answer = (struct server_answer *)message;
    reply_arena_free(&answer->arena);
    free(answer);
}

static struct server_answer *answer_new(enum server_kind kind, size_t len)
{
    struct server_answer *answer = malloc(sizeof *answer + len);
    if (answer == NULL)
        abort();
    *answer = (struct server_answer){.head.drop = drop_answer, .kind = kind, .len = len};
    answer->payload = (uint8_t *)(answer + 1);
    return answer;
}

static void set_channel(struct server_answer *answer, const char *channel, size_t len)
{
    memcpy(answer->channel, channel, len);
    answer->channel_len = len;
}

static void forget_held(void)
{
    while (server.held != NULL) {
        struct held_answer *held = server.held;
        server.held = held->next;
        held->answer->head.drop(&held->answer->head);
        free(held);
    }
    server.held_end = &server.held;
}

static void stamp_late(const struct held_answer *held)
{
    const struct db_tile *tile = &server.db->tiles[held->tile];
    held->answer->reply->element[0]->integer = (long long)tile->pos.epoch;
    held->answer->reply->element[1]->integer = tile->pos.seq;
}

// What is in the file is on the disk, and the answers leave.
static void on_sync(void *arg)
{
    (void)arg;
    server.sync = 0;
    server.synced = db_transactions(server.db);
    while (server.held != NULL) {
        struct held_answer *held = server.held;
        server.held = held->next;
        if (held->tile < DB_TILES)
            stamp_late(held);
        if (server.generations[held->conn - server.conns] == held->generation && held->conn->end != NULL)
            net_send(held->conn->end, &held->answer->head);
        else
            held->answer->head.drop(&held->answer->head);
        free(held);
    }
    server.held_end = &server.held;
}

// Now and then the disk takes its time.
static int64_t sync_us(void)
{
    return !server.hurries && sim_chance(SLOW_SYNCS_IN_MILLION) ? sim_skewed(SYNC_MAX_US, SLOW_SYNC_MAX_US)
                                                                : sim_skewed(50, SYNC_MAX_US);
}

static void hold(struct conn *conn, const struct server_request *request, struct server_answer *answer)
{
    if (server.mutant == MUTANT_EVERYSEC) {
        net_send(conn->end, &answer->head);
        if (server.sync == 0)
            server.sync = sim_after(&server.proc, EVERYSEC_US, on_sync, NULL, NULL);
        return;
    }
    struct held_answer *held = malloc(sizeof *held);
    if (held == NULL)
        abort();
    bool late = server.mutant == MUTANT_SNAPSHOT_LATE && request->call.script == LUA_SNAPSHOT;
    *held = (struct held_answer){
        .conn = conn,
        .generation = server.generations[conn - server.conns],
        .tile = late ? db_tile_number((struct tile){(uint16_t)(((const char *)request->call.keys[0].data)[3] - '0'),
                                                    (uint16_t)(((const char *)request->call.keys[0].data)[5] - '0')})
                     : DB_TILES,
        .answer = answer,
    };
    *server.held_end = held;
    server.held_end = &held->next;
    if (server.sync == 0)
        server.sync = sim_after(&server.proc, sync_us(), on_sync, NULL, NULL);
}

// ---- The bus -------------------------------------------------------------------------------------------------------

// The place of a channel in a connection's set.
static bool *channel_in(struct channels *channels, const char *channel)
{
    if (channel[1] == 'c')
        return &channels->cluster;
    const struct tile tile = {(uint16_t)(channel[3] - '0'), (uint16_t)(channel[5] - '0')};
    return &channels->tiles[db_tile_number(tile)];
}

static void publish(const char *channel, size_t channel_len, const void *payload, size_t len, void *arg)
{
    (void)arg;
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        struct conn *conn = &server.conns[i];
        if (conn->end == NULL || !*channel_in(&conn->channels, channel) || sim_chance(server.drop_in_million))
            continue;
        struct server_answer *answer = answer_new(SERVER_PUSH, len);
        set_channel(answer, channel, channel_len);
        memcpy(answer->payload, payload, len);
        net_send(conn->end, &answer->head);
    }
}

// ---- Requests ------------------------------------------------------------------------------------------------------

static void on_call(struct conn *conn, const struct server_request *request)
{
    struct server_answer *answer = answer_new(SERVER_REPLY, 0);
    answer->reply = db_run(server.db, sim_wall_ms(), &request->call, &answer->arena);
    hold(conn, request, answer);
}

static void on_subscription(struct conn *conn, const struct server_request *request)
{
    const struct redis_arg *channel = &request->call.args[0];
    *channel_in(&conn->channels, channel->data) = request->kind == SERVER_SUBSCRIBE;
    if (request->kind == SERVER_UNSUBSCRIBE)
        return;
    struct server_answer *answer = answer_new(SERVER_SUBSCRIBE, 0);
    set_channel(answer, channel->data, channel->len);
    net_send(conn->end, &answer->head);
}

static void on_message(void *arg, struct net_message *message)
{
    struct conn *conn = arg;
    struct server_request *request = (struct server_request *)message;
    if (request->kind == SERVER_HELLO)
        net_send(conn->end, &answer_new(SERVER_HELLO, 0)->head);
    else if (request->kind == SERVER_CALL)
        on_call(conn, request);
    else
        on_subscription(conn, request);
    free(request);
}

static void on_closed(void *arg)
{
    struct conn *conn = arg;
    conn->end = NULL;
    server.generations[conn - server.conns]++;
}

struct net_end *server_connect(struct sim_proc *from)
{
    struct net_end *near, *far;
    if (!server.up)
        return NULL;
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        struct conn *conn = &server.conns[i];
        if (conn->end != NULL)
            continue;
        net_connect(from, &server.proc, &near, &far);
        *conn = (struct conn){.end = far};
        server.generations[i]++;
        net_attach(far, on_message, on_closed, conn);
        return near;
    }
    return NULL;
}

// ---- Life and faults -----------------------------------------------------------------------------------------------

static void close_all(void)
{
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        net_close(server.conns[i].end);
        server.conns[i].end = NULL;
        server.generations[i]++;
    }
    sim_cancel(server.sync);
    server.sync = 0;
    forget_held();
}

void server_begin(const struct db_observer *observer, enum mutant mutant)
{
    struct db_observer with_bus = *observer;
    memset(&server, 0, sizeof server);
    server.held_end = &server.held;
    with_bus.published = publish;
    server.db = db_new(&with_bus);
    server.db->mutant = server.mutant = mutant;
    sim_proc_start(&server.proc, "R");
    server.up = true;
}

void server_end(void)
{
    close_all();
    sim_proc_end(&server.proc);
    db_free(server.db);
}

struct db *server_db(void)
{
    return server.db;
}

struct sim_proc *server_proc(void)
{
    return &server.proc;
}

bool server_is_up(void)
{
    return server.up;
}

uint32_t server_synced(void)
{
    return server.synced;
}

void server_hurry(void)
{
    server.hurries = true;
}

void server_drop_messages(uint32_t in_million)
{
    server.drop_in_million = in_million;
}

void server_crash(bool older)
{
    uint32_t all = db_transactions(server.db);
    uint32_t from = older ? server.synced / 2 : server.synced;
    uint32_t to = older ? server.synced : all;
    uint32_t kept = (uint32_t)sim_between(from, to);
    sim_trace("redis %s: %u of %u transactions stay, %u were synced", older ? "is restored" : "crashes", kept, all,
              server.synced);
    close_all();
    server.proc.paused_until_us = 0;
    server.up = false;
    db_rewind(server.db, kept);
    server.synced = kept;
}

void server_set_read_only(bool read_only)
{
    uint8_t message[16];
    uint32_t version = db_set_read_only(server.db, read_only);
    size_t len = db_pack_array(message, 2);
    len += db_pack_number(message + len, 4);
    len += db_pack_number(message + len, version);
    if (version > 0)
        publish(CHANNEL_CLUSTER, sizeof CHANNEL_CLUSTER - 1, message, len, NULL);
}

void server_start(void)
{
    sim_trace("redis starts");
    server.up = true;
}
