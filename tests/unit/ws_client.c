#include "tests/unit/ws_client.h"

#include <errno.h>
#include <sys/socket.h>

struct ws_client ws_client;

int ws_client_begin(void **state)
{
    (void)state;
    ws_client.far = -1;
    ws_client.edge = edge_fakes_begin(&(struct edge_options){.max_connections = 100, .max_sockets = 100});
    edge_facts.config = (struct canvas_config){.version = 3, .geom = {1000, 1000, 256}, .cooldown_ms = 5000};
    edge_facts.config_known = true;
    return 0;
}

int ws_client_end(void **state)
{
    (void)state;
    edge_fakes_hang_up(&ws_client.far);
    edge_fakes_end();
    return 0;
}

void ws_client_connect(void)
{
    char text[512];
    edge_fakes_connect(SOCK_SEQPACKET, &ws_client.far);
    edge_fakes_upgrade(text, sizeof text);
    ws_client_say(text, strlen(text));
    assert_true(ws_client_next() > 0);
    assert_memory_equal(ws_client.packet, "HTTP/1.1 101 ", 13);
}

struct ws_conn *ws_client_join(void)
{
    ws_client_connect();
    edge_fakes.user_at_once = true;
    ws_client_say_hello();
    assert_int_equal(ws_client_next(), 2 + WS_WELCOME_LEN);
    assert_int_equal(edge_fakes.joins, 1);
    return &ws_client_conn()->ws;
}

struct conn *ws_client_conn(void)
{
    assert_non_null(ws_client.edge->conns);
    assert_null(ws_client.edge->conns->next);
    return ws_client.edge->conns;
}

size_t ws_client_next(void)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        ssize_t n = recv(ws_client.far, ws_client.packet, sizeof ws_client.packet, MSG_DONTWAIT);
        if (n >= 0)
            return (size_t)n;
        assert_int_equal(errno, EAGAIN);
        edge_fakes_turn(1);
    }
    return 0;
}

uint16_t ws_client_closed(void)
{
    const uint8_t *packet = ws_client.packet;
    for (size_t n; (n = ws_client_next()) > 0;)
        for (size_t at = 0; at + 2 <= n; at += 2u + packet[at + 1])
            if (packet[at] == 0x88)
                return (uint16_t)(packet[at + 2] << 8 | packet[at + 3]);
    fail_msg("no close frame");
    return 0;
}

void ws_client_say(const void *data, size_t len)
{
    assert_int_equal(send(ws_client.far, data, len, MSG_NOSIGNAL), len);
    edge_fakes_turn(3);
}

size_t ws_client_frame(uint8_t *to, uint8_t first, const void *payload, size_t len)
{
    size_t head = len < 126 ? 2 : 4;
    to[0] = first;
    to[1] = (uint8_t)(0x80 | (len < 126 ? len : 126));
    if (head == 4) {
        to[2] = (uint8_t)(len >> 8);
        to[3] = (uint8_t)(len & 0xff);
    }
    memset(to + head, 0, 4); // a mask of zeros leaves the payload as it is
    if (len > 0)
        memcpy(to + head + 4, payload, len);
    return head + 4 + len;
}

void ws_client_say_message(const void *payload, size_t len)
{
    uint8_t bytes[200];
    ws_client_say(bytes, ws_client_frame(bytes, 0x82, payload, len));
}

void ws_client_say_hello(void)
{
    uint8_t hello[WS_HELLO_HEAD_LEN];
    ws_client_say_message(hello, ws_encode_hello(hello, 7, NULL, 0));
}

struct shared_buf *ws_client_filled(size_t len, uint8_t value)
{
    struct shared_buf *buf = shared_buf_new(len);
    assert_non_null(buf);
    memset(buf->bytes, value, len);
    return buf;
}

unsigned ws_client_fill(struct ws_conn *ws, struct shared_buf *buf)
{
    unsigned taken = 0;
    while (ws_conn_write_shared(ws, buf, 0) == WS_WRITE_TAKEN && ws->cut == NULL)
        assert_true(++taken < 10000);
    return taken;
}
