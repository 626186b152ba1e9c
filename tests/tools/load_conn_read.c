// What a connection receives: the answer to its upgrade, then frames.
#include "tests/tools/load_conn_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/ws_proto.h"
#include "tests/tools/load_draws.h"
#include "tests/tools/load_sock.h"
#include "tests/tools/load_upgrade.h"
#include "tests/tools/load_view.h"

#define RECORD_LEN 16384u // most bytes of a TLS record

// Returns how many bytes the answer took; 0 when it is not whole, or the connection is gone.
static size_t on_upgrade(struct load_conn *conn, const uint8_t *data, size_t len)
{
    unsigned status;
    ssize_t head = load_upgrade_read((const char *)data, len, &status);
    if (head == 0)
        return 0;
    if (head < 0) {
        load_conn_malformed(conn, "answer to the upgrade");
        return 0;
    }
    if (status == 101) {
        conn->state = LOAD_CONN_GREETING;
        uint8_t hello[LIMIT_WS_MESSAGE];
        load_conn_send(conn, hello, load_view_hello(conn->view, conn->proc, conn->connection, hello));
        return (size_t)head;
    }
    if (status == 429 || status == 503) {
        if (!conn->proc->said_full)
            (void)fprintf(stderr, "%s: upgrade refused with status %u: the gateway's limits\n",
                          conn->proc->options->targets[conn->target].host, status);
        conn->proc->said_full = true;
        load_conn_lost(conn);
    } else {
        load_conn_give_up(conn, "upgrade refused with status", status);
    }
    return 0;
}

static void on_welcome(struct load_conn *conn, const struct load_frame *frame)
{
    struct load_proc *proc = conn->proc;
    struct ws_welcome welcome;
    if (ws_decode_welcome(frame->payload, frame->len, &welcome) != 0) {
        load_conn_malformed(conn, "welcome");
        return;
    }
    struct monotime now = loop_now_exact();
    hist_add(&proc->stats->connect_us, (uint64_t)monotime_diff_us(now, conn->began));
    conn->state = LOAD_CONN_OPEN;
    conn->user = welcome.user;
    conn->attempts = 0;
    proc->connecting--;
    proc->stats->open++;
    proc->stats->connects++;
    if (conn->was_open)
        proc->stats->reconnects++;
    else
        proc->ever_open++;
    conn->was_open = true;
    load_heap_set(&proc->timers, &conn->timer, monotime_add_ms(now, LOAD_SILENCE_MS));
    if (conn->draws != NULL)
        load_draws_open(conn, &welcome, now);
}

// ---- Reading ------------------------------------------------------------------------------------------------------

static void on_close_frame(struct load_conn *conn, const struct load_frame *frame)
{
    unsigned code = frame->len >= 2 ? (unsigned)frame->payload[0] << 8 | frame->payload[1] : 0;
    if (code == WS_CLOSE_TEXT || code == WS_CLOSE_TOO_LONG || code == WS_CLOSE_MALFORMED)
        load_conn_give_up(conn, "closed with", code);
    else
        load_conn_lost(conn);
}

static void on_move(struct load_conn *conn, const struct load_frame *frame, struct monotime now)
{
    uint32_t delay_ms;
    if (ws_decode_move(frame->payload, frame->len, &delay_ms) != 0) {
        load_conn_malformed(conn, "move");
        return;
    }
    conn->move = monotime_add_ms(now, delay_ms);
    load_conn_wake(conn, conn->move);
}

static void on_error_message(struct load_conn *conn, const struct load_frame *frame)
{
    uint8_t code;
    if (ws_decode_error(frame->payload, frame->len, &code) != 0) {
        load_conn_malformed(conn, "error");
    } else if (code == WS_ERROR_WATCH_LIMIT) {
        (void)fprintf(stderr, "%s: WATCH_LIMIT\n", conn->proc->options->targets[conn->target].host);
        conn->proc->stats->errors++;
    }
}

static void on_message(struct load_conn *conn, const struct load_frame *frame, struct monotime now)
{
    uint8_t type = frame->len > 0 ? frame->payload[0] : 0;
    if (conn->state == LOAD_CONN_GREETING) {
        on_welcome(conn, frame); // nothing may come before it
        return;
    }
    int err = 0;
    switch (type) {
    case WS_VERDICT:
        err = conn->draws != NULL ? load_draws_on_verdict(conn, frame, now) : ERR_MALFORMED;
        break;
    case WS_TILE:
        err = load_view_on_tile(conn, frame, now);
        break;
    case WS_SNAPSHOT:
        err = load_view_on_snapshot(conn, frame);
        break;
    case WS_STATUS:
        err = ws_decode_status(frame->payload, frame->len, &(struct ws_status){0});
        break;
    case WS_CONFIG:
        err = ws_decode_config(frame->payload, frame->len, &(struct ws_config){0});
        break;
    case WS_ANNOUNCEMENT:
        err = ws_decode_announcement(frame->payload, frame->len, &(struct ws_announcement){0});
        break;
    case WS_PALETTE: {
        static struct palette palette;
        err = ws_decode_palette(frame->payload, frame->len, &palette);
        break;
    }
    case WS_MOVE:
        on_move(conn, frame, now);
        break;
    case WS_ERROR:
        on_error_message(conn, frame);
        break;
    default:
        err = ERR_MALFORMED;
        break;
    }
    if (err != 0)
        load_conn_malformed(conn, "message");
}

static void on_frame(struct load_conn *conn, const struct load_frame *frame, struct monotime now)
{
    uint8_t pong[128 + LOAD_FRAME_OVERHEAD];
    switch (frame->opcode) {
    case WSLAY_BINARY_FRAME:
        on_message(conn, frame, now);
        break;
    case WSLAY_CONNECTION_CLOSE:
        on_close_frame(conn, frame);
        break;
    case WSLAY_PING:
        load_conn_write(conn, pong,
                        load_framer_put(&conn->proc->framer, pong, WSLAY_PONG, frame->payload, frame->len & 127));
        break;
    case WSLAY_PONG:
        break;
    default:
        load_conn_malformed(conn, "frame");
        break;
    }
}

// Returns how many bytes whole frames took.
static size_t on_frames(struct load_conn *conn, const uint8_t *data, size_t len, struct monotime now)
{
    struct load_framer *framer = &conn->proc->framer;
    struct load_frame frame;
    size_t used = 0;
    int more = 0;
    load_framer_begin(framer, data, len);
    while (conn->state >= LOAD_CONN_GREETING && conn->state <= LOAD_CONN_OPEN) {
        more = load_framer_next(framer, &frame);
        if (more != 1)
            break;
        on_frame(conn, &frame, now);
    }
    if (load_framer_end(framer, &used) != 0)
        abort(); // no memory for one context
    if (more < 0)
        load_conn_malformed(conn, "frame");
    return used;
}

// Keeps what is left over of an unfinished frame.
static void keep_rest(struct load_conn *conn, const uint8_t *data, size_t len)
{
    if (len == 0) {
        free(conn->in);
        conn->in = NULL;
        conn->in_len = 0;
        return;
    }
    uint8_t *in = len <= LOAD_FRAME_MAX ? realloc(conn->in, len) : NULL;
    if (in == NULL) {
        load_conn_malformed(conn, "frame: too long");
        return;
    }
    memcpy(in, data, len);
    conn->in = in;
    conn->in_len = (uint32_t)len;
}

static ssize_t read_measured(struct load_conn *conn, uint8_t *to, size_t room)
{
    int64_t waited_us;
    ssize_t n = load_sock_read_stamped(&conn->sock, to, room, &waited_us);
    // Before all are connected it is busy with that.
    if (waited_us >= 0 && conn->proc->drawing)
        hist_add(&conn->proc->stats->read_us, (uint64_t)waited_us);
    return n;
}

// All that is there, or all that there is room for. TLS gives a record at a time, however many wait.
static ssize_t read_all(struct load_conn *conn, uint8_t *to, size_t room)
{
    struct sock *sock = &conn->sock;
    if (sock->ssl == NULL && conn->proc->options->read_times)
        return read_measured(conn, to, room);
    ssize_t n = sock_read(sock, to, room);
    size_t got = n > 0 ? (size_t)n : 0;
    while (n > 0 && sock->ssl != NULL && room - got >= RECORD_LEN) {
        n = sock_read(sock, to + got, room - got);
        got += n > 0 ? (size_t)n : 0;
    }
    return got > 0 ? (ssize_t)got : n;
}

void load_conn_on_readable(struct load_conn *conn)
{
    struct load_proc *proc = conn->proc;
    size_t len = conn->in_len;
    if (len > 0)
        memcpy(proc->in, conn->in, len);
    ssize_t n = read_all(conn, proc->in + len, LOAD_IN_LEN - len);
    struct monotime now = loop_now_exact(); // a turn may be long: what waited in it counts
    if (n == ERR_AGAIN)
        return;
    if (n < 0) {
        load_conn_lost(conn);
        return;
    }
    len += (size_t)n;
    proc->stats->bytes_in += (uint64_t)n;
    conn->heard = now;

    size_t used = 0;
    if (conn->state == LOAD_CONN_UPGRADING)
        used = on_upgrade(conn, proc->in, len);
    if (conn->state == LOAD_CONN_GREETING || conn->state == LOAD_CONN_OPEN)
        used += on_frames(conn, proc->in + used, len - used, now);
    if (conn->sock.fd < 0)
        return;
    keep_rest(conn, proc->in + used, len - used);
    if (conn->sock.fd >= 0 && conn->sock.ssl != NULL && LOAD_IN_LEN - len < RECORD_LEN)
        event_active(&conn->event, EV_READ, 0); // there may be more, of which the descriptor says nothing
    load_conn_draw_on(conn, now);
}
