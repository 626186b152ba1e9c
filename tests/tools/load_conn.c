#include "tests/tools/load_conn_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/rand.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"
#include "tests/tools/load_draws.h"
#include "tests/tools/load_upgrade.h"
#include "tests/tools/load_view.h"

#define HANDSHAKE_MS 20000
#define BACKOFF_MS 500
#define BACKOFF_MAX_MS 15000
#define MOVE_PATIENCE_MS 2000 // for the draws in flight
#define OUT_MAX (1u << 20)

static void on_event(evutil_socket_t fd, short what, void *arg);

void load_conn_init(struct load_conn *conn, struct load_proc *proc, uint32_t index, uint8_t target)
{
    *conn =
        (struct load_conn){.proc = proc, .index = index, .target = target, .sock = {.fd = -1}, .move = MONOTIME_NEVER};
    while (conn->connection == 0)
        conn->connection = rand_u64();
}

static void drop_socket(struct load_conn *conn)
{
    if (conn->sock.fd >= 0)
        event_del(&conn->event);
    sock_close(&conn->sock);
    free(conn->in);
    free(conn->out);
    conn->in = conn->out = NULL;
    conn->in_len = conn->out_len = 0;
    conn->move = MONOTIME_NEVER;
}

void load_conn_fini(struct load_conn *conn)
{
    drop_socket(conn);
    load_heap_clear(&conn->proc->timers, &conn->timer);
    load_draws_free(conn->draws);
    load_view_free(conn->view);
    conn->draws = NULL;
    conn->view = NULL;
}

void load_conn_wake(struct load_conn *conn, struct monotime due)
{
    if (conn->timer.place == 0 || monotime_before(due, conn->timer.due))
        load_heap_set(&conn->proc->timers, &conn->timer, due);
}

static void wait_for(struct load_conn *conn, short what)
{
    if (conn->event.ev_base != NULL && event_pending(&conn->event, EV_READ | EV_WRITE, NULL))
        event_del(&conn->event);
    if (event_assign(&conn->event, loop_base(conn->proc->loop), conn->sock.fd, (short)(what | EV_PERSIST), on_event,
                     conn) != 0 ||
        event_add(&conn->event, NULL) != 0)
        abort();
}

// A write of TLS may have to wait until something comes.
static void wait_on(struct load_conn *conn)
{
    bool writes = conn->out_len > 0 && !conn->sock.write_wants_read;
    short what = writes ? EV_READ | EV_WRITE : EV_READ;
    if (!event_pending(&conn->event, what, NULL) || (!writes && event_pending(&conn->event, EV_WRITE, NULL)))
        wait_for(conn, what);
}

// ---- Ends ---------------------------------------------------------------------------------------------------------

// Leaves the present state for `state`, with what is counted by it.
static void leave(struct load_conn *conn, enum load_conn_state state)
{
    struct load_proc *proc = conn->proc;
    if (conn->state == LOAD_CONN_OPEN)
        proc->stats->open--;
    if (conn->state >= LOAD_CONN_CONNECTING && conn->state <= LOAD_CONN_GREETING)
        proc->connecting--;
    drop_socket(conn);
    load_heap_clear(&proc->timers, &conn->timer);
    conn->state = (uint8_t)state;
}

static void next_target(struct load_conn *conn)
{
    if (!conn->pinned)
        conn->target = (uint8_t)((conn->target + 1) % conn->proc->options->target_count);
}

void load_conn_lost(struct load_conn *conn)
{
    struct load_proc *proc = conn->proc;
    if (conn->state != LOAD_CONN_OPEN)
        proc->stats->connect_failures++;
    leave(conn, LOAD_CONN_WAITING);
    next_target(conn);
    uint64_t delay_ms = BACKOFF_MAX_MS;
    if (conn->attempts < 5)
        delay_ms = (uint64_t)BACKOFF_MS << conn->attempts;
    if (conn->attempts < UINT8_MAX)
        conn->attempts++;
    delay_ms = delay_ms / 2 + load_proc_random(proc, delay_ms / 2 + 1);
    load_conn_wake(conn, monotime_add_ms(loop_now_exact(), (int64_t)delay_ms));
}

void load_conn_give_up(struct load_conn *conn, const char *why, unsigned code)
{
    (void)fprintf(stderr, "%s: connection %u ends for good: %s %u\n", conn->proc->options->targets[conn->target].host,
                  conn->index, why, code);
    conn->proc->stats->abandoned++;
    leave(conn, LOAD_CONN_DEAD);
    if (conn->draws != NULL)
        load_draws_give_up(conn);
}

void load_conn_malformed(struct load_conn *conn, const char *what)
{
    (void)fprintf(stderr, "%s: malformed %s\n", conn->proc->options->targets[conn->target].host, what);
    conn->proc->stats->malformed++;
    load_conn_lost(conn);
}

// ---- Writing ------------------------------------------------------------------------------------------------------

static void keep(struct load_conn *conn, const uint8_t *bytes, size_t len)
{
    uint8_t *bigger = conn->out_len + len <= OUT_MAX ? realloc(conn->out, conn->out_len + len) : NULL;
    if (bigger == NULL) {
        load_conn_lost(conn);
        return;
    }
    memcpy(bigger + conn->out_len, bytes, len);
    conn->out = bigger;
    conn->out_len += (uint32_t)len;
    wait_on(conn);
}

void load_conn_write(struct load_conn *conn, const uint8_t *bytes, size_t len)
{
    if (conn->sock.fd < 0 || len == 0)
        return;
    ssize_t sent = 0;
    if (conn->out_len == 0)
        sent = sock_write(&conn->sock, bytes, len);
    if (sent < 0 && sent != ERR_AGAIN)
        return; // its end comes as an event
    if (sent < 0)
        sent = 0;
    if ((size_t)sent < len)
        keep(conn, bytes + sent, len - (size_t)sent);
}

void load_conn_send(struct load_conn *conn, const uint8_t *payload, size_t len)
{
    uint8_t frame[LIMIT_WS_MESSAGE + LOAD_FRAME_OVERHEAD];
    if (len <= LIMIT_WS_MESSAGE)
        load_conn_write(conn, frame, load_framer_put(&conn->proc->framer, frame, WSLAY_BINARY_FRAME, payload, len));
}

void load_conn_draw_on(struct load_conn *conn, struct monotime now)
{
    if (conn->draws != NULL && conn->proc->work.rate == 0)
        (void)load_draws_pump(conn, now);
}

static void on_writable(struct load_conn *conn)
{
    ssize_t sent = sock_write(&conn->sock, conn->out, conn->out_len);
    if (sent > 0) {
        conn->out_len -= (uint32_t)sent;
        memmove(conn->out, conn->out + sent, conn->out_len);
    }
    wait_on(conn);
    if (conn->out_len > 0)
        return;
    free(conn->out);
    conn->out = NULL;
    load_conn_draw_on(conn, loop_now_exact());
}

// ---- Connecting ---------------------------------------------------------------------------------------------------

static int open_socket(struct load_conn *conn)
{
    const struct load_options *options = conn->proc->options;
    const struct load_target *target = &options->targets[conn->target];
    const int one = 1;
    int fd = socket(target->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ERR_IO;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (options->read_times)
        load_sock_stamp(fd);
    if (options->source_count > 0) {
        const struct load_source *source = &options->sources[conn->index % options->source_count];
        // The port is chosen at connect, per pair of addresses: more connections than ports.
        (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(fd, (const struct sockaddr *)&source->address, source->address_len) != 0)
            goto fail;
    }
    if (connect(fd, (const struct sockaddr *)&target->address, target->address_len) != 0 && errno != EINPROGRESS)
        goto fail;
    if (load_sock_init(&conn->sock, fd, target->tls) == 0)
        return 0;

fail:
    close(fd);
    return ERR_IO;
}

void load_conn_start(struct load_conn *conn)
{
    struct load_proc *proc = conn->proc;
    conn->began = loop_now_exact();
    conn->state = LOAD_CONN_CONNECTING;
    proc->connecting++;
    int err = open_socket(conn);
    if (err != 0) {
        load_conn_lost(conn);
        return;
    }
    wait_for(conn, EV_WRITE);
    load_heap_set(&proc->timers, &conn->timer, monotime_add_ms(conn->began, HANDSHAKE_MS));
}

static void on_connected(struct load_conn *conn)
{
    struct load_proc *proc = conn->proc;
    int error = 0;
    socklen_t len = sizeof error;
    if (getsockopt(conn->sock.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
        load_conn_lost(conn);
        return;
    }
    char request[1024];
    const char *token = proc->tokens[conn->index % (uint32_t)proc->options->users];
    ssize_t head = load_upgrade_write(request, sizeof request, proc->options->targets[conn->target].host, token);
    conn->state = LOAD_CONN_UPGRADING;
    wait_for(conn, EV_READ);
    if (head > 0)
        load_conn_write(conn, (const uint8_t *)request, (size_t)head);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct load_conn *conn = arg;
    if (conn->state == LOAD_CONN_CONNECTING) {
        on_connected(conn);
        return;
    }
    if ((what & EV_READ) != 0 && conn->sock.write_wants_read && conn->out_len > 0)
        on_writable(conn);
    if ((what & EV_READ) != 0)
        load_conn_on_readable(conn);
    if ((what & EV_WRITE) != 0 && conn->out_len > 0)
        on_writable(conn);
}

// ---- Time ---------------------------------------------------------------------------------------------------------

static void move_now(struct load_conn *conn)
{
    static const uint8_t going_away[] = {WS_CLOSE_NORMAL >> 8, WS_CLOSE_NORMAL & 0xff};
    uint8_t frame[sizeof going_away + LOAD_FRAME_OVERHEAD];
    size_t len = load_framer_put(&conn->proc->framer, frame, WSLAY_CONNECTION_CLOSE, going_away, sizeof going_away);
    load_conn_write(conn, frame, len);
    leave(conn, LOAD_CONN_IDLE);
    next_target(conn);
    load_conn_start(conn);
}

static void on_timer_open(struct load_conn *conn, struct monotime now)
{
    struct monotime silent = monotime_add_ms(conn->heard, LOAD_SILENCE_MS);
    if (monotime_reached(silent, now)) {
        load_conn_lost(conn);
        return;
    }
    load_conn_wake(conn, silent);
    if (monotime_reached(conn->move, now)) {
        bool patient = monotime_before(now, monotime_add_ms(conn->move, MOVE_PATIENCE_MS));
        if (conn->draws == NULL || !patient || load_draws_in_flight(conn->draws) == 0) {
            move_now(conn);
            return;
        }
        load_conn_wake(conn, monotime_add_ms(now, 20));
    } else {
        load_conn_wake(conn, conn->move);
    }
    if (conn->draws != NULL)
        load_draws_on_timer(conn, now);
}

void load_conn_on_timer(struct load_conn *conn, struct monotime now)
{
    load_heap_clear(&conn->proc->timers, &conn->timer);
    switch ((enum load_conn_state)conn->state) {
    case LOAD_CONN_WAITING:
        load_conn_start(conn);
        break;
    case LOAD_CONN_CONNECTING:
    case LOAD_CONN_UPGRADING:
    case LOAD_CONN_GREETING:
        load_conn_lost(conn);
        break;
    case LOAD_CONN_OPEN:
        on_timer_open(conn, now);
        break;
    case LOAD_CONN_IDLE:
    case LOAD_CONN_DEAD:
        break;
    }
}
