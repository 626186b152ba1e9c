// HELLO: the user is read from Redis, then WELCOME, then the hub.
#include <stdlib.h>
#include <string.h>

#include "gateway/cluster.h"
#include "gateway/edge_internal.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"

// The user of a HELLO is being read. It outlives its connection until the answer comes.
struct hello_wait {
    struct conn *conn; // NULL: it is gone
    uint16_t count;
    uint8_t entries[]; // WS_ENTRY_LEN each
};

static uint8_t canvas_flags(const struct edge *edge)
{
    return cluster_read_only(edge->parts.cluster) ? WS_FLAG_READ_ONLY : 0;
}

void ws_send_error(struct conn *conn, enum ws_error code)
{
    uint8_t message[WS_ERROR_LEN];
    ws_conn_send(&conn->ws, message, ws_encode_error(message, code));
}

static void welcome(struct conn *conn, const uint8_t *entries, uint16_t count, uint32_t next_nonce, uint32_t wait_ms)
{
    struct edge *edge = conn->edge;
    const struct canvas_config *config = cluster_config(edge->parts.cluster);
    uint8_t message[WS_WELCOME_LEN];
    const struct ws_welcome welcome = {.flags = canvas_flags(edge),
                                       .edge = config->geom.edge,
                                       .version = config->version,
                                       .width = config->geom.width,
                                       .height = config->geom.height,
                                       .cooldown_ms = config->cooldown_ms,
                                       .next_nonce = next_nonce,
                                       .wait_ms = wait_ms,
                                       .online = cluster_online(edge->parts.cluster),
                                       .user = conn->ws.user};
    conn->ws.welcomed = true;
    conn->ws.status = edge->status_number;
    conn->ws.config = edge->config_number;
    ws_conn_send(&conn->ws, message, ws_encode_welcome(message, &welcome));
    ws_tiles_join(conn, entries, count);
}

static uint32_t cooldown_left(const struct user_record *record, uint64_t now_ms, uint32_t cooldown_ms)
{
    uint64_t end = record->landed_ms + cooldown_ms;
    if (record->nonce == 0 || end <= now_ms)
        return 0;
    uint64_t left = end - now_ms;
    return left < cooldown_ms ? (uint32_t)left : cooldown_ms;
}

static void on_user(int err, const struct store_user *user, void *arg)
{
    struct hello_wait *wait = arg;
    struct conn *conn = wait->conn;
    if (conn == NULL) {
        free(wait);
        return;
    }
    conn->ws.hello = NULL;
    if (conn->state != CONN_WS) {
        free(wait);
        return;
    }
    if (err != 0) {
        ws_conn_close(&conn->ws, WS_CLOSE_FULL, "the user could not be read");
    } else if (user->name.erased) {
        ws_conn_close(&conn->ws, WS_CLOSE_ERASED, "the user was erased");
    } else {
        uint32_t cooldown_ms = cluster_config(conn->edge->parts.cluster)->cooldown_ms;
        uint32_t last = cooldown_ms > 0 ? user->record.nonce : 0;
        welcome(conn, wait->entries, wait->count, last + 1, cooldown_left(&user->record, user->now_ms, cooldown_ms));
        ws_input_resume(conn, WS_PAUSE_HELLO);
    }
    free(wait);
}

void ws_hello(struct conn *conn, const uint8_t *message, size_t len)
{
    struct ws_conn *ws = &conn->ws;
    struct ws_hello hello;
    if (ws_decode_hello(message, len, &hello) != 0) {
        ws_conn_close(ws, WS_CLOSE_MALFORMED, "not a HELLO");
        return;
    }
    ws->greeted = true;
    ws->connection = hello.connection;
    deadline_cancel(&conn->deadline);
    if (conn->blocked)
        conn_arm(conn, CONN_LIST_STALL);
    const struct canvas_config *config = cluster_config(conn->edge->parts.cluster); // known since before the upgrade
    if (config->cooldown_ms == 0) {
        welcome(conn, hello.entries, hello.count, NONCE_COUNTED_FIRST, 0);
        return;
    }
    struct hello_wait *wait = malloc(sizeof *wait + (size_t)hello.count * WS_ENTRY_LEN);
    if (wait == NULL) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    wait->conn = conn;
    wait->count = hello.count;
    if (hello.count > 0)
        memcpy(wait->entries, hello.entries, (size_t)hello.count * WS_ENTRY_LEN);
    ws->hello = wait;
    ws->pauses |= WS_PAUSE_HELLO;
    store_user(conn->edge->parts.store, ws->user, on_user, wait);
}

void ws_hello_forget(struct conn *conn)
{
    if (conn->ws.hello != NULL)
        conn->ws.hello->conn = NULL;
    conn->ws.hello = NULL;
}
