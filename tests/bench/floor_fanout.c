// The floor of the fan-out: one epoll, one array of clients, one send() or SSL_write() of a ready frame for each client
// and tick, and nothing else. Its frames are those that a gateway would send, and it answers just so much of the
// protocol that tessera-load can be its client: the same clients then serve all servers that are compared.
//
//   floor-fanout --clients N --tick-ms T --updates U [--tls-cert FILE --tls-key FILE]
//
// Listens on a free port of 127.0.0.1 and prints it. Once N clients are welcomed it sends a frame of U updates to each
// of them every T ms. GET /stats says how many it has sent.
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "common/core/monotime.h"
#include "common/io/loop.h"
#include "common/io/sock.h"
#include "gateway/tls.h"
#include "gateway/ws_conn.h"
#include "proto/ws_proto.h"

#define EVENTS 512
#define EPOCH 1
#define READ_SIZE 8192
#define UPDATES_MAX 4096

enum state { NEW, GREETED_NOT, WELCOMED };

struct client {
    SSL *ssl; // NULL = plain
    enum state state;
};

struct floor {
    int epoll, listener;
    SSL_CTX *tls;
    struct client clients[65536]; // by descriptor
    int order[65536];             // of acceptance
    unsigned count, wanted, welcomed;
    unsigned updates;
    uint32_t seq;
    uint64_t frames, rounds, full;
    uint8_t frame[10 + WS_TILE_HEAD_LEN + 8 + UPDATES_MAX * WS_UPDATE_LEN];
    size_t frame_len;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

// ---- Sending --------------------------------------------------------------------------------------------------------

static void make_frame(struct floor *floor)
{
    uint8_t payload[WS_TILE_HEAD_LEN + 8 + UPDATES_MAX * WS_UPDATE_LEN] = {0};
    const struct ws_tile tile = {.count = (uint16_t)floor->updates,
                                 .first = floor->seq + 1,
                                 .epoch = EPOCH,
                                 .previous_epoch = floor->seq == 0 ? 0 : EPOCH};
    size_t len = ws_encode_tile_head(payload, &tile);
    for (unsigned i = 0; i < floor->updates; i++, len += WS_UPDATE_LEN) {
        payload[len] = (uint8_t)((floor->seq + i) * 7);
        payload[len + 2] = (uint8_t)((floor->seq + i) % 2);
    }
    floor->seq += floor->updates;
    size_t head = ws_frame_head(floor->frame, len);
    memcpy(floor->frame + head, payload, len);
    floor->frame_len = head + len;
}

static void put(struct floor *floor, int fd, const void *bytes, size_t len)
{
    SSL *ssl = floor->clients[fd].ssl;
    ssize_t sent =
        ssl != NULL ? (ssize_t)SSL_write(ssl, bytes, (int)len) : send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent != (ssize_t)len)
        floor->full++; // a gap for that client; none is expected
}

static void send_round(struct floor *floor)
{
    make_frame(floor);
    for (unsigned i = 0; i < floor->count; i++)
        put(floor, floor->order[i], floor->frame, floor->frame_len);
    floor->frames += floor->count;
    floor->rounds++;
}

// ---- As much of the protocol as tessera-load needs ------------------------------------------------------------------

static void answer(struct floor *floor, int fd, const char *request)
{
    static const char canvas[] =
        "{\"version\":1,\"width\":256,\"height\":256,\"tile_edge\":256,\"cooldown_ms\":0,"
        "\"palette\":[{\"name\":\"a\",\"rgb\":\"#ffffff\"},{\"name\":\"b\",\"rgb\":\"#000000\"}]}";
    char stats[256], reply[1024];
    const char *body = canvas;
    if (strstr(request, "GET /stats") == request) {
        (void)snprintf(stats, sizeof stats, "{\"clients\":%u,\"frames\":%llu,\"rounds\":%llu,\"full\":%llu}",
                       floor->welcomed, (unsigned long long)floor->frames, (unsigned long long)floor->rounds,
                       (unsigned long long)floor->full);
        body = stats;
    }
    int len = snprintf(reply, sizeof reply, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
    put(floor, fd, reply, (size_t)len);
}

static void upgrade(struct floor *floor, int fd)
{
    // The accept belongs to the key of tests/tools/load_upgrade.c.
    static const char reply[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                "Sec-WebSocket-Accept: U8XmaZYOsyzw5PUqFf7yVoo8fDs=\r\n"
                                "Sec-WebSocket-Protocol: " WS_SUBPROTOCOL "\r\n\r\n";
    floor->clients[fd].state = GREETED_NOT;
    put(floor, fd, reply, sizeof reply - 1);
}

static void welcome(struct floor *floor, int fd)
{
    uint8_t frame[10 + WS_WELCOME_LEN], payload[WS_WELCOME_LEN];
    const struct ws_welcome message = {.edge = 256, .version = 1, .width = 256, .height = 256, .next_nonce = 1};
    size_t len = ws_encode_welcome(payload, &message);
    size_t head = ws_frame_head(frame, len);
    memcpy(frame + head, payload, len);
    floor->clients[fd].state = WELCOMED;
    floor->order[floor->count++] = fd;
    floor->welcomed++;
    put(floor, fd, frame, head + len);
}

static void on_gone(struct floor *floor, int fd)
{
    struct client *client = &floor->clients[fd];
    for (unsigned i = 0; client->state == WELCOMED && i < floor->count; i++) {
        if (floor->order[i] != fd)
            continue;
        memmove(floor->order + i, floor->order + i + 1, (--floor->count - i) * sizeof floor->order[0]);
        break;
    }
    SSL_free(client->ssl);
    *client = (struct client){0};
    close(fd);
}

// One request or message per read, as tessera-load sends them.
static void on_readable(struct floor *floor, int fd)
{
    char bytes[READ_SIZE + 1];
    SSL *ssl = floor->clients[fd].ssl;
    ssize_t got = ssl != NULL ? (ssize_t)SSL_read(ssl, bytes, READ_SIZE) : recv(fd, bytes, READ_SIZE, MSG_DONTWAIT);
    bool again = ssl != NULL ? SSL_get_error(ssl, (int)got) == SSL_ERROR_WANT_READ : got < 0 && errno == EAGAIN;
    if (ssl != NULL)
        ERR_clear_error();
    if (got <= 0) {
        if (!again)
            on_gone(floor, fd);
        return;
    }
    bytes[got] = '\0';
    if (floor->clients[fd].state == NEW && strstr(bytes, "GET /ws") == bytes)
        upgrade(floor, fd);
    else if (floor->clients[fd].state == NEW)
        answer(floor, fd, bytes);
    else if (floor->clients[fd].state == GREETED_NOT)
        welcome(floor, fd);
}

static void watch(struct floor *floor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(floor->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
}

static void on_incoming(struct floor *floor)
{
    int fd;
    while ((fd = sock_accept(floor->listener, NULL, NULL)) >= 0) {
        struct client *client = &floor->clients[fd];
        *client = (struct client){0};
        if (floor->tls != NULL) {
            client->ssl = SSL_new(floor->tls);
            if (client->ssl == NULL || SSL_set_fd(client->ssl, fd) != 1)
                die("SSL_new");
            SSL_set_accept_state(client->ssl);
        }
        watch(floor, fd);
    }
}

// ---- Running --------------------------------------------------------------------------------------------------------

static void run(struct floor *floor, int64_t tick_ms)
{
    struct epoll_event events[EVENTS];
    struct monotime next = MONOTIME_NEVER;
    for (;;) {
        struct monotime now = loop_now_exact();
        if (next.us == MONOTIME_NEVER.us && floor->count >= floor->wanted)
            next = monotime_add_ms(now, 1000);
        if (monotime_reached(next, now)) {
            send_round(floor);
            next = monotime_add_ms(next, tick_ms);
            continue;
        }
        int64_t wait_us = next.us == MONOTIME_NEVER.us ? 100000 : monotime_diff_us(next, now);
        int count = epoll_wait(floor->epoll, events, EVENTS, (int)((wait_us + 999) / 1000));
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == floor->listener)
                on_incoming(floor);
            else
                on_readable(floor, events[i].data.fd);
        }
    }
}

int main(int argc, char **argv)
{
    static struct floor floor;
    static struct tls_tickets tickets;
    static const struct option options[] = {
        {"clients", required_argument, NULL, 'n'}, {"tick-ms", required_argument, NULL, 't'},
        {"updates", required_argument, NULL, 'u'}, {"tls-cert", required_argument, NULL, 'c'},
        {"tls-key", required_argument, NULL, 'k'}, {0}};
    const char *cert = NULL, *key = NULL;
    int64_t tick_ms = 1000;
    char error[512] = "no memory";
    floor.updates = 1;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'n')
            floor.wanted = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 't')
            tick_ms = strtol(optarg, NULL, 10);
        else if (option == 'u')
            floor.updates = (unsigned)strtoul(optarg, NULL, 10);
        else if (option == 'c')
            cert = optarg;
        else if (option == 'k')
            key = optarg;
        else
            return 2;
    }
    if (floor.wanted == 0 || tick_ms <= 0 || floor.updates == 0 || floor.updates > UPDATES_MAX)
        return 2;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    if (cert != NULL && (tls_tickets_rotate(&tickets, 0) != 0 ||
                         tls_server_new(&floor.tls, cert, key, &tickets, error, sizeof error) != 0)) {
        (void)fprintf(stderr, "floor-fanout: %s\n", error);
        return 1;
    }
    floor.epoll = epoll_create1(EPOLL_CLOEXEC);
    floor.listener = sock_listen("127.0.0.1:0", 4096, false);
    if (floor.epoll < 0 || floor.listener < 0)
        die("listen");
    watch(&floor, floor.listener);
    (void)printf("port %u\n", sock_port(floor.listener));
    (void)fflush(stdout);
    run(&floor, tick_ms);
}
