#include "tests/sim/client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/core/bytes.h"
#include "common/core/replica.h"
#include "proto/limits.h"
#include "proto/link_proto.h"
#include "proto/verdict.h"
#include "proto/ws_proto.h"
#include "tests/sim/ledger.h"
#include "tests/sim/server.h"
#include "tests/sim/sim_replica.h"
#include "tests/sim/sim_sock.h"

#define PENDING_MAX 256u
#define RETRY_MIN_US 50000
#define RETRY_MAX_US 2000000
#define GIVE_UP_US 60000000
#define REPEAT_MIN_US 20000
#define REFUSED_MIN_US 5000
#define NONCE_SPAN 256u
#define LOST_IN_MILLION 5000u
#define IN_MAX 8192u // a snapshot of a tile and some more
#define OPCODE_BINARY 0x02
#define OPCODE_CLOSE 0x08
#define BALANCER_US 300000            // until it sees that a gateway is not ready any more
#define ANSWER_UNDISTURBED_US 1500000 // where nothing goes wrong

struct pending {
    uint32_t number; // of the ledger
    uint32_t nonce;
    uint16_t x, y;
    uint8_t color;
    uint32_t copies; // sent
    int64_t first_us;
    int64_t again_us; // to be repeated then; 0 = it is under way
};

struct watched {
    struct replica replica;
    struct replica older; // as it was at some time: a client may come back with that
    bool asked;           // RESUME is under way
    bool looks;           // it is in the watch
};

// A connection to a gateway. A client has two of them while it moves from one to another.
struct socket {
    struct client *client;
    struct net_end *end;     // NULL: there is none
    bool accepted, welcomed; // by the gateway
    int64_t hello_us;        // when HELLO was sent
    uint8_t in[IN_MAX];      // what has come, until a frame is whole
    size_t in_len;
};

struct client {
    struct sim_proc proc;
    char name[16];
    uint32_t number;
    struct edge_user user;
    uint64_t connection;
    struct socket sockets[2];
    struct socket *socket; // the one that counts
    struct socket *next;   // that will take over; NULL: none
    bool welcomed;         // `socket` is
    bool told_to_move;     // by the gateway of `socket`
    int64_t verdict_us;    // when the last one came
    uint32_t next_nonce;
    int64_t ready_us;
    int64_t retry_us;
    struct pending pending[PENDING_MAX]; // in the order of their nonces
    uint32_t pending_count;
    uint32_t tile_count;
    unsigned tiles[DB_TILES];
    struct watched watched[DB_TILES]; // in the order of tiles
    sim_event pace, connect, repeat, move;
};

static struct {
    struct client_settings settings;
    struct client clients[CLIENTS_MAX];
    bool resting;
    const uint8_t *payload; // that is being read
    size_t payload_len;
} all;

// ---- Sending -------------------------------------------------------------------------------------------------------

static void send_frame(struct socket *socket, uint8_t opcode, const uint8_t *payload, size_t len)
{
    uint8_t frame[8 + WS_HELLO_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    size_t head = 2;
    if (!net_is_open(socket->end))
        return;
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (uint8_t)(len < 126 ? len : 126);
    if (len >= 126) {
        frame[head++] = (uint8_t)(len >> 8);
        frame[head++] = (uint8_t)len;
    }
    const uint32_t mask = (uint32_t)sim_random();
    memcpy(frame + head, &mask, 4);
    for (size_t i = 0; i < len; i++)
        frame[head + 4 + i] = payload[i] ^ frame[head + i % 4];
    net_send(socket->end, &net_bytes_new(frame, head + 4 + len)->head);
}

static void send_bytes(struct client *client, const uint8_t *bytes, size_t len)
{
    send_frame(client->socket, OPCODE_BINARY, bytes, len);
}

static void send_draw(struct client *client, struct pending *pending)
{
    uint8_t message[WS_DRAW_LEN];
    const struct ws_draw draw = {.color = pending->color, .x = pending->x, .y = pending->y, .nonce = pending->nonce};
    pending->again_us = 0;
    pending->copies++;
    ledger_sent(pending->number);
    send_bytes(client, message, ws_encode_draw(message, &draw));
}

static void remove_pending(struct client *client, uint32_t i)
{
    client->pending_count--;
    memmove(&client->pending[i], &client->pending[i + 1], (client->pending_count - i) * sizeof client->pending[0]);
}

static void expire(struct client *client)
{
    for (uint32_t i = 0; i < client->pending_count;) {
        if (sim_now_us() - client->pending[i].first_us < GIVE_UP_US) {
            i++;
            continue;
        }
        ledger_gave_up(client->pending[i].number);
        remove_pending(client, i);
    }
}

static void on_repeat(void *arg)
{
    struct client *client = arg;
    int64_t next_us = 0;
    client->repeat = 0;
    expire(client);
    for (uint32_t i = 0; i < client->pending_count && client->welcomed; i++) {
        struct pending *pending = &client->pending[i];
        if (pending->again_us != 0 && pending->again_us <= sim_now_us())
            send_draw(client, pending);
        else if (pending->again_us != 0 && (next_us == 0 || pending->again_us < next_us))
            next_us = pending->again_us;
    }
    if (next_us != 0)
        client->repeat = sim_at(&client->proc, next_us, on_repeat, NULL, client);
}

// ---- Drawing -------------------------------------------------------------------------------------------------------

static bool may_draw(const struct client *client)
{
    uint32_t window = all.settings.cooldown_ms > 0 ? 1 : all.settings.window;
    bool span = client->pending_count == 0 || client->next_nonce - client->pending[0].nonce < NONCE_SPAN;
    return client->welcomed && !all.resting && client->pending_count < window && span &&
           client->ready_us <= sim_now_us();
}

static void draw_something(struct client *client)
{
    struct ledger_draw draw = {.client = client->number, .user = client->user.user, .connection = client->connection};
    uint16_t x = 0, y = 0;
    for (int i = 0; i < 4; i++) {
        draw.tile = (unsigned)sim_below(all.settings.tiles);
        x = (uint16_t)sim_below(all.settings.side);
        y = (uint16_t)sim_below(all.settings.side);
        draw.offset = (uint16_t)(y * all.settings.geom.edge + x);
        draw.color = (uint8_t)(1 + sim_below(all.settings.colors - 1u));
        if (!ledger_knows(draw.user, draw.tile, draw.offset, draw.color))
            break;
        if (i == 3)
            return;
    }
    struct tile tile = db_tile_at(draw.tile);
    draw.nonce = client->next_nonce;
    struct pending *pending = &client->pending[client->pending_count++];
    *pending = (struct pending){.number = ledger_draw(&draw),
                                .nonce = client->next_nonce++,
                                .x = (uint16_t)(tile.tx * all.settings.geom.edge + x),
                                .y = (uint16_t)(tile.ty * all.settings.geom.edge + y),
                                .color = draw.color,
                                .first_us = sim_now_us()};
    send_draw(client, pending);
}

// ---- Answers -------------------------------------------------------------------------------------------------------

static void repeat_later(struct client *client, struct pending *pending, uint32_t wait_ms)
{
    pending->again_us = sim_now_us() + (wait_ms > 0 ? (int64_t)wait_ms * 1000 : REPEAT_MIN_US);
    sim_cancel(client->repeat);
    client->repeat = sim_after(&client->proc, 0, on_repeat, NULL, client);
}

// As a page does: a fresh draw whose number was not the right one is sent once more with the right one.
static bool send_renumbered(struct client *client, struct pending *pending, const struct ws_verdict *verdict)
{
    bool fresh = all.settings.cooldown_ms > 0 && pending->copies == 1;
    if (verdict->code != VERDICT_STALE || !fresh)
        return false;
    pending->nonce = verdict->next_nonce;
    client->next_nonce = verdict->next_nonce + 1;
    ledger_renumber(pending->number, pending->nonce);
    send_draw(client, pending);
    return true;
}

static void on_verdict(struct client *client, const struct ws_verdict *verdict)
{
    uint32_t i = 0;
    while (i < client->pending_count && client->pending[i].nonce != verdict->nonce)
        i++;
    if (i == client->pending_count || client->pending[i].x != verdict->x || client->pending[i].y != verdict->y)
        return;
    struct pending *pending = &client->pending[i];
    client->verdict_us = sim_now_us();
    ledger_verdict(pending->number, verdict->code, verdict->seq);
    if (all.settings.undisturbed && verdict->code != VERDICT_PLACED)
        sim_fail("undisturbed", "%s gets verdict %u", client->name, verdict->code);
    if (all.settings.undisturbed && sim_now_us() - pending->first_us > ANSWER_UNDISTURBED_US)
        sim_fail("undisturbed", "%s waits %lld ms for a verdict", client->name,
                 (long long)(sim_now_us() - pending->first_us) / 1000);
    if (verdict->code == VERDICT_UNAVAILABLE) {
        repeat_later(client, pending, verdict->wait_ms);
        return;
    }
    if (send_renumbered(client, pending, verdict))
        return;
    remove_pending(client, i);
    if (all.settings.cooldown_ms > 0)
        client->next_nonce = verdict->next_nonce;
    client->ready_us = sim_now_us() + (int64_t)verdict->wait_ms * 1000;
    if (verdict->code != VERDICT_PLACED)
        client->ready_us += REFUSED_MIN_US;
}

// A verdict that came over the old connection, after the new one had asked, knows better.
static void on_welcome(struct client *client, const struct ws_welcome *welcome)
{
    bool outdated = client->verdict_us > client->socket->hello_us;
    client->retry_us = RETRY_MIN_US;
    if (!outdated)
        client->ready_us = sim_now_us() + (int64_t)welcome->wait_ms * 1000;
    expire(client);
    if (all.settings.cooldown_ms > 0 && client->pending_count == 0 && !outdated)
        client->next_nonce = welcome->next_nonce;
    if (all.settings.cooldown_ms == 0 && client->next_nonce < NONCE_COUNTED)
        client->next_nonce = welcome->next_nonce;
    for (uint32_t i = 0; i < client->pending_count; i++)
        send_draw(client, &client->pending[i]);
}

// ---- Tiles ---------------------------------------------------------------------------------------------------------

static struct watched *watched_of(struct client *client, struct tile tile)
{
    unsigned number = db_tile_number(tile);
    for (uint32_t i = 0; i < client->tile_count; i++) {
        if (client->tiles[i] == number)
            return &client->watched[i];
    }
    return NULL;
}

static struct ws_entry entry_of(struct client *client, uint32_t i)
{
    struct position *pos = &client->watched[i].replica.pos;
    if (all.settings.mutant == MUTANT_RESUME_OFF_BY_ONE && pos->seq > 0)
        pos->seq++;
    return (struct ws_entry){db_tile_at(client->tiles[i]), *pos};
}

// What the client got of a tile, and what it shows after it.
static void note_shown(const struct client *client, const struct watched *watched, bool gap)
{
    struct tile tile = db_tile_at(client->tiles[watched - client->watched]);
    const struct replica *replica = &watched->replica;
    if (all.settings.record == NULL || client->number != 0)
        return;
    fprintf(all.settings.record, "{\"in\": \"");
    for (size_t i = 0; i < all.payload_len; i++)
        fprintf(all.settings.record, "%02x", all.payload[i]);
    fprintf(all.settings.record,
            "\", \"gap\": %s, \"tile\": [%u, %u], \"epoch\": %" PRIu64 ", \"seq\": %" PRIu32
            ", \"checksum\": \"%016" PRIx64 "\"}\n",
            gap ? "true" : "false", tile.tx, tile.ty, replica->pos.epoch, replica->pos.seq, replica->checksum);
}

static void say_shows(const struct client *client, const struct watched *watched)
{
    uint32_t i = (uint32_t)(watched - client->watched);
    ledger_shows(client->name, client->tiles[i], watched->replica.pos, watched->replica.checksum);
}

static void ask_again(struct client *client, struct watched *watched)
{
    uint8_t message[WS_WATCH_HEAD_LEN + WS_ENTRY_LEN];
    if (watched->asked)
        return;
    watched->asked = true;
    const struct ws_entry entry = entry_of(client, (uint32_t)(watched - client->watched));
    sim_trace("%s has a gap in tile %u and resumes from (%llu, %u)", client->name,
              client->tiles[watched - client->watched], (unsigned long long)entry.pos.epoch, entry.pos.seq);
    send_bytes(client, message, ws_encode_watch(message, WS_RESUME, &entry, 1));
}

// Some client lost its latest pixels, and says from where on it needs them.
static void go_back(struct client *client)
{
    struct watched *watched = &client->watched[sim_below(client->tile_count)];
    struct replica *replica = &watched->replica, *older = &watched->older;
    if (sim_below(2) == 0) {
        if (replica_load(older, replica->pos, replica->px, replica->len) != 0)
            abort();
        return;
    }
    if (replica_load(replica, older->pos, older->px, older->len) != 0)
        abort();
    watched->asked = false;
    ask_again(client, watched);
}

// Looks elsewhere: the tiles it watches are others, and it has nothing of those that it had not.
static void look_elsewhere(struct client *client)
{
    uint8_t message[WS_WATCH_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[DB_TILES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < client->tile_count; i++) {
        struct watched *watched = &client->watched[i];
        bool was = watched->looks;
        watched->looks = sim_below(3) > 0;
        if (!watched->looks)
            continue;
        if (!was)
            watched->asked = false;
        entries[count++] = entry_of(client, i);
    }
    sim_trace("%s watches %u tiles", client->name, count);
    send_bytes(client, message, ws_encode_watch(message, WS_WATCH, entries, (uint16_t)count));
}

static void look_everywhere(struct client *client)
{
    uint8_t message[WS_WATCH_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[DB_TILES];
    for (uint32_t i = 0; i < client->tile_count; i++) {
        client->watched[i].looks = true;
        entries[i] = entry_of(client, i);
    }
    send_bytes(client, message, ws_encode_watch(message, WS_WATCH, entries, (uint16_t)client->tile_count));
}

static void on_tile(struct client *client, const struct ws_tile *tile)
{
    struct watched *watched = watched_of(client, tile->tile);
    if (watched == NULL) {
        sim_fail("malformed", "%s gets a tile that it does not watch", client->name);
        return;
    }
    struct replica_update update = {
        .prev_epoch = tile->previous_epoch,
        .epoch = tile->epoch,
        .first = tile->first,
        .count = tile->count,
        .records = tile->updates,
    };
    int result = sim_replica_apply(&watched->replica, &update, all.settings.colors, NULL);
    if (result < 0)
        sim_fail("malformed", "%s gets an impossible update", client->name);
    if (result == REPLICA_APPLIED)
        watched->asked = false;
    bool gap = result == REPLICA_GAP || result == REPLICA_EPOCH;
    sim_trace("%s gets %u … %u of tile %u, epoch %llu%s", client->name, update.first, update.first + update.count - 1,
              client->tiles[watched - client->watched], (unsigned long long)update.epoch,
              result == REPLICA_APPLIED ? "" : ", not applied");
    note_shown(client, watched, gap);
    if (gap)
        ask_again(client, watched);
    say_shows(client, watched);
}

static void on_snapshot(struct client *client, const struct ws_snapshot *snapshot)
{
    uint8_t px[DB_TILE_LEN];
    uLongf len = sizeof px;
    struct watched *watched = watched_of(client, snapshot->tile);
    const uint8_t *data = snapshot->data;
    bool good = watched != NULL;
    if (good && snapshot->encoding == 1) {
        good = uncompress(px, &len, snapshot->data, snapshot->len) == Z_OK;
        data = px;
    } else {
        len = snapshot->len;
    }
    if (!good || replica_load(&watched->replica, snapshot->pos, data, len) != 0 ||
        watched->replica.checksum != snapshot->checksum) {
        sim_fail("malformed", "%s gets a snapshot that cannot be", client->name);
        return;
    }
    watched->asked = false;
    sim_trace("%s gets tile %u as of (%llu, %u)", client->name, client->tiles[watched - client->watched],
              (unsigned long long)snapshot->pos.epoch, snapshot->pos.seq);
    note_shown(client, watched, false);
    say_shows(client, watched);
}

static void on_pace(void *arg)
{
    struct client *client = arg;
    sim_count_event();
    client->pace = sim_after(&client->proc, sim_skewed(all.settings.pace_us / 10, 4 * all.settings.pace_us), on_pace,
                             NULL, client);
    bool plain = all.settings.record != NULL && client->number == 0;
    if (client->welcomed && !all.resting && !plain && client->tile_count > 0 && sim_below(24) == 0)
        go_back(client);
    if (client->welcomed && !all.resting && !plain && sim_below(40) == 0)
        look_elsewhere(client);
    uint64_t burst = sim_below(8) == 0 ? 1 + all.settings.window / 2 : 1;
    for (uint64_t i = 0; i < burst && may_draw(client); i++)
        draw_something(client);
}

// ---- The sockets ---------------------------------------------------------------------------------------------------

static void come_back(struct client *client);
static void go_on(void *arg);
static void say_hello(struct socket *socket);

static void close_socket(struct socket *socket)
{
    net_close(socket->end);
    socket->end = NULL;
    socket->accepted = socket->welcomed = false;
    socket->in_len = 0;
}

static void move_later(struct client *client, int64_t us)
{
    sim_cancel(client->move);
    client->move = sim_after(&client->proc, us, go_on, NULL, client);
}

// The other side, or the network, has closed it.
static void lost(struct socket *socket)
{
    struct client *client = socket->client;
    close_socket(socket);
    if (socket == client->next) {
        client->next = NULL;
        move_later(client, client->retry_us);
        return;
    }
    if (all.settings.undisturbed && !client->told_to_move && client->welcomed)
        sim_fail("undisturbed", "%s is disconnected", client->name);
    client->welcomed = client->told_to_move = false;
    if (client->next != NULL) {
        client->socket = client->next;
        client->next = NULL;
    } else {
        come_back(client);
    }
}

// As the page does: what the old connection is still told comes from here on.
static void take_over(struct socket *socket)
{
    struct client *client = socket->client;
    const uint8_t normal[2] = {WS_CLOSE_NORMAL >> 8, WS_CLOSE_NORMAL & 0xff};
    sim_trace("%s has moved", client->name);
    send_frame(client->socket, OPCODE_CLOSE, normal, sizeof normal);
    close_socket(client->socket);
    client->socket = socket;
    client->next = NULL;
    client->told_to_move = false;
    for (uint32_t i = 0; i < client->tile_count; i++)
        client->watched[i].asked = false;
    if (all.settings.record != NULL && client->number == 0)
        fprintf(all.settings.record, "{\"connect\": true}\n");
}

static void on_welcome_of(struct socket *socket, const struct ws_welcome *welcome)
{
    struct client *client = socket->client;
    if (socket == client->next)
        take_over(socket);
    socket->welcomed = client->welcomed = true;
    on_welcome(client, welcome);
}

static void on_move(struct client *client, uint32_t delay_ms)
{
    sim_trace("%s is to move in %u ms", client->name, delay_ms);
    client->told_to_move = true;
    move_later(client, (int64_t)delay_ms * 1000);
}

static void on_payload(struct socket *socket, const uint8_t *payload, size_t len)
{
    struct client *client = socket->client;
    struct ws_welcome welcome;
    struct ws_verdict verdict;
    struct ws_tile tile;
    struct ws_snapshot snapshot;
    uint32_t delay_ms;
    bool of_tile = payload[0] == WS_TILE || payload[0] == WS_SNAPSHOT;
    if (of_tile && !all.resting && sim_chance(LOST_IN_MILLION))
        return; // a page that does not get to see it
    int err = 0;
    switch (payload[0]) {
    case WS_WELCOME:
        err = ws_decode_welcome(payload, len, &welcome);
        if (err == 0)
            on_welcome_of(socket, &welcome);
        break;
    case WS_VERDICT:
        err = ws_decode_verdict(payload, len, &verdict);
        if (err == 0)
            on_verdict(client, &verdict);
        break;
    case WS_TILE:
        err = ws_decode_tile(payload, len, &tile);
        if (err == 0)
            on_tile(client, &tile);
        break;
    case WS_SNAPSHOT:
        err = ws_decode_snapshot(payload, len, &snapshot);
        if (err == 0)
            on_snapshot(client, &snapshot);
        break;
    case WS_MOVE:
        err = ws_decode_move(payload, len, &delay_ms);
        if (err == 0)
            on_move(client, delay_ms);
        break;
    case WS_STATUS:
    case WS_CONFIG:
    case WS_PALETTE:
    case WS_ANNOUNCEMENT:
    case WS_ERROR:
        break;
    default:
        err = ERR_MALFORMED;
    }
    if (err != 0)
        sim_fail("malformed", "%s does not understand message %02x of %zu bytes", client->name, payload[0], len);
}

static void on_close_frame(struct socket *socket, const uint8_t *payload, size_t len)
{
    unsigned code = len >= 2 ? (unsigned)payload[0] << 8 | payload[1] : 0;
    sim_trace("%s is closed with %u", socket->client->name, code);
    if (code != WS_CLOSE_GOING_AWAY && code != WS_CLOSE_SLOW && code != WS_CLOSE_FULL && code != WS_CLOSE_NO_HELLO)
        sim_fail("malformed", "a gateway closes the connection of %s with %u", socket->client->name, code);
    lost(socket);
}

// One frame of what has come; bytes of it, or 0 when it is not whole.
static size_t on_frame(struct socket *socket, const uint8_t *frame, size_t in)
{
    size_t len = in >= 2 ? frame[1] & 127u : 0, head = 2;
    if (len == 126 && in >= 4) {
        len = (size_t)frame[2] << 8 | frame[3];
        head = 4;
    }
    if (in < 2 || len > IN_MAX || in < head + len)
        return 0;
    uint8_t opcode = frame[0] & 15;
    if ((frame[0] & 0xf0) != 0x80 || (opcode != OPCODE_BINARY && opcode != OPCODE_CLOSE) || len == 0)
        sim_fail("malformed", "%s gets a frame that begins with %02x %02x", socket->client->name, frame[0], frame[1]);
    all.payload = frame + head;
    all.payload_len = len;
    if (opcode == OPCODE_CLOSE)
        on_close_frame(socket, frame + head, len);
    else if (len > 0 && (socket == socket->client->socket || frame[head] == WS_WELCOME))
        on_payload(socket, frame + head, len);
    return head + len;
}

static void on_answer(struct socket *socket, uint8_t answer)
{
    socket->accepted = answer == GATEWAY_ACCEPTS;
    if (socket->accepted)
        say_hello(socket);
    else
        lost(socket);
}

static void take_in(struct socket *socket)
{
    size_t at = 0, took = 1;
    if (!socket->accepted) {
        on_answer(socket, socket->in[at++]);
    }
    while (socket->end != NULL && took > 0 && at < socket->in_len) {
        took = on_frame(socket, socket->in + at, socket->in_len - at);
        at += took;
    }
    if (socket->end == NULL)
        return;
    socket->in_len -= at;
    memmove(socket->in, socket->in + at, socket->in_len);
}

static void on_message(void *arg, struct net_message *message)
{
    struct socket *socket = arg;
    const struct net_bytes *bytes = (const struct net_bytes *)message;
    size_t at = 0;
    while (at < bytes->len && socket->end != NULL) {
        size_t n = bytes->len - at, room = IN_MAX - socket->in_len;
        n = n < room ? n : room;
        if (n == 0) {
            sim_fail("malformed", "%s gets a frame that is too long", socket->client->name);
            break;
        }
        memcpy(socket->in + socket->in_len, bytes->bytes + at, n);
        socket->in_len += n;
        at += n;
        take_in(socket);
    }
    if (bytes->len == 0)
        lost(socket);
    message->drop(message);
}

static void on_closed(void *arg)
{
    struct socket *socket = arg;
    socket->end = NULL;
    lost(socket);
}

// A gateway that the balancer takes for ready, if there is one.
static uint32_t some_gateway(void)
{
    uint32_t ready[NODES_GATEWAYS_MAX], count = 0;
    for (uint32_t i = 0; i < all.settings.gateways; i++) {
        if (gateway_node_lives(i) && gateway_node_draining_us(i) < BALANCER_US)
            ready[count++] = i;
    }
    uint32_t any = (uint32_t)sim_below(all.settings.gateways);
    return count > 0 ? ready[any % count] : any;
}

static bool dial(struct client *client, struct socket *socket)
{
    uint32_t gateway = some_gateway();
    const uint8_t request = 'G';
    socket->end = gateway_node_dial(gateway, &client->proc, &client->user);
    if (socket->end == NULL)
        return false;
    sim_trace("%s connects to G%u", client->name, gateway);
    net_attach(socket->end, on_message, on_closed, socket);
    net_send(socket->end, &net_bytes_new(&request, 1)->head);
    return true;
}

static void say_hello(struct socket *socket)
{
    struct client *client = socket->client;
    uint8_t message[WS_HELLO_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[DB_TILES];
    for (uint32_t i = 0; i < client->tile_count; i++) {
        entries[i] = entry_of(client, i);
        client->watched[i].looks = true;
    }
    socket->hello_us = sim_now_us();
    size_t len = ws_encode_hello(message, client->connection, entries, (uint16_t)client->tile_count);
    send_frame(socket, OPCODE_BINARY, message, len);
}

static void on_connect(void *arg)
{
    struct client *client = arg;
    client->connect = 0;
    if (!dial(client, client->socket)) {
        come_back(client);
        return;
    }
    if (all.settings.record != NULL && client->number == 0)
        fprintf(all.settings.record, "{\"connect\": true}\n");
}

static void come_back(struct client *client)
{
    for (uint32_t i = 0; i < client->tile_count; i++)
        client->watched[i].asked = false;
    sim_cancel(client->connect);
    client->connect = sim_after(&client->proc, client->retry_us - (int64_t)sim_below((uint64_t)client->retry_us / 2),
                                on_connect, NULL, client);
    client->retry_us = client->retry_us * 2 < RETRY_MAX_US ? client->retry_us * 2 : RETRY_MAX_US;
}

// The gateway drains: the next connection is there before the old one goes.
static void go_on(void *arg)
{
    struct client *client = arg;
    struct socket *other = &client->sockets[client->socket == &client->sockets[0]];
    client->move = 0;
    if (!client->welcomed || !client->told_to_move || client->next != NULL)
        return;
    if (dial(client, other))
        client->next = other;
    else
        move_later(client, client->retry_us);
}

void client_drop(uint32_t number)
{
    struct client *client = &all.clients[number];
    if (client->socket->end == NULL)
        return;
    sim_trace("%s drops its socket", client->name);
    lost(client->socket);
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static void begin_one(struct client *client, uint32_t number)
{
    *client = (struct client){.number = number, .retry_us = RETRY_MIN_US, .next_nonce = 1};
    snprintf(client->name, sizeof client->name, "C%u", number);
    for (int i = 0; i < 2; i++)
        client->sockets[i].client = client;
    client->socket = &client->sockets[0];
    sim_proc_start(&client->proc, client->name);
    client->user.user = 1 + number % all.settings.users;
    client->user.kind = sim_below(4) == 0 ? LINK_USER_MEMBER : LINK_USER_GUEST;
    char address[ADDR_TEXT_SIZE];
    int len = snprintf(address, sizeof address, "10.0.0.%u", number % all.settings.addresses);
    if (addr_from_text(&client->user.address, address, (size_t)len) != 0)
        abort();
    client->connection = sim_random() | 1;
    for (unsigned tile = 0; tile < all.settings.tiles; tile++) {
        if (number > 0 && sim_below(4) == 0)
            continue;
        struct watched *watched = &client->watched[client->tile_count];
        if (replica_init(&watched->replica, DB_TILE_LEN) != 0 || replica_init(&watched->older, DB_TILE_LEN) != 0)
            abort();
        client->tiles[client->tile_count++] = tile;
    }
    client->connect = sim_after(&client->proc, sim_skewed(0, 500000), on_connect, NULL, client);
    client->pace = sim_after(&client->proc, sim_skewed(0, 500000), on_pace, NULL, client);
}

void clients_begin(const struct client_settings *settings)
{
    all.settings = *settings;
    all.resting = false;
    for (uint32_t i = 0; i < settings->count; i++)
        begin_one(&all.clients[i], i);
}

void clients_end(void)
{
    for (uint32_t i = 0; i < all.settings.count; i++) {
        struct client *client = &all.clients[i];
        close_socket(&client->sockets[0]);
        close_socket(&client->sockets[1]);
        for (uint32_t k = 0; k < client->tile_count; k++)
            replica_fini(&client->watched[k].replica);
        for (uint32_t k = 0; k < client->tile_count; k++)
            replica_fini(&client->watched[k].older);
        sim_proc_end(&client->proc);
    }
}

void clients_rest(void)
{
    all.resting = true;
    for (uint32_t i = 0; i < all.settings.count; i++) {
        struct client *client = &all.clients[i];
        if (!client->welcomed)
            continue;
        look_everywhere(client);
        // What a page did not see last, nothing tells it of.
        for (uint32_t k = 0; k < client->tile_count; k++) {
            client->watched[k].asked = false;
            ask_again(client, &client->watched[k]);
        }
    }
}

bool clients_quiet(void)
{
    for (uint32_t i = 0; i < all.settings.count; i++) {
        if (all.clients[i].pending_count > 0 || !all.clients[i].welcomed)
            return false;
    }
    return true;
}

struct sim_proc *client_proc(uint32_t number)
{
    return &all.clients[number].proc;
}

bool client_converged(uint32_t number, const char **why)
{
    const struct client *client = &all.clients[number];
    static char text[128];
    for (uint32_t i = 0; i < client->tile_count; i++) {
        const struct db_tile *tile = &server_db()->tiles[client->tiles[i]];
        const struct replica *replica = &client->watched[i].replica;
        if (position_equal(tile->pos, replica->pos) && memcmp(tile->px, replica->px, DB_TILE_LEN) == 0)
            continue;
        snprintf(text, sizeof text, "%s: tile %u at (%llu, %u), store at (%llu, %u)", client->name, client->tiles[i],
                 (unsigned long long)replica->pos.epoch, replica->pos.seq, (unsigned long long)tile->pos.epoch,
                 tile->pos.seq);
        *why = text;
        return false;
    }
    return true;
}
