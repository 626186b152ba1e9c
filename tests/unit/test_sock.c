#include "check.h"

#include "common/io/sock.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

// ---- Addresses -----------------------------------------------------------------------------------------------------

static void test_split(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; // NULL = refused
        uint16_t port;
    } cases[] = {
        {"127.0.0.1:8080", "127.0.0.1", 8080},
        {"[::]:8080", "::", 8080},
        {":8080", "", 8080},
        {"redis:6379", "redis", 6379},
        {"a-b.example.org:65535", "a-b.example.org", 65535},
        {"x:0", "x", 0},
        {"8080", NULL, 0},
        {"", NULL, 0},
        {"x:", NULL, 0},
        {"x:65536", NULL, 0},
        {"x:123456", NULL, 0},
        {"x:-1", NULL, 0},
        {"x:+1", NULL, 0},
        {"x: 1", NULL, 0},
        {"::1:80", NULL, 0},
        {"[::1]", NULL, 0},
        {"[]:80", NULL, 0},
        {"[::1:80", NULL, 0},
        {"a b:80", NULL, 0},
        {"a]:80", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char host[SOCK_HOST_SIZE];
        uint16_t port = 0;
        size_t size = strlen(cases[i].text) + 1;
        int err = sock_split(check_guarded(cases[i].text, size), host, &port);
        assert_int_equal(err, cases[i].host != NULL ? 0 : ERR_MALFORMED);
        if (err == 0) {
            assert_string_equal(host, cases[i].host);
            assert_int_equal(port, cases[i].port);
        }
    }
}

static void test_host_too_long(void **state)
{
    (void)state;
    char text[SOCK_HOST_SIZE + 8];
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    memset(text, 'x', sizeof text);
    memcpy(text + SOCK_HOST_SIZE, ":1", sizeof ":1");
    assert_int_equal(sock_split(text, host, &port), ERR_MALFORMED);
    assert_int_equal(sock_split(text + 1, host, &port), 0);
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *address;
        uint16_t port;
    } expected[] = {{"127.0.0.1:80", "127.0.0.1", 80}, {"[2001:db8::1]:443", "2001:db8::1", 443}, {":9", "::", 9}};
    struct sockaddr_storage sa;
    socklen_t len;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct addr addr;
        char text[ADDR_TEXT_SIZE];
        assert_int_equal(sock_parse(expected[i].text, &sa, &len), 0);
        assert_int_equal(addr_from_sockaddr(&addr, (struct sockaddr *)&sa, len), 0);
        addr_to_text(&addr, text);
        assert_string_equal(text, expected[i].address);
        // Of both families at the same place.
        assert_int_equal(ntohs(((struct sockaddr_in *)&sa)->sin_port), expected[i].port);
    }
    assert_int_equal(sock_parse("redis:6379", &sa, &len), ERR_MALFORMED);
}

// ---- Connections ---------------------------------------------------------------------------------------------------

// A connected pair over loopback: [0] accepted, [1] connected, non-blocking both.
static void connect_pair(int fds[2])
{
    char address[32];
    struct sockaddr_storage sa;
    socklen_t len;
    int listener = sock_listen("127.0.0.1:0", 8, false);
    assert_true(listener >= 0);
    assert_int_equal(sock_accept(listener, NULL, NULL), ERR_AGAIN);
    snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(listener));
    assert_int_equal(sock_parse(address, &sa, &len), 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&sa, len), 0);
    fds[0] = sock_accept(listener, &sa, &len);
    assert_true(fds[0] >= 0);
    assert_int_equal(sa.ss_family, AF_INET);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    sock_tune(fds[0], 1000);
    close(listener);
}

static void test_listeners_share_a_port(void **state)
{
    (void)state;
    char address[32];
    int a = sock_listen("127.0.0.1:0", 8, true);
    assert_true(a >= 0);
    snprintf(address, sizeof address, "127.0.0.1:%u", sock_port(a));
    int b = sock_listen(address, 8, true);
    assert_true(b >= 0);
    assert_int_equal(sock_listen(address, 8, false), ERR_IO);
    assert_int_equal(sock_listen("nonsense", 8, false), ERR_MALFORMED);
    close(a);
    close(b);
    int any = sock_listen(":0", 8, false);
    assert_true(any >= 0);
    assert_true(sock_port(any) != 0);
    close(any);
    assert_int_equal(sock_accept(any, NULL, NULL), ERR_IO);
    assert_int_equal(sock_port(-1), 0);
}

static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct rlimit old, tight;
    int listener = sock_listen("127.0.0.1:0", 8, false);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(sock_port(listener))};
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(client, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    tight = old;
    tight.rlim_cur = 3;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    int fd = sock_accept(listener, NULL, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(fd, ERR_FULL);
    fd = sock_accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    close(fd);
    close(client);
    close(listener);
}

static void test_plain_read_and_write(void **state)
{
    (void)state;
    int fds[2];
    struct sock sock;
    char data[16];
    connect_pair(fds);
    assert_int_equal(sock_init(&sock, fds[0], NULL), 0);
    assert_true(sock_established(&sock));
    assert_false(sock_has_buffered(&sock));
    assert_int_equal(sock_read(&sock, data, sizeof data), ERR_AGAIN);
    struct iovec parts[] = {{(char[]){"ab"}, 2}, {(char[]){"cde"}, 3}};
    assert_int_equal(sock_writev(&sock, parts, 2), 5);
    assert_int_equal(sock_write(&sock, "f", 1), 1);
    assert_int_equal(recv(fds[1], data, 6, MSG_WAITALL), 6);
    assert_memory_equal(data, "abcdef", 6);
    assert_int_equal(write(fds[1], "xy", 2), 2);
    struct pollfd wait = {.fd = fds[0], .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 1000), 1);
    assert_int_equal(sock_read(&sock, data, 1), 1);
    assert_int_equal(sock_read(&sock, data, sizeof data), 1);
    close(fds[1]);
    assert_int_equal(poll(&wait, 1, 1000), 1);
    assert_int_equal(sock_read(&sock, data, sizeof data), ERR_CLOSED);
    ssize_t put = 1;
    for (int i = 0; i < 10 && put > 0; i++) {
        put = sock_write(&sock, "x", 1);
        usleep(1000);
    }
    assert_int_equal(put, ERR_CLOSED);
    sock_close(&sock);
    sock_close(&sock);
    assert_int_equal(sock_read(&sock, data, 1), ERR_CLOSED);
    assert_int_equal(sock_write(&sock, data, 1), ERR_CLOSED);
    assert_int_equal(sock_writev(&sock, parts, 2), ERR_CLOSED);
}

static void test_plain_write_until_full(void **state)
{
    (void)state;
    int fds[2];
    struct sock sock;
    static char data[65536];
    ssize_t put;
    connect_pair(fds);
    assert_int_equal(sock_init(&sock, fds[0], NULL), 0);
    while ((put = sock_write(&sock, data, sizeof data)) > 0)
        ;
    assert_int_equal(put, ERR_AGAIN);
    close(fds[1]);
    sock_close(&sock);
}

// ---- TLS -----------------------------------------------------------------------------------------------------------

static SSL_CTX *server_ctx;
static SSL_CTX *client_ctx;

// A key and a certificate that lives as long as the test.
static int tls_setup(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    server_ctx = SSL_CTX_new(TLS_server_method());
    client_ctx = SSL_CTX_new(TLS_client_method());
    int ok = X509_sign(cert, key, EVP_sha256()) > 0 && SSL_CTX_use_certificate(server_ctx, cert) == 1 &&
             SSL_CTX_use_PrivateKey(server_ctx, key) == 1;
    X509_free(cert);
    EVP_PKEY_free(key);
    return ok ? 0 : -1;
}

static int tls_teardown(void **state)
{
    (void)state;
    SSL_CTX_free(server_ctx);
    SSL_CTX_free(client_ctx);
    return 0;
}

// A server end, and a client that has shaken hands with it.
static SSL *tls_pair(struct sock *sock, int fds[2])
{
    char data[16];
    connect_pair(fds);
    assert_int_equal(sock_init(sock, fds[0], server_ctx), 0);
    SSL *client = SSL_new(client_ctx);
    SSL_set_fd(client, fds[1]);
    for (int i = 0; i < 100 && !(SSL_is_init_finished(client) && sock_established(sock)); i++) {
        (void)SSL_connect(client);
        assert_int_equal(sock_read(sock, data, sizeof data), ERR_AGAIN);
        usleep(1000);
    }
    assert_true(sock_established(sock));
    return client;
}

static void test_tls_read_and_write(void **state)
{
    (void)state;
    int fds[2];
    struct sock sock;
    char data[16] = "";
    ssize_t got = ERR_AGAIN;
    SSL *client = tls_pair(&sock, fds);
    assert_int_equal(SSL_write(client, "hello", 5), 5);
    for (int i = 0; i < 100 && got == ERR_AGAIN; i++, usleep(1000))
        got = sock_read(&sock, data, 2);
    assert_int_equal(got, 2);
    assert_true(sock_has_buffered(&sock));
    assert_int_equal(sock_read(&sock, data, sizeof data), 3);
    assert_false(sock_has_buffered(&sock));

    struct iovec parts[] = {{(char[]){"ab"}, 2}, {(char[]){""}, 0}, {(char[]){"cde"}, 3}};
    assert_int_equal(sock_writev(&sock, parts, 3), 5);
    int n = 0;
    for (int i = 0; i < 100 && n <= 0; i++, usleep(1000))
        n = SSL_read(client, data, sizeof data);
    assert_int_equal(n, 5); // one record
    assert_memory_equal(data, "abcde", 5);
    SSL_shutdown(client);
    got = ERR_AGAIN;
    for (int i = 0; i < 100 && got == ERR_AGAIN; i++, usleep(1000))
        got = sock_read(&sock, data, sizeof data);
    assert_int_equal(got, ERR_CLOSED);
    SSL_free(client);
    close(fds[1]);
    sock_close(&sock);
}

static void test_tls_peer_goes_without_goodbye(void **state)
{
    (void)state;
    int fds[2];
    struct sock sock;
    char data[16];
    ssize_t got = ERR_AGAIN;
    SSL *client = tls_pair(&sock, fds);
    SSL_free(client);
    close(fds[1]);
    for (int i = 0; i < 100 && got == ERR_AGAIN; i++, usleep(1000))
        got = sock_read(&sock, data, sizeof data);
    assert_int_equal(got, ERR_CLOSED);
    sock_close(&sock);
}

static void test_tls_of_garbage(void **state)
{
    (void)state;
    int fds[2];
    struct sock sock;
    char data[16];
    ssize_t got = ERR_AGAIN;
    connect_pair(fds);
    assert_int_equal(sock_init(&sock, fds[0], server_ctx), 0);
    assert_int_equal(write(fds[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
    for (int i = 0; i < 100 && got == ERR_AGAIN; i++, usleep(1000))
        got = sock_read(&sock, data, sizeof data);
    assert_int_equal(got, ERR_IO);
    close(fds[1]);
    sock_close(&sock);
}

// Everything arrives in order, though the kernel takes it in pieces and the pieces move between attempts.
static void test_tls_large_write_in_pieces(void **state)
{
    (void)state;
    enum { LEN = 4 << 20 };
    static uint8_t sent[LEN], received[LEN];
    int fds[2];
    struct sock sock;
    size_t put = 0;
    size_t got = 0;
    bool was_full = false;
    SSL *client = tls_pair(&sock, fds);
    for (size_t i = 0; i < LEN; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 24);
    while (got < LEN) {
        while (put < LEN) {
            size_t half = (LEN - put) / 2;
            struct iovec parts[] = {{sent + put, half}, {sent + put + half, LEN - put - half}};
            ssize_t n = sock_writev(&sock, parts, 2);
            if (n == ERR_AGAIN) {
                was_full = true;
                break;
            }
            assert_true(n > 0);
            put += (size_t)n;
        }
        for (int n; (n = SSL_read(client, received + got, LEN - (int)got)) > 0;)
            got += (size_t)n;
    }
    assert_true(was_full);
    assert_memory_equal(sent, received, LEN);
    SSL_free(client);
    close(fds[1]);
    sock_close(&sock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_host_too_long),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_listeners_share_a_port),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_plain_read_and_write),
        cmocka_unit_test(test_plain_write_until_full),
        cmocka_unit_test(test_tls_read_and_write),
        cmocka_unit_test(test_tls_peer_goes_without_goodbye),
        cmocka_unit_test(test_tls_of_garbage),
        cmocka_unit_test(test_tls_large_write_in_pieces),
    };
    signal(SIGPIPE, SIG_IGN); // as loop_new does in the programs; OpenSSL writes without MSG_NOSIGNAL
    return cmocka_run_group_tests(tests, tls_setup, tls_teardown);
}
