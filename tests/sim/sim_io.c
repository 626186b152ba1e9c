// What the programs use of common/io besides the loop, sockets and Redis: messages over TCP, random numbers, the log
// and metrics; and the macs of links, which are not what is looked at here.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/addr.h"
#include "common/io/log.h"
#include "common/io/metrics.h"
#include "common/io/msg_sock.h"
#include "common/io/rand.h"
#include "proto/link_proto.h"
#include "tests/sim/sim_sock.h"

#define CONNECT_TIMEOUT_MS 2000

// ---- Messages ------------------------------------------------------------------------------------------------------

struct msg_sock {
    struct loop *loop;
    struct msg_sock_handlers handlers;
    void *arg;
    struct net_end *end;
    char address[64];
    bool open, closed;
    struct loop_timer dial;
    struct loop_deferred release;
};

const char *msg_sock_reason_text(enum msg_sock_reason reason)
{
    return reason == MSG_SOCK_CONNECT_FAILED ? "connect failed" : "closed";
}

static void on_message(void *arg, struct net_message *message)
{
    struct msg_sock *sock = arg;
    struct net_bytes *bytes = (struct net_bytes *)message;
    sock->handlers.on_message(sock->arg, bytes->bytes, bytes->len);
    free(bytes);
}

static void on_closed(void *arg)
{
    struct msg_sock *sock = arg;
    sock->end = NULL;
    sock->open = false;
    sock->handlers.on_closed(sock->arg, MSG_SOCK_RESET);
}

static void on_release(void *arg)
{
    free(arg);
}

static void on_dial(void *arg);

static struct msg_sock *msg_sock_new(struct loop *loop, const struct msg_sock_handlers *handlers, void *arg)
{
    struct msg_sock *sock = calloc(1, sizeof *sock);
    if (sock == NULL)
        abort();
    sock->loop = loop;
    sock->handlers = *handlers;
    sock->arg = arg;
    loop_timer_init(&sock->dial, loop, on_dial, sock);
    loop_deferred_init(&sock->release, on_release, sock);
    return sock;
}

int msg_sock_accept(struct msg_sock **out, struct loop *loop, int fd, const struct msg_sock_limits *limits,
                    const struct msg_sock_handlers *handlers, void *arg)
{
    (void)limits;
    struct msg_sock *sock = msg_sock_new(loop, handlers, arg);
    sock->end = sim_sock_take(fd);
    sock->open = true;
    *out = sock;
    net_attach(sock->end, on_message, on_closed, sock);
    return 0;
}

static void on_dial(void *arg)
{
    struct msg_sock *sock = arg;
    sock->end = sim_dial(sim_proc_of(sock->loop), sock->address, NULL);
    if (sock->end == NULL) {
        sock->handlers.on_closed(sock->arg, MSG_SOCK_CONNECT_FAILED);
        return;
    }
    sock->open = true;
    net_attach(sock->end, on_message, on_closed, sock);
    if (sock->handlers.on_open != NULL)
        sock->handlers.on_open(sock->arg);
}

int msg_sock_connect(struct msg_sock **out, struct loop *loop, const char *address,
                     const struct msg_sock_limits *limits, const struct msg_sock_handlers *handlers, void *arg)
{
    (void)limits;
    struct msg_sock *sock = msg_sock_new(loop, handlers, arg);
    snprintf(sock->address, sizeof sock->address, "%s", address);
    bool late = net_isolated(sim_proc_of(loop)) || !sim_reachable(address);
    loop_timer_arm_us(&sock->dial, late ? CONNECT_TIMEOUT_MS * 1000 : sim_skewed(100, 10000));
    *out = sock;
    return 0;
}

int msg_sock_send(struct msg_sock *sock, const void *data, size_t len)
{
    if (!sock->open)
        return ERR_CLOSED;
    net_send(sock->end, &net_bytes_new(data, len)->head);
    return 0;
}

void msg_sock_close(struct msg_sock *sock)
{
    if (sock == NULL || sock->closed)
        return;
    sock->closed = true;
    sock->open = false;
    net_close(sock->end);
    sock->end = NULL;
    loop_timer_disarm(&sock->dial);
    loop_defer(sock->loop, &sock->release);
}

// ---- Random numbers, metrics, macs ---------------------------------------------------------------------------------

uint64_t rand_u64(void)
{
    return sim_random();
}

uint64_t rand_below(uint64_t below)
{
    return sim_below(below);
}

void rand_bytes(void *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)data)[i] = (uint8_t)sim_random();
}

int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count)
{
    (void)metrics;
    (void)rows;
    (void)count;
    return 0;
}

int link_mac_gateway(const uint8_t *secret, size_t secret_len, const uint8_t shard_nonce[LINK_NONCE_LEN],
                     const uint8_t gateway_nonce[LINK_NONCE_LEN], uint64_t gateway, uint8_t mac[LINK_MAC_LEN])
{
    (void)secret;
    (void)secret_len;
    (void)gateway;
    for (unsigned i = 0; i < LINK_MAC_LEN; i++)
        mac[i] = shard_nonce[i] ^ gateway_nonce[i];
    return 0;
}

int link_mac_shard(const uint8_t *secret, size_t secret_len, const uint8_t gateway_nonce[LINK_NONCE_LEN],
                   const uint8_t shard_nonce[LINK_NONCE_LEN], uint64_t incarnation, uint8_t mac[LINK_MAC_LEN])
{
    return link_mac_gateway(secret, secret_len, shard_nonce, gateway_nonce, incarnation, mac);
}

// ---- Log -----------------------------------------------------------------------------------------------------------

bool log_enabled(enum log_level level)
{
    (void)level;
    return sim_tracing();
}

static size_t write_addr(char *to, size_t room, const struct log_field *field)
{
    char text[ADDR_TEXT_SIZE];
    addr_to_text(field->ptr, text);
    return (size_t)snprintf(to, room, " %s=%s", field->key, text);
}

void log_write(struct log_site *site, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count)
{
    char line[512];
    size_t len = 0;
    (void)site;
    (void)level;
    line[0] = '\0';
    for (size_t i = 0; i < count && len < sizeof line; i++) {
        const struct log_field *field = &fields[i];
        size_t room = sizeof line - len;
        if (field->kind == LOG_KIND_STR)
            len += (size_t)snprintf(line + len, room, " %s=%s", field->key, (const char *)field->ptr);
        else if (field->kind == LOG_KIND_ADDR)
            len += write_addr(line + len, room, field);
        else if (field->kind == LOG_KIND_BYTES)
            len +=
                (size_t)snprintf(line + len, room, " %s=%.*s", field->key, (int)field->len, (const char *)field->ptr);
        else
            len += (size_t)snprintf(line + len, room, " %s=%lld", field->key, (long long)field->i64);
    }
    sim_trace("%s%s", msg, line);
}
