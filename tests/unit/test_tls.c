// Keys of session tickets, and sessions that are resumed with them between two servers. Client and server are OpenSSL
// at the two ends of memory.
#include "check.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "gateway/tls.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define KEY_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

static char cert_path[] = "/tmp/tessera-test-cert-XXXXXX", key_path[] = "/tmp/tessera-test-key-XXXXXX";
static char error[512];

static int parse(struct tls_tickets *tickets, const char *text)
{
    return tls_tickets_parse(tickets, text, strlen(text), error, sizeof error);
}

// ---- Keys -----------------------------------------------------------------------------------------------------------

static void test_keys(void **state)
{
    (void)state;
    struct tls_tickets tickets, again;
    assert_int_equal(parse(&tickets, "# newest\n  " KEY_A " \r\n\n" KEY_B "\n"), 0);
    assert_int_equal(tickets.count, 2);
    assert_memory_not_equal(tickets.keys[0].name, tickets.keys[1].name, TLS_TICKETS_NAME_LEN);
    assert_memory_not_equal(tickets.keys[0].cipher, tickets.keys[0].mac, 32);
    assert_int_equal(parse(&again, KEY_A), 0);
    assert_memory_equal(&tickets.keys[0], &again.keys[0], sizeof again.keys[0]); // the same on every gateway
}

static void test_wrong_keys(void **state)
{
    (void)state;
    struct tls_tickets tickets;
    assert_int_equal(parse(&tickets, ""), ERR_NOT_FOUND);
    assert_int_equal(parse(&tickets, "# only this\n"), ERR_NOT_FOUND);
    assert_int_equal(parse(&tickets, KEY_A "\nnot hex\n"), ERR_MALFORMED);
    assert_int_equal(strncmp(error, "line 2: ", 8), 0);
    assert_int_equal(tickets.count, 0);
    assert_int_equal(parse(&tickets, KEY_A KEY_A "aa"), ERR_RANGE);
    assert_int_equal(parse(&tickets, "aabb"), ERR_RANGE);
    assert_int_equal(parse(&tickets, KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A "\n" KEY_A
                                           "\n" KEY_A "\n"),
                     ERR_FULL);
}

static void test_rotation(void **state)
{
    (void)state;
    struct tls_tickets tickets = {0};
    struct tls_tickets_key last[2];
    assert_int_equal(tls_tickets_rotate(&tickets, 1), 0);
    assert_int_equal(tickets.count, 1);
    for (unsigned i = 0; i < 20; i++) {
        memcpy(last, tickets.keys, sizeof last);
        assert_int_equal(tls_tickets_rotate(&tickets, 2), 0);
        assert_int_equal(tickets.count, i == 0 ? 2 : 3);
        assert_memory_equal(&tickets.keys[1], last, (tickets.count - 1u) * sizeof last[0]);
        assert_memory_not_equal(&tickets.keys[0], &last[0], sizeof last[0]);
    }
    assert_int_equal(tls_tickets_rotate(&tickets, 100), 0);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(tls_tickets_rotate(&tickets, 100), 0);
    assert_int_equal(tickets.count, TLS_TICKETS_KEYS_MAX);
}

// ---- Sessions -------------------------------------------------------------------------------------------------------

static SSL_SESSION *given; // the last session that the client was given

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(given);
    given = session;
    return 1;
}

static SSL_CTX *new_server(struct tls_tickets *tickets)
{
    SSL_CTX *ctx = NULL;
    assert_int_equal(tls_server_new(&ctx, cert_path, key_path, tickets, error, sizeof error), 0);
    return ctx;
}

// One connection, with the session of the last one; returns whether it was resumed.
static bool connect_to(SSL_CTX *server_ctx, int version, int *client_result)
{
    SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(client_ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(client_ctx, on_session);
    assert_int_equal(SSL_CTX_set_min_proto_version(client_ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(client_ctx, version), 1);
    SSL *client = SSL_new(client_ctx), *server = SSL_new(server_ctx);
    BIO *client_bio, *server_bio;
    assert_int_equal(BIO_new_bio_pair(&client_bio, 65536, &server_bio, 65536), 1);
    SSL_set_bio(client, client_bio, client_bio);
    SSL_set_bio(server, server_bio, server_bio);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    if (given != NULL)
        assert_int_equal(SSL_set_session(client, given), 1);
    char byte;
    for (unsigned i = 0; i < 10; i++) {
        *client_result = SSL_do_handshake(client);
        (void)SSL_do_handshake(server);
    }
    (void)SSL_read(client, &byte, 1); // takes the ticket of 1.3
    if (version == TLS1_2_VERSION) {  // a renewed ticket of 1.2 is not told to on_session
        SSL_SESSION_free(given);
        given = SSL_get1_session(client);
    }
    bool resumed = SSL_session_reused(server) != 0;
    SSL_shutdown(client);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(client_ctx);
    return resumed;
}

static void forget_session(void)
{
    SSL_SESSION_free(given);
    given = NULL;
}

static void check_resumption(int version)
{
    struct tls_tickets one, two, other;
    int ok;
    forget_session();
    assert_int_equal(parse(&one, KEY_B), 0);
    assert_int_equal(parse(&two, KEY_A "\n" KEY_B), 0); // has got the newer key already
    assert_int_equal(parse(&other, KEY_C), 0);
    SSL_CTX *first = new_server(&one), *second = new_server(&two), *third = new_server(&other);
    assert_false(connect_to(first, version, &ok));
    assert_int_equal(ok, 1);
    assert_true(connect_to(first, version, &ok));
    assert_true(connect_to(second, version, &ok)); // by the older key; gives a ticket of the newer one
    assert_true(connect_to(second, version, &ok));
    assert_false(connect_to(first, version, &ok)); // which the first does not know: a full handshake
    assert_int_equal(ok, 1);
    assert_false(connect_to(third, version, &ok));
    assert_int_equal(ok, 1);
    // The keys change under a living context, as at a reload.
    forget_session();
    assert_false(connect_to(first, version, &ok));
    assert_int_equal(parse(&one, KEY_A), 0);
    assert_false(connect_to(first, version, &ok));
    assert_int_equal(parse(&one, KEY_C "\n" KEY_A), 0);
    assert_true(connect_to(first, version, &ok));
    forget_session();
    SSL_CTX_free(first);
    SSL_CTX_free(second);
    SSL_CTX_free(third);
}

static void test_resumption_1_2(void **state)
{
    (void)state;
    check_resumption(TLS1_2_VERSION);
}

static void test_resumption_1_3(void **state)
{
    (void)state;
    check_resumption(TLS1_3_VERSION);
}

static void test_old_versions(void **state)
{
    (void)state;
    struct tls_tickets tickets;
    assert_int_equal(parse(&tickets, KEY_A), 0);
    SSL_CTX *server = new_server(&tickets);
    assert_int_equal(SSL_CTX_get_min_proto_version(server), TLS1_2_VERSION);
    assert_in_range(tls_server_expiry(server), (uintmax_t)time(NULL) + 86400 - 60, (uintmax_t)time(NULL) + 86400 + 60);
    SSL_CTX_free(server);
}

static void test_wrong_files(void **state)
{
    (void)state;
    struct tls_tickets tickets = {0};
    SSL_CTX *ctx = NULL;
    assert_int_equal(tls_server_new(&ctx, "/nonexistent", key_path, &tickets, error, sizeof error), ERR_IO);
    assert_non_null(strstr(error, "/nonexistent"));
    assert_int_equal(tls_server_new(&ctx, cert_path, cert_path, &tickets, error, sizeof error), ERR_IO);
    assert_null(ctx);
}

// ---- A certificate --------------------------------------------------------------------------------------------------

static void write_pem(char *path, EVP_PKEY *key, X509 *cert)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_int_equal(
        cert != NULL ? PEM_write_X509(file, cert) : PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    fclose(file);
}

static int setup(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1,
                               -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    write_pem(cert_path, NULL, cert);
    write_pem(key_path, key, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(cert_path);
    unlink(key_path);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),           cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_rotation),       cmocka_unit_test(test_resumption_1_2),
        cmocka_unit_test(test_resumption_1_3), cmocka_unit_test(test_old_versions),
        cmocka_unit_test(test_wrong_files),
    };
    return cmocka_run_group_tests_name("tls", tests, setup, teardown);
}
