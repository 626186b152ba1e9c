#include "gateway/tls.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#define TICKET_LIFE_S 7200 // a ticket is good for two hours
#define SECURITY_LEVEL 2   // 112 bits: what the profile asks of keys and signatures, whatever the system's file says

static const char suites_1_3[] = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char suites_1_2[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    "DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384:DHE-RSA-CHACHA20-POLY1305";

static int fail(SSL_CTX *tls, const char *what, char *error, size_t error_size)
{
    char text[160];
    ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
    ERR_clear_error();
    snprintf(error, error_size, "%s: %s", what, text);
    SSL_CTX_free(tls);
    return ERR_IO;
}

// The finite-field group of the profile (RFC 7919); only clients that cannot do better meet it, and only with RSA.
static int use_ffdhe2048(SSL_CTX *tls)
{
    char group[] = "ffdhe2048";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
                                 OSSL_PARAM_construct_end()};
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL);
    int ok = ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 && EVP_PKEY_CTX_set_params(ctx, params) == 1 &&
             EVP_PKEY_generate(ctx, &key) == 1 && SSL_CTX_set0_tmp_dh_pkey(tls, key) == 1;
    if (!ok)
        EVP_PKEY_free(key);
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

// HTTP/1.1 is all that we speak: whoever asks for something else is told so (RFC 7301, section 3.2), and what was meant
// for another service of the same certificate does not reach us.
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                   unsigned in_len, void *arg)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static int use_profile(SSL_CTX *tls)
{
    char groups[] = "X25519:P-256:P-384"; // OpenSSL's macro takes it for writable
    SSL_CTX_set_security_level(tls, SECURITY_LEVEL);
    SSL_CTX_clear_options(tls, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) == 1 && SSL_CTX_set_max_proto_version(tls, 0) == 1 &&
           SSL_CTX_set_ciphersuites(tls, suites_1_3) == 1 && SSL_CTX_set_cipher_list(tls, suites_1_2) == 1 &&
           SSL_CTX_set1_groups_list(tls, groups) == 1 && use_ffdhe2048(tls);
}

int tls_server_new(SSL_CTX **out, const char *cert_path, const char *key_path, struct tls_tickets *tickets, char *error,
                   size_t error_size)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (tls == NULL) {
        snprintf(error, error_size, "no memory");
        return ERR_NOMEM;
    }
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
    // Sessions are resumed by tickets; a table of our own would only grow.
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(tls, TICKET_LIFE_S);
    tls_tickets_use(tickets, tls);
    if (!use_profile(tls) || SSL_CTX_set_num_tickets(tls, 1) != 1)
        return fail(tls, "OpenSSL", error, error_size);
    if (SSL_CTX_use_certificate_chain_file(tls, cert_path) != 1)
        return fail(tls, cert_path, error, error_size);
    if (SSL_CTX_use_PrivateKey_file(tls, key_path, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(tls) != 1)
        return fail(tls, key_path, error, error_size);
    *out = tls;
    return 0;
}

int64_t tls_server_expiry(const SSL_CTX *tls)
{
    struct tm tm;
    const X509 *certificate = SSL_CTX_get0_certificate(tls);
    if (certificate == NULL || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm);
}
