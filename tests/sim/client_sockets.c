// The connections of client.h: frames as a browser sends and gets them, coming back, and moving to another gateway.
#include "tests/sim/client_impl.h"

#include <string.h>

#include "tests/sim/sim_sock.h"

#define RETRY_MAX_US 2000000
#define LOST_IN_MILLION 5000u
#define OPCODE_BINARY 0x02
#define OPCODE_CLOSE 0x08
#define BALANCER_US 300000 // until it sees that a gateway is not ready any more

static void send_frame(struct client_socket *socket, uint8_t opcode, const uint8_t *payload, size_t len)
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

void client_send(struct client *client, const uint8_t *bytes, size_t len)
{
    send_frame(client->socket, OPCODE_BINARY, bytes, len);
}

static void come_back(struct client *client);
static void go_on(void *arg);
static void say_hello(struct client_socket *socket);

void client_close_socket(struct client_socket *socket)
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
static void lost(struct client_socket *socket)
{
    struct client *client = socket->client;
    client_close_socket(socket);
    if (socket == client->next) {
        client->next = NULL;
        move_later(client, client->retry_us);
        return;
    }
    if (clients.settings.undisturbed && !client->told_to_move && client->welcomed)
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
static void take_over(struct client_socket *socket)
{
    struct client *client = socket->client;
    const uint8_t normal[2] = {WS_CLOSE_NORMAL >> 8, WS_CLOSE_NORMAL & 0xff};
    sim_trace("%s has moved", client->name);
    send_frame(client->socket, OPCODE_CLOSE, normal, sizeof normal);
    client_close_socket(client->socket);
    client->socket = socket;
    client->next = NULL;
    client->told_to_move = false;
    for (uint32_t i = 0; i < client->tile_count; i++)
        client->watched[i].asked = false;
    if (clients.settings.record != NULL && client->number == 0)
        fprintf(clients.settings.record, "{\"connect\": true}\n");
}

static void on_welcome_of(struct client_socket *socket, const struct ws_welcome *welcome)
{
    struct client *client = socket->client;
    if (socket == client->next)
        take_over(socket);
    socket->welcomed = client->welcomed = true;
    client_on_welcome(client, welcome);
}

static void on_move(struct client *client, uint32_t delay_ms)
{
    sim_trace("%s is to move in %u ms", client->name, delay_ms);
    client->told_to_move = true;
    move_later(client, (int64_t)delay_ms * 1000);
}

static void on_payload(struct client_socket *socket, const uint8_t *payload, size_t len)
{
    struct client *client = socket->client;
    struct ws_welcome welcome;
    struct ws_verdict verdict;
    struct ws_tile tile;
    struct ws_snapshot snapshot;
    uint32_t delay_ms;
    bool of_tile = payload[0] == WS_TILE || payload[0] == WS_SNAPSHOT;
    if (of_tile && !clients.resting && sim_chance(LOST_IN_MILLION))
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
            client_on_verdict(client, &verdict);
        break;
    case WS_TILE:
        err = ws_decode_tile(payload, len, &tile);
        if (err == 0)
            client_on_tile(client, &tile);
        break;
    case WS_SNAPSHOT:
        err = ws_decode_snapshot(payload, len, &snapshot);
        if (err == 0)
            client_on_snapshot(client, &snapshot);
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

static void on_close_frame(struct client_socket *socket, const uint8_t *payload, size_t len)
{
    unsigned code = len >= 2 ? (unsigned)payload[0] << 8 | payload[1] : 0;
    sim_trace("%s is closed with %u", socket->client->name, code);
    if (code != WS_CLOSE_GOING_AWAY && code != WS_CLOSE_SLOW && code != WS_CLOSE_FULL && code != WS_CLOSE_NO_HELLO)
        sim_fail("malformed", "a gateway closes the connection of %s with %u", socket->client->name, code);
    lost(socket);
}

// One frame of what has come; bytes of it, or 0 when it is not whole.
static size_t on_frame(struct client_socket *socket, const uint8_t *frame, size_t in)
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
    clients.payload = frame + head;
    clients.payload_len = len;
    if (opcode == OPCODE_CLOSE)
        on_close_frame(socket, frame + head, len);
    else if (len > 0 && (socket == socket->client->socket || frame[head] == WS_WELCOME))
        on_payload(socket, frame + head, len);
    return head + len;
}

static void on_answer(struct client_socket *socket, uint8_t answer)
{
    socket->accepted = answer == GATEWAY_ACCEPTS;
    if (socket->accepted)
        say_hello(socket);
    else
        lost(socket);
}

static void take_in(struct client_socket *socket)
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
    struct client_socket *socket = arg;
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
    struct client_socket *socket = arg;
    socket->end = NULL;
    lost(socket);
}

// A gateway that the balancer takes for ready, if there is one.
static uint32_t some_gateway(void)
{
    uint32_t ready[NODES_GATEWAYS_MAX], count = 0;
    for (uint32_t i = 0; i < clients.settings.gateways; i++) {
        if (gateway_node_lives(i) && gateway_node_draining_us(i) < BALANCER_US)
            ready[count++] = i;
    }
    uint32_t any = (uint32_t)sim_below(clients.settings.gateways);
    return count > 0 ? ready[any % count] : any;
}

static bool dial(struct client *client, struct client_socket *socket)
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

static void say_hello(struct client_socket *socket)
{
    struct client *client = socket->client;
    uint8_t message[WS_HELLO_HEAD_LEN + DB_TILES * WS_ENTRY_LEN];
    struct ws_entry entries[DB_TILES];
    for (uint32_t i = 0; i < client->tile_count; i++) {
        entries[i] = client_entry(client, i);
        client->watched[i].looks = true;
    }
    socket->hello_us = sim_now_us();
    size_t len = ws_encode_hello(message, client->connection, entries, (uint16_t)client->tile_count);
    send_frame(socket, OPCODE_BINARY, message, len);
}

void client_on_connect(void *arg)
{
    struct client *client = arg;
    client->connect = 0;
    if (!dial(client, client->socket)) {
        come_back(client);
        return;
    }
    if (clients.settings.record != NULL && client->number == 0)
        fprintf(clients.settings.record, "{\"connect\": true}\n");
}

static void come_back(struct client *client)
{
    for (uint32_t i = 0; i < client->tile_count; i++)
        client->watched[i].asked = false;
    sim_cancel(client->connect);
    client->connect = sim_after(&client->proc, client->retry_us - (int64_t)sim_below((uint64_t)client->retry_us / 2),
                                client_on_connect, NULL, client);
    client->retry_us = client->retry_us * 2 < RETRY_MAX_US ? client->retry_us * 2 : RETRY_MAX_US;
}

// The gateway drains: the next connection is there before the old one goes.
static void go_on(void *arg)
{
    struct client *client = arg;
    struct client_socket *other = &client->sockets[client->socket == &client->sockets[0]];
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
    struct client *client = &clients.all[number];
    if (client->socket->end == NULL)
        return;
    sim_trace("%s drops its socket", client->name);
    lost(client->socket);
}
