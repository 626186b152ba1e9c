// Writing to a full socket over TLS: what OpenSSL has begun to write has to come again unchanged, before anything else.
// The client is OpenSSL too, at the other end of a socket pair in this process.
#include "check.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "gateway/edge_internal.h"
#include "tests/unit/edge_fakes.h"

#define FRAME_LEN 1000u

static SSL_CTX *server_ctx, *client_ctx;
static SSL *client;
static uint8_t got[1 << 22];
static size_t got_len;

static SSL_CTX *make_server(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_sign(cert, key, EVP_sha256());
    if (SSL_CTX_use_certificate(ctx, cert) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1)
        abort();
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}

static int setup(void **state)
{
    (void)state;
    server_ctx = make_server();
    client_ctx = SSL_CTX_new(TLS_client_method());
    edge_fakes_begin(&(struct edge_options){.tls = server_ctx, .max_connections = 10, .max_sockets = 10});
    edge_facts.config = (struct canvas_config){.version = 1, .geom = {1000, 1000, 256}};
    edge_facts.config_known = true;
    got_len = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    int fd = SSL_get_fd(client);
    SSL_free(client);
    edge_fakes_hang_up(&fd);
    edge_fakes_end();
    SSL_CTX_free(client_ctx);
    SSL_CTX_free(server_ctx);
    return 0;
}

static void pump(void)
{
    size_t n;
    edge_fakes_turn(1);
    while (got_len < sizeof got && SSL_read_ex(client, got + got_len, sizeof got - got_len, &n) == 1)
        got_len += n;
}

static void pump_until(size_t len)
{
    for (unsigned i = 0; i < 5000 && got_len < len; i++)
        pump();
    assert_true(got_len >= len);
}

static void say(const void *data, size_t len)
{
    size_t put = 0;
    for (unsigned i = 0; i < 100 && put == 0; i++) {
        if (SSL_write_ex(client, data, len, &put) != 1)
            pump();
    }
    assert_int_equal(put, len);
    edge_fakes_turn(1);
}

static void say_frame(uint8_t first, const void *payload, size_t len)
{
    uint8_t bytes[200] = {first, (uint8_t)(0x80 | len)};
    memcpy(bytes + 6, payload, len);
    say(bytes, 6 + len);
}

// Handshakes of both kinds, HELLO, WELCOME; what was received so far is forgotten.
static struct ws_conn *joined_client(void)
{
    int far, small = 8192;
    char text[512];
    uint8_t hello[WS_HELLO_HEAD_LEN];
    struct conn *conn = edge_fakes_connect(SOCK_STREAM, &far);
    setsockopt(conn->sock.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    client = SSL_new(client_ctx);
    SSL_set_fd(client, far);
    SSL_set_connect_state(client);
    edge_fakes_upgrade(text, sizeof text);
    say(text, strlen(text));
    pump_until(20);
    assert_memory_equal(got, "HTTP/1.1 101 ", 13);
    for (unsigned i = 0; i < 20; i++)
        pump();
    got_len = 0;
    say_frame(0x82, hello, ws_encode_hello(hello, 7, NULL, 0));
    pump_until(2 + WS_WELCOME_LEN);
    got_len = 0;
    assert_int_equal(edge_fakes.joins, 1);
    return edge_fakes.last_joined;
}

static struct shared_buf *numbered(unsigned number)
{
    struct shared_buf *buf = shared_buf_new(FRAME_LEN);
    assert_non_null(buf);
    memset(buf->bytes, (int)(number % 251), FRAME_LEN);
    return buf;
}

// Writes frames until one is not taken. Returns how many were, kept ones included.
static unsigned fill(struct ws_conn *ws, unsigned from)
{
    for (unsigned number = from;; number++) {
        struct shared_buf *buf = numbered(number);
        enum ws_write result = ws_conn_write_shared(ws, buf, 0);
        shared_buf_unref(buf);
        assert_int_not_equal(result, WS_WRITE_DEAD);
        if (result == WS_WRITE_FULL)
            return number;
        assert_true(number < 4000);
    }
}

static size_t expect_frames(size_t at, unsigned from, unsigned to)
{
    for (unsigned number = from; number < to; number++, at += FRAME_LEN)
        for (size_t i = 0; i < FRAME_LEN; i++)
            assert_int_equal(got[at + i], number % 251);
    return at;
}

static void test_a_frame_that_was_tried_is_kept(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    unsigned count = fill(ws, 0);
    assert_non_null(ws->cut);
    // Different bytes are waiting behind it now.
    edge_fakes_answer_draw(&ws->cluster, 1);
    edge_fakes_answer_draw(&ws->cluster, 2);
    say_frame(0x89, "ping", 4);
    edge_fakes_turn(1);
    assert_int_equal(got_len, 0);
    size_t len = count * FRAME_LEN + 2 * (2 + WS_VERDICT_LEN) + 6;
    pump_until(len);
    size_t at = expect_frames(0, 0, count);
    assert_int_equal(got[at], 0x82);
    assert_int_equal(got[at + 1], WS_VERDICT_LEN);
    assert_memory_equal(got + at + 2 * (2 + WS_VERDICT_LEN), "\x8a\x04ping", 6);
    assert_int_equal(got_len, len);
    assert_int_equal(edge_fakes.writables, 1);
}

static void test_small_messages_that_were_tried_stay_in_front(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    unsigned answers = 0;
    // Only small messages, until the socket takes no more; then more of them, so that what was tried has grown.
    while (ws->outbox.len == 0 && answers < 100000) {
        for (unsigned i = 0; i < 20; i++)
            edge_fakes_answer_draw(&ws->cluster, ++answers);
        edge_fakes_turn(1);
    }
    assert_true(ws->outbox.len > 0);
    for (unsigned i = 0; i < 50; i++)
        edge_fakes_answer_draw(&ws->cluster, ++answers);
    assert_int_equal(fill(ws, 0), 0);
    pump_until(answers * (2 + WS_VERDICT_LEN));
    for (unsigned i = 0; i < answers; i++) {
        struct ws_verdict verdict;
        assert_int_equal(ws_decode_verdict(got + i * (2 + WS_VERDICT_LEN) + 2, WS_VERDICT_LEN, &verdict), 0);
        assert_int_equal(verdict.nonce, i + 1);
    }
    assert_int_equal(edge_fakes.writables, 1);
}

static void test_small_messages_between_frames(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    unsigned count = 0;
    enum ws_write result;
    do {
        struct shared_buf *buf = numbered(count);
        edge_fakes_answer_draw(&ws->cluster, 1);
        result = ws_conn_write_shared(ws, buf, 0);
        shared_buf_unref(buf);
        count += result == WS_WRITE_TAKEN;
    } while (result == WS_WRITE_TAKEN && count < 4000);
    assert_int_equal(result, WS_WRITE_FULL);
    pump_until(count * (2 + WS_VERDICT_LEN + FRAME_LEN) + 2 + WS_VERDICT_LEN);
    size_t at = 0;
    for (unsigned number = 0; number < count; number++) {
        assert_int_equal(got[at], 0x82);
        at = expect_frames(at + 2 + WS_VERDICT_LEN, number, number + 1);
    }
    assert_int_equal(got_len, at + 2 + WS_VERDICT_LEN);
}

static void test_over_and_over(void **state)
{
    (void)state;
    struct ws_conn *ws = joined_client();
    unsigned count = 0;
    for (unsigned round = 0; round < 50; round++) {
        count = fill(ws, count);
        pump_until((count > 8 ? count - 8 : 0) * FRAME_LEN);
    }
    pump_until(count * FRAME_LEN);
    expect_frames(0, 0, count);
    assert_int_equal(got_len, count * FRAME_LEN);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_frame_that_was_tried_is_kept),
        TEST(test_small_messages_that_were_tried_stay_in_front),
        TEST(test_small_messages_between_frames),
        TEST(test_over_and_over),
    };
    return cmocka_run_group_tests_name("ws_tls", tests, NULL, NULL);
}
