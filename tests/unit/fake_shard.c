#include "tests/unit/fake_shard.h"

#include "check.h"

#include <stdio.h>
#include <unistd.h>

#include "common/io/sock.h"

const uint8_t fake_shard_secret[FAKE_SHARD_SECRET_LEN] = "a secret of thirty-two characters";

static void on_open(void *arg)
{
    struct fake_shard *shard = arg;
    shard->on_open(shard->arg);
}

static void on_message(void *arg, const uint8_t *data, size_t len)
{
    struct fake_shard *shard = arg;
    shard->on_message(shard->arg, data, len);
}

static void on_closed(void *arg, enum msg_sock_reason reason)
{
    (void)reason;
    fake_shard_hang_up(arg);
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    static const struct msg_sock_limits limits = {.max_len = LIMIT_LINK_MESSAGE, .high_water = 1 << 20};
    static const struct msg_sock_handlers handlers = {on_open, on_message, on_closed, NULL};
    struct fake_shard *shard = arg;
    (void)what;
    int conn = sock_accept(fd, NULL, NULL);
    assert_true(conn >= 0);
    fake_shard_hang_up(shard);
    assert_int_equal(msg_sock_accept(&shard->sock, shard->loop, conn, &limits, &handlers, shard), 0);
    shard->connections++;
}

void fake_shard_begin(struct fake_shard *shard, struct loop *loop)
{
    shard->loop = loop;
    snprintf(shard->address, sizeof shard->address, "127.0.0.1:0");
    fake_shard_listen(shard);
    snprintf(shard->address, sizeof shard->address, "127.0.0.1:%u", sock_port(shard->listener));
}

void fake_shard_end(struct fake_shard *shard)
{
    fake_shard_hang_up(shard);
    fake_shard_deafen(shard);
}

void fake_shard_deafen(struct fake_shard *shard)
{
    if (shard->listener < 0)
        return;
    event_del(&shard->acceptable);
    close(shard->listener);
    shard->listener = -1;
}

void fake_shard_listen(struct fake_shard *shard)
{
    shard->listener = sock_listen(shard->address, 8, false);
    assert_true(shard->listener >= 0);
    assert_int_equal(event_assign(&shard->acceptable, loop_base(shard->loop), shard->listener, EV_READ | EV_PERSIST,
                                  on_acceptable, shard),
                     0);
    assert_int_equal(event_add(&shard->acceptable, NULL), 0);
}

void fake_shard_hang_up(struct fake_shard *shard)
{
    msg_sock_close(shard->sock);
    shard->sock = NULL;
}

void fake_shard_send(struct fake_shard *shard, const uint8_t *msg, size_t len)
{
    assert_int_equal(msg_sock_send(shard->sock, msg, len), 0);
}
