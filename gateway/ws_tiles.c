// The tiles that clients ask for, and whose turn it is when an address has asked for too many (PROTOCOL.md, "turns").
//
//   HELLO, WATCH, RESUME ──► hub                                    while the address may have a whole watch
//                       └──► turns of the address ──tick──► hub     else: first come, first served
//
// A connection is in the line once. What waits with it is its newest WATCH, and at most one RESUME behind that, as
// nothing is read of it any more until the RESUME is through. So what the hub is asked is in the order of the client.
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "gateway/edge_internal.h"
#include "proto/limits.h"

struct asked {
    uint16_t count;
    uint8_t entries[]; // WS_ENTRY_LEN each
};

struct ws_turn {
    struct conn *conn;
    struct asked *watch, *resume; // not both NULL
    struct ws_turn *prev, *next;
};

// ---- What the hub is asked ------------------------------------------------------------------------------------------

// Both buckets have a whole watch when the hub is asked: the client's own since the message was read.
static void charge(struct conn *conn)
{
    struct monotime now = loop_now(conn->edge->loop);
    (void)bucket_take(&conn->ws.tiles, now, conn->ws.hub.asked);
    if (conn->ws.address != NULL)
        (void)bucket_take(&conn->ws.address->tiles, now, conn->ws.hub.asked);
}

static void refused(struct conn *conn, int err)
{
    if (err == ERR_MALFORMED)
        ws_conn_close(&conn->ws, WS_CLOSE_MALFORMED, "a tile is named twice");
    else if (err == ERR_RANGE)
        ws_conn_close(&conn->ws, WS_CLOSE_FULL, "a tile that is not on this canvas yet");
    else
        ws_send_error(conn, WS_ERROR_WATCH_LIMIT);
}

typedef int (*hub_ask)(struct hub *hub, struct hub_client *client, const uint8_t *entries, uint16_t count);

static void ask(struct conn *conn, hub_ask how, const uint8_t *entries, uint16_t count)
{
    conn->ws.hub.asked = 0;
    int err = how(conn->edge->parts.hub, &conn->ws.hub, entries, count);
    charge(conn);
    if (err != 0)
        refused(conn, err);
}

// ---- The line -------------------------------------------------------------------------------------------------------

static bool may_have(struct limits_shared *address, struct monotime now)
{
    return bucket_wait_ms(&address->tiles, now, LIMIT_WATCH_TILES) == 0;
}

static bool must_wait(const struct conn *conn)
{
    struct limits_shared *address = conn->ws.address;
    return address != NULL && (address->turns != NULL || !may_have(address, loop_now(conn->edge->loop)));
}

// The connection's place in the line, at its end if it has none. NULL without memory: the connection ends.
static struct ws_turn *turn_of(struct conn *conn)
{
    struct ws_turn *turn = conn->ws.turn;
    struct limits_shared *address = conn->ws.address;
    if (turn != NULL)
        return turn;
    turn = calloc(1, sizeof *turn);
    if (turn == NULL) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return NULL;
    }
    turn->conn = conn;
    conn->ws.turn = turn;
    conn->edge->stats.turns++;
    if (address->turns == NULL)
        DL_APPEND(conn->edge->thirsty, address);
    DL_APPEND(address->turns, turn);
    return turn;
}

static void hold(struct conn *conn, struct asked **place, const uint8_t *entries, uint16_t count)
{
    struct asked *asked = malloc(sizeof *asked + (size_t)count * WS_ENTRY_LEN);
    free(*place);
    *place = asked;
    if (asked == NULL) {
        conn_doom(conn, CONN_REASON_NO_MEMORY);
        return;
    }
    asked->count = count;
    if (count > 0)
        memcpy(asked->entries, entries, (size_t)count * WS_ENTRY_LEN);
}

void ws_tiles_forget(struct conn *conn)
{
    struct ws_turn *turn = conn->ws.turn;
    struct limits_shared *address = conn->ws.address;
    if (turn == NULL)
        return;
    DL_DELETE(address->turns, turn);
    if (address->turns == NULL)
        DL_DELETE(conn->edge->thirsty, address);
    conn->ws.turn = NULL;
    free(turn->watch);
    free(turn->resume);
    free(turn);
}

// One of the two, the WATCH first: a RESUME behind it has to wait for another turn.
static void serve(struct ws_turn *turn)
{
    struct conn *conn = turn->conn;
    bool resumes = turn->watch == NULL;
    struct asked *asked = resumes ? turn->resume : turn->watch;
    turn->watch = NULL;
    if (resumes)
        turn->resume = NULL;
    if (turn->resume == NULL) {
        ws_tiles_forget(conn);
    } else {
        DL_DELETE(conn->ws.address->turns, turn);
        DL_APPEND(conn->ws.address->turns, turn);
    }
    if (asked != NULL && conn->state == CONN_WS)
        ask(conn, resumes ? hub_resume : hub_watch, asked->entries, asked->count);
    free(asked);
    if (resumes)
        ws_input_resume(conn, WS_PAUSE_TURN);
}

void ws_tiles_tick(struct edge *edge)
{
    struct monotime now = loop_now(edge->loop);
    for (struct limits_shared *address = edge->thirsty, *next; address != NULL; address = next) {
        next = address->next;
        while (address->turns != NULL && may_have(address, now))
            serve(address->turns);
    }
}

// ---- Messages -------------------------------------------------------------------------------------------------------

// What can be had at once is had at once. What it watches no longer ends here too: so a WATCH that takes the place of
// this one means by each position what its client does.
static void watch_later(struct conn *conn, const uint8_t *entries, uint16_t count)
{
    int err = hub_keep(conn->edge->parts.hub, &conn->ws.hub, entries, count);
    if (err != 0) {
        refused(conn, err);
    } else if (conn->ws.hub.asked == 0) {
        ws_tiles_forget(conn);
    } else {
        struct ws_turn *turn = turn_of(conn);
        if (turn != NULL)
            hold(conn, &turn->watch, entries, count);
    }
}

void ws_tiles_join(struct conn *conn, const uint8_t *entries, uint16_t count)
{
    if (count == 0 || !must_wait(conn)) {
        ask(conn, hub_join, entries, count);
        return;
    }
    ask(conn, hub_join, NULL, 0);
    if (conn->state == CONN_WS)
        watch_later(conn, entries, count);
}

void ws_tiles_watch(struct conn *conn, const uint8_t *entries, uint16_t count)
{
    if (must_wait(conn))
        watch_later(conn, entries, count);
    else
        ask(conn, hub_watch, entries, count);
}

void ws_tiles_resume(struct conn *conn, const uint8_t *entries, uint16_t count)
{
    if (!must_wait(conn)) {
        ask(conn, hub_resume, entries, count);
        return;
    }
    struct ws_turn *turn = turn_of(conn);
    if (turn == NULL)
        return;
    hold(conn, &turn->resume, entries, count);
    conn->ws.pauses |= WS_PAUSE_TURN;
}
