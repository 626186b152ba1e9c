#include "shard/link_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/bytes.h"
#include "common/io/log.h"
#include "common/io/msg_sock.h"
#include "common/io/rand.h"
#include "common/io/sock.h"
#include "proto/link_proto.h"

#define BACKLOG 128
#define ACCEPTS_PER_TURN 64
#define HIGH_WATER (1024u * 1024u)
#define CHECK_EVERY_MS 1000
#define FULL_PAUSE_MS 100

enum link_state {
    LINK_FREE,       // no connection
    LINK_CHALLENGED, // CHALLENGE sent
    LINK_OPEN,       // ACCEPT sent
};

struct link {
    struct link_server *server;
    struct msg_sock *sock;
    enum link_state state;
    uint16_t number;
    uint64_t gateway;
    struct monotime heard; // last message, or the beginning
    uint8_t nonce[LINK_NONCE_LEN];
    bool touched; // on server->touched
    uint32_t verdict_count, id_count;
    uint32_t refusals; // NOT_OWNER messages since the last flush
    uint8_t verdicts[LIMIT_BATCH_DRAWS * LINK_VERDICT_LEN];
    uint8_t ids[LIMIT_BATCH_DRAWS * LINK_ID_LEN];
};

struct link_server {
    struct loop *loop;
    struct place *place;
    struct link_server_options options;
    void (*on_change)(void *arg);
    void *arg;
    int fd;
    struct event acceptable;
    struct loop_timer check;
    struct loop_timer resume;
    struct link_server_stats stats;
    uint32_t touched_count;
    uint16_t touched[LIMIT_SHARD_LINKS]; // links with answers to send
    uint8_t message[LIMIT_LINK_MESSAGE];
    struct link links[LIMIT_SHARD_LINKS];
};

static void link_close(struct link *link, const char *why)
{
    struct link_server *server = link->server;
    if (link->state == LINK_FREE)
        return;
    if (link->state == LINK_OPEN) {
        place_peer_close(server->place, link->number);
        server->stats.links--;
        log_info("gateway link closed", LOG_STR("reason", why), LOG_HEX("gateway", link->gateway));
    } else {
        server->stats.refused++;
        log_warn("link refused", LOG_STR("reason", why));
    }
    server->stats.closed++;
    link->state = LINK_FREE;
    link->verdict_count = link->id_count = link->refusals = 0;
    msg_sock_close(link->sock);
    link->sock = NULL;
}

static void link_malformed(struct link *link, const char *why)
{
    link->server->stats.malformed++;
    link_close(link, why);
}

static void link_send(struct link *link, size_t len)
{
    int err = msg_sock_send(link->sock, link->server->message, len);
    if (err != 0)
        link_close(link, err_text(err));
}

// ---- Answers -------------------------------------------------------------------------------------------------------

static void touch(struct link *link)
{
    if (link->touched)
        return;
    link->touched = true;
    link->server->touched[link->server->touched_count++] = link->number;
}

static void send_verdicts(struct link *link)
{
    if (link->state != LINK_OPEN || link->verdict_count == 0)
        return;
    size_t len = link_encode_verdicts(link->server->message, link->verdicts, link->verdict_count);
    link->verdict_count = 0;
    link_send(link, len);
}

// Verdicts go first: what was placed before a tile was given up is told before it is refused.
static void send_ids(struct link *link)
{
    send_verdicts(link);
    if (link->state != LINK_OPEN || link->id_count == 0)
        return;
    size_t len =
        link_encode_not_owner(link->server->message, place_view(link->server->place), link->ids, link->id_count);
    link->id_count = 0;
    link->refusals++;
    link_send(link, len);
}

static void add_verdict(struct link *link, const struct link_verdict *verdict)
{
    if (link->verdict_count == LIMIT_BATCH_DRAWS)
        send_verdicts(link);
    if (link->state != LINK_OPEN)
        return;
    touch(link);
    link_put_verdict(link->verdicts + (size_t)link->verdict_count++ * LINK_VERDICT_LEN, verdict);
}

static void add_id(struct link *link, uint32_t id)
{
    if (link->id_count == LIMIT_BATCH_DRAWS)
        send_ids(link);
    if (link->state != LINK_OPEN)
        return;
    touch(link);
    link_put_id(link->ids + (size_t)link->id_count++ * LINK_ID_LEN, id);
}

void link_server_answer(struct link_server *server, const struct draw *draw)
{
    struct link *link = &server->links[draw->peer];
    if (link->state != LINK_OPEN || place_peer(server->place, draw->peer)->generation != draw->peer_generation)
        return;
    if (draw->not_owner)
        add_id(link, draw->asked.id);
    else
        add_verdict(link, &draw->verdict);
}

void link_server_flush(struct link_server *server)
{
    for (uint32_t i = 0; i < server->touched_count; i++) {
        struct link *link = &server->links[server->touched[i]];
        link->touched = false;
        send_ids(link);
        if (link->state != LINK_OPEN)
            continue;
        peer_flushed(place_peer(server->place, link->number), link->refusals);
        link->refusals = 0;
        if (place_peer(server->place, link->number)->broken)
            link_close(link, "more refusals than draws");
    }
    server->touched_count = 0;
}

// ---- Messages ------------------------------------------------------------------------------------------------------

static void on_response(struct link *link, const struct link_message *message)
{
    struct link_server *server = link->server;
    const struct link_server_options *options = &server->options;
    uint8_t mac[LINK_MAC_LEN];
    int err =
        link_mac_gateway(options->secret, options->secret_len, link->nonce, message->nonce, message->gateway, mac);
    if (err == 0 && !bytes_equal_secret(mac, message->mac, sizeof mac))
        err = ERR_AUTH;
    if (err == 0)
        err = link_mac_shard(options->secret, options->secret_len, message->nonce, link->nonce, options->incarnation,
                             mac);
    if (err != 0) {
        link_close(link, err_text(err));
        return;
    }
    link->state = LINK_OPEN;
    link->gateway = message->gateway;
    server->stats.links++;
    server->stats.accepted++;
    place_peer_open(server->place, link->number);
    log_info("gateway link open", LOG_HEX("gateway", link->gateway));
    link_send(link, link_encode_accept(server->message, mac, options->incarnation, place_view(server->place)));
}

static void on_forward(struct link *link, const struct link_message *message)
{
    struct link_server *server = link->server;
    struct monotime now = loop_now(server->loop);
    struct peer *peer = place_peer(server->place, link->number);
    if (place_forward(server->place, link->number, message->view, message->refusals) != 0) {
        link_malformed(link, "count of refusals");
        return;
    }
    for (uint32_t i = 0; i < message->count && link->state == LINK_OPEN; i++) {
        struct link_draw draw;
        struct link_verdict verdict;
        if (link_draw_at(message->records, i, &draw) != 0 || peer->in_flight >= LIMIT_LINK_IN_FLIGHT) {
            link_malformed(link, "draw");
            return;
        }
        switch (place_draw(server->place, now, link->number, &draw, &verdict)) {
        case PLACE_QUEUED:
            break;
        case PLACE_DECIDED:
            add_verdict(link, &verdict);
            break;
        case PLACE_NOT_OWNER:
            add_id(link, draw.id);
            break;
        }
    }
    server->on_change(server->arg);
}

static void on_message(void *arg, const uint8_t *data, size_t len)
{
    struct link *link = arg;
    struct link_message message;
    if (link->state == LINK_FREE)
        return;
    bool good = link_decode(data, len, &message) == 0;
    bool open = link->state == LINK_OPEN;
    link->heard = loop_now(link->server->loop);
    if (good && !open && message.type == LINK_RESPONSE && message.version == LINK_PROTO_VERSION)
        on_response(link, &message);
    else if (good && open && message.type == LINK_FORWARD)
        on_forward(link, &message);
    else if (good && open && message.type == LINK_PING)
        link_send(link, link_encode_pong(link->server->message, place_view(link->server->place)));
    else
        link_malformed(link, "message");
}

static void on_closed(void *arg, enum msg_sock_reason reason)
{
    link_close(arg, msg_sock_reason_text(reason));
}

// ---- Accepting -----------------------------------------------------------------------------------------------------

static void link_open(struct link *link, int fd)
{
    static const struct msg_sock_limits limits = {.max_len = LIMIT_LINK_MESSAGE, .high_water = HIGH_WATER};
    static const struct msg_sock_handlers handlers = {.on_message = on_message, .on_closed = on_closed};
    struct link_server *server = link->server;
    if (msg_sock_accept(&link->sock, server->loop, fd, &limits, &handlers, link) != 0) {
        close(fd);
        return;
    }
    link->state = LINK_CHALLENGED;
    link->heard = loop_now(server->loop);
    rand_bytes(link->nonce, sizeof link->nonce);
    link_send(link, link_encode_challenge(server->message, link->nonce));
}

static struct link *free_link(struct link_server *server)
{
    for (uint32_t i = 0; i < LIMIT_SHARD_LINKS; i++) {
        if (server->links[i].state == LINK_FREE)
            return &server->links[i];
    }
    return NULL;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    struct link_server *server = arg;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
        int accepted = sock_accept(fd, NULL, NULL);
        if (accepted == ERR_FULL) {
            event_del(&server->acceptable);
            loop_timer_arm_ms(&server->resume, FULL_PAUSE_MS);
        }
        if (accepted < 0)
            return;
        struct link *link = free_link(server);
        if (link != NULL) {
            link_open(link, accepted);
            continue;
        }
        close(accepted);
        server->stats.refused++;
        log_warn("link refused", LOG_STR("reason", "too many links"));
    }
}

static void on_resume(void *arg)
{
    struct link_server *server = arg;
    if (event_add(&server->acceptable, NULL) != 0)
        loop_timer_arm_ms(&server->resume, FULL_PAUSE_MS);
}

static void on_check(void *arg)
{
    struct link_server *server = arg;
    struct monotime now = loop_now(server->loop);
    loop_timer_arm_ms(&server->check, CHECK_EVERY_MS);
    for (uint32_t i = 0; i < LIMIT_SHARD_LINKS; i++) {
        struct link *link = &server->links[i];
        int64_t limit_ms = link->state == LINK_OPEN ? LINK_SERVER_SILENCE_MS : LINK_SERVER_HANDSHAKE_MS;
        if (link->state != LINK_FREE && monotime_reached(monotime_add_ms(link->heard, limit_ms), now))
            link_close(link, "silence");
    }
}

int link_server_open(struct link_server **out, struct loop *loop, struct place *place,
                     const struct link_server_options *options, void (*on_change)(void *arg), void *arg)
{
    struct link_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return ERR_NOMEM;
    server->loop = loop;
    server->place = place;
    server->options = *options;
    server->on_change = on_change;
    server->arg = arg;
    for (uint16_t i = 0; i < LIMIT_SHARD_LINKS; i++) {
        server->links[i].server = server;
        server->links[i].number = i;
    }
    int err = server->fd = sock_listen(options->listen, BACKLOG, false);
    if (err < 0)
        goto fail;
    loop_timer_init(&server->check, loop, on_check, server);
    loop_timer_init(&server->resume, loop, on_resume, server);
    err = ERR_NOMEM;
    if (event_assign(&server->acceptable, loop_base(loop), server->fd, EV_READ | EV_PERSIST, on_acceptable, server) !=
            0 ||
        event_add(&server->acceptable, NULL) != 0)
        goto fail_listening;
    loop_timer_arm_ms(&server->check, CHECK_EVERY_MS);
    *out = server;
    return 0;

fail_listening:
    close(server->fd);
fail:
    free(server);
    return err;
}

void link_server_close(struct link_server *server)
{
    if (server == NULL)
        return;
    for (uint32_t i = 0; i < LIMIT_SHARD_LINKS; i++)
        link_close(&server->links[i], "stopping");
    event_del(&server->acceptable);
    loop_timer_disarm(&server->check);
    loop_timer_disarm(&server->resume);
    close(server->fd);
    free(server);
}

uint16_t link_server_port(const struct link_server *server)
{
    return sock_port(server->fd);
}

const struct link_server_stats *link_server_stats(const struct link_server *server)
{
    return &server->stats;
}
