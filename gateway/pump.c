// The pump of the fan-out: brings lagging clients forward, tile by tile, as far as their sockets take it.
//
//   from where the client is    ring has it, before sent: the step to sent
//                               ring has it, at or after sent: waits for its lane's next round
//                               not in the ring: the snapshot, and on from there
//
// Small pieces are gathered into one write, as a write costs more than the bytes; large ones go out as they are,
// shared.

#include <stdlib.h>

#include "gateway/fanout.h"
#include "gateway/frames.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"

#define GATHER_PIECES 32u
#define GATHER_BYTES 4096u // per client and write; larger pieces are not copied
#define CLIENT_BYTES ((size_t)256 * 1024)
#define SLICE_BYTES ((size_t)512 * 1024)
#define COMPLAIN_MS 5000
#define SLICE_SHARE 4 // of slice_clients: a lagging client costs more than a synced one

// ---- Who lags ------------------------------------------------------------------------------------------------------

struct lag *pump_new(struct hub_client *client, uint32_t count)
{
    struct lag *lag = calloc(1, sizeof *lag + count * sizeof lag->pos[0]);
    if (lag == NULL)
        return NULL;
    lag->client = client;
    lag->count = count;
    return lag;
}

static size_t lag_bytes(const struct lag *lag)
{
    return sizeof *lag + lag->count * sizeof lag->pos[0];
}

static struct lag_list *list_of(struct fanout *fanout, const struct lag *lag)
{
    if (lag->queue == LAG_WAITING)
        return &fanout->lanes[lag->lane].waiting;
    return lag->queue == LAG_READY ? &fanout->ready : &fanout->blocked;
}

static void enqueue(struct fanout *fanout, struct lag *lag)
{
    TAILQ_INSERT_TAIL(list_of(fanout, lag), lag, link);
    if (lag->queue == LAG_READY)
        fanout->options.on_work(fanout->options.arg);
}

void pump_enter(struct fanout *fanout, struct lag *lag, enum lag_queue queue)
{
    lag->client->lag = lag;
    lag->lane = lag->client->audience->lane;
    lag->queue = queue;
    enqueue(fanout, lag);
    fanout->stats.lagging++;
    fanout->kept_bytes += lag_bytes(lag);
}

int pump_start(struct fanout *fanout, struct hub_client *client, enum lag_queue queue)
{
    struct lag *lag = pump_new(client, client->audience->count);
    if (lag == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < client->audience->count; i++)
        lag->pos[i] = fanout_position(fanout, client, i);
    pump_enter(fanout, lag, queue);
    return 0;
}

void pump_move(struct fanout *fanout, struct lag *lag, enum lag_queue queue)
{
    TAILQ_REMOVE(list_of(fanout, lag), lag, link);
    lag->queue = queue;
    enqueue(fanout, lag);
}

void pump_end(struct fanout *fanout, struct hub_client *client)
{
    struct lag *lag = client->lag;
    if (lag == NULL)
        return;
    TAILQ_REMOVE(list_of(fanout, lag), lag, link);
    fanout->stats.lagging--;
    fanout->kept_bytes -= lag_bytes(lag);
    client->lag = NULL;
    free(lag);
}

static void invalidate(struct lag_list *list, const struct held *held)
{
    for (struct lag *lag = TAILQ_FIRST(list); lag != NULL; lag = TAILQ_NEXT(lag, link)) {
        int index = interest_find(lag->client->audience, held->key);
        if (index >= 0)
            lag->pos[index] = FANOUT_NOWHERE;
    }
}

void pump_invalidate(struct fanout *fanout, const struct held *held)
{
    invalidate(&fanout->ready, held);
    invalidate(&fanout->blocked, held);
    for (unsigned i = 0; i < FANOUT_LANES; i++)
        invalidate(&fanout->lanes[i].waiting, held);
}

// ---- One client ----------------------------------------------------------------------------------------------------

enum step { STEP_SYNCED, STEP_WAIT, STEP_SEND };

// What brings a client at `from` forward: a reference to it, and where it leads.
static enum step next_step(struct fanout *fanout, struct held_out *out, struct position from, struct shared_buf **buf,
                           struct position *to)
{
    struct held *held = out->held;
    if (!held->ready)
        return STEP_WAIT;
    if (position_equal(from, out->sent))
        return STEP_SYNCED;
    if (ring_has(&held->ring, from)) {
        if (!ring_has(&held->ring, out->sent) || from.seq >= out->sent.seq)
            return STEP_WAIT;
        *to = out->sent;
        *buf = fanout_delta(fanout, out, from);
        fanout->starved |= *buf == NULL;
        return *buf != NULL ? STEP_SEND : STEP_WAIT;
    }
    struct shared_buf *snapshot = fanout_usable_snapshot(fanout, held);
    if (snapshot == NULL) {
        fanout->starved |= !held->snapshot.asked;
        return STEP_WAIT;
    }
    fanout->stats.snapshots++;
    *to = held->snapshot.pos;
    *buf = shared_buf_ref(snapshot);
    return STEP_SEND;
}

// Small pieces of one client that wait for their common write. Its positions count them as sent already.
struct gather {
    uint32_t count;
    size_t bytes;
    struct shared_buf *bufs[GATHER_PIECES];
    uint32_t index[GATHER_PIECES];         // tile
    struct position before[GATHER_PIECES]; // where the client was
};

static enum ws_write write_buf(struct fanout *fanout, struct lag *lag, struct shared_buf *buf)
{
    enum ws_write result = ws_conn_write_shared(lag->client->conn, buf, 0);
    if (result == WS_WRITE_TAKEN)
        fanout_count_write(fanout, buf);
    return result;
}

static enum ws_write flush(struct fanout *fanout, struct lag *lag, struct gather *gather)
{
    enum ws_write result = WS_WRITE_TAKEN;
    if (gather->count == 0)
        return result;
    bool one = gather->count == 1;
    struct shared_buf *buf = one ? shared_buf_ref(gather->bufs[0]) : frames_join(gather->bufs, gather->count);
    if (buf != NULL) {
        result = write_buf(fanout, lag, buf);
        shared_buf_unref(buf);
    } else {
        ws_conn_close(lag->client->conn, WS_CLOSE_SLOW, "no memory for a lagging client");
        result = WS_WRITE_DEAD;
    }
    if (result == WS_WRITE_TAKEN)
        fanout->stats.frames += gather->count;
    while (gather->count > 0) {
        uint32_t last = --gather->count;
        if (result != WS_WRITE_TAKEN)
            lag->pos[gather->index[last]] = gather->before[last];
        shared_buf_unref(gather->bufs[last]);
    }
    gather->bytes = 0;
    return result;
}

static enum ws_write send_piece(struct fanout *fanout, struct lag *lag, struct gather *gather, uint32_t index,
                                struct shared_buf *buf)
{
    enum ws_write result = WS_WRITE_TAKEN;
    if (gather->count == GATHER_PIECES || gather->bytes + buf->len > GATHER_BYTES)
        result = flush(fanout, lag, gather);
    if (result != WS_WRITE_TAKEN)
        return result;
    if (buf->len <= GATHER_BYTES) {
        gather->index[gather->count] = index;
        gather->before[gather->count] = lag->pos[index];
        gather->bufs[gather->count++] = shared_buf_ref(buf);
        gather->bytes += buf->len;
        return result;
    }
    result = write_buf(fanout, lag, buf);
    if (result == WS_WRITE_TAKEN)
        fanout->stats.frames++;
    return result;
}

// Brings the client forward over all its tiles, or until that was much. Where it is then, or BLOCKED if its socket took
// no more; LAG_READY: there is more to send. *synced: it is where synced clients are.
static enum lag_queue advance(struct fanout *fanout, struct lag *lag, bool *synced, size_t *bytes)
{
    const struct audience *audience = lag->client->audience;
    struct gather gather = {0};
    enum lag_queue next = LAG_WAITING;
    *synced = true;
    *bytes = 0;
    for (uint32_t n = 0; n < audience->count; n++) {
        uint32_t index = (lag->cursor + n) % audience->count;
        struct held_out *out = &audience->watches[index].held->outs[audience->lane];
        struct shared_buf *buf;
        struct position to;
        enum step step;
        while ((step = next_step(fanout, out, lag->pos[index], &buf, &to)) == STEP_SEND) {
            enum ws_write result = send_piece(fanout, lag, &gather, index, buf);
            *bytes += buf->len;
            shared_buf_unref(buf);
            if (result != WS_WRITE_TAKEN)
                return LAG_BLOCKED;
            lag->pos[index] = to;
        }
        *synced = *synced && step == STEP_SYNCED;
        if (*bytes > CLIENT_BYTES) {
            lag->cursor = index;
            next = LAG_READY;
            break;
        }
    }
    return flush(fanout, lag, &gather) == WS_WRITE_TAKEN ? next : LAG_BLOCKED;
}

// ---- All of them ---------------------------------------------------------------------------------------------------

static size_t pump_client(struct fanout *fanout, struct lag *lag)
{
    struct hub_client *client = lag->client;
    bool synced;
    size_t bytes;
    enum lag_queue next = advance(fanout, lag, &synced, &bytes);
    if (next == LAG_WAITING && synced) {
        pump_end(fanout, client);
        client->round = fanout->lanes[client->audience->lane].round;
    } else {
        pump_move(fanout, lag, next);
    }
    return bytes;
}

bool pump_has_work(const struct fanout *fanout)
{
    if (!TAILQ_EMPTY(&fanout->ready))
        return true;
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        if (fanout->lanes[i].woken && !TAILQ_EMPTY(&fanout->lanes[i].waiting))
            return true;
    }
    return false;
}

static void end_waits(struct fanout *fanout, struct lane *lane)
{
    struct lag *lag;
    lane->woken = false;
    while ((lag = TAILQ_FIRST(&lane->waiting)) != NULL)
        pump_move(fanout, lag, LAG_READY);
}

void pump_run(struct fanout *fanout)
{
    struct lag *lag;
    for (unsigned i = 0; i < FANOUT_LANES; i++) {
        if (fanout->lanes[i].woken)
            end_waits(fanout, &fanout->lanes[i]);
    }
    size_t bytes = 0;
    uint32_t clients = fanout->options.slice_clients / SLICE_SHARE + 1;
    while (clients-- > 0 && bytes < SLICE_BYTES && (lag = TAILQ_FIRST(&fanout->ready)) != NULL)
        bytes += pump_client(fanout, lag);
}

// ---- What cannot be had --------------------------------------------------------------------------------------------

static bool misses_a_tile(const struct lag *lag)
{
    const struct audience *audience = lag->client->audience;
    for (uint32_t i = 0; i < audience->count; i++) {
        if (!audience->watches[i].held->ready)
            return true;
    }
    return false;
}

static void complain(struct lag_list *waiting, struct monotime now)
{
    uint8_t message[WS_ERROR_LEN];
    ws_encode_error(message, WS_ERROR_TILE_UNAVAILABLE);
    for (struct lag *lag = TAILQ_FIRST(waiting); lag != NULL; lag = TAILQ_NEXT(lag, link)) {
        // What is loaded stays so: who was told once need not be looked at again.
        if (lag->told)
            continue;
        if (!misses_a_tile(lag)) {
            lag->misses = false;
        } else if (!lag->misses) {
            lag->misses = true;
            lag->misses_since = now;
        } else if (monotime_reached(monotime_add_ms(lag->misses_since, COMPLAIN_MS), now)) {
            lag->told = true;
            ws_conn_send(lag->client->conn, message, sizeof message);
        }
    }
}

void pump_complain(struct fanout *fanout, struct monotime now)
{
    for (unsigned i = 0; i < FANOUT_LANES; i++)
        complain(&fanout->lanes[i].waiting, now);
}
