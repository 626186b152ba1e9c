#include "gateway/credentials.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "common/io/log.h"
#include "gateway/tls.h"

// Ticket keys of our own: a ticket lives for two hours, so the one before is enough.
#define ROTATION_MS (INT64_C(6) * 3600 * 1000)
#define ROTATION_KEEP 1

static int fail(int err, const char *option, const char *why, char error[CREDENTIALS_ERROR_SIZE])
{
    snprintf(error, CREDENTIALS_ERROR_SIZE, "%s: %s", option, why);
    return err;
}

static int parse_tokens(struct token_keys *tokens, const char *text, char error[CREDENTIALS_ERROR_SIZE])
{
    char why[CONF_ERROR_SIZE];
    int err = token_keys_parse(tokens, text, strlen(text), why, sizeof why);
    return err != 0 ? fail(err, "token-keys", why, error) : 0;
}

static int parse_tickets(struct tls_tickets *tickets, const char *text, char error[CREDENTIALS_ERROR_SIZE])
{
    char why[CONF_ERROR_SIZE];
    int err = tls_tickets_parse(tickets, text, strlen(text), why, sizeof why);
    return err != 0 ? fail(err, "tls-ticket-keys", why, error) : 0;
}

// The certificate, for which `tickets` is where it will stay.
static int open_tls(SSL_CTX **tls, const struct options *options, struct tls_tickets *tickets,
                    char error[CREDENTIALS_ERROR_SIZE])
{
    char why[CONF_ERROR_SIZE];
    if (options->tls_cert[0] == '\0')
        return 0;
    int err = tls_server_new(tls, options->tls_cert, options->tls_key, tickets, why, sizeof why);
    return err != 0 ? fail(err, "tls-cert", why, error) : 0;
}

static void loaded(struct credentials *credentials, int64_t now_unix_s)
{
    struct credentials_stats *stats = &credentials->stats;
    stats->reload_ok = 1;
    stats->loaded_s = now_unix_s;
    stats->tls_expiry_s = credentials->tls != NULL ? tls_server_expiry(credentials->tls) : 0;
    if (credentials->tls != NULL && stats->tls_expiry_s <= now_unix_s)
        log_warn("the certificate has expired", LOG_I64("expired_unix_s", stats->tls_expiry_s));
}

int credentials_init(struct credentials *credentials, const struct options *options, char error[CREDENTIALS_ERROR_SIZE])
{
    *credentials = (struct credentials){.rotates = options->tls_ticket_keys[0] == '\0'};
    int err = parse_tokens(&credentials->tokens, options->token_keys, error);
    if (err == 0 && !credentials->rotates)
        err = parse_tickets(&credentials->tickets, options->tls_ticket_keys, error);
    else if (err == 0 && tls_tickets_rotate(&credentials->tickets, 0) != 0)
        err = fail(ERR_NOMEM, "tls-ticket-keys", "no memory", error);
    if (err == 0)
        err = open_tls(&credentials->tls, options, &credentials->tickets, error);
    if (err == 0)
        loaded(credentials, (int64_t)time(NULL));
    return err;
}

void credentials_fini(struct credentials *credentials)
{
    SSL_CTX_free(credentials->tls);
    credentials->tls = NULL;
    token_keys_fini(&credentials->tokens);
    tls_tickets_fini(&credentials->tickets);
}

// ---- Again ----------------------------------------------------------------------------------------------------------

// Those of the running process that are not in the new text sign nothing any more and verify nothing.
static void warn_of_lost_key(const struct token_keys *before, const struct token_keys *after)
{
    for (uint8_t i = 0; i < after->count; i++)
        if (strcmp(before->keys[0].kid, after->keys[i].kid) == 0)
            return;
    log_warn("the key that signed until now is gone: its sessions end", LOG_STR("key", before->keys[0].kid));
}

static int read_tokens(struct token_keys *tokens, const struct conf *conf, char error[CREDENTIALS_ERROR_SIZE])
{
    char *text = NULL;
    int err = conf_read_again(conf, "token-keys", &text, error);
    if (err != 0)
        return err;
    err = parse_tokens(tokens, text, error);
    conf_forget(text);
    return err == ERR_NOT_FOUND ? ERR_MALFORMED : err; // a file without a key is not the same as no file
}

static int read_tickets(struct tls_tickets *tickets, const struct conf *conf, char error[CREDENTIALS_ERROR_SIZE])
{
    char *text = NULL;
    int err = conf_read_again(conf, "tls-ticket-keys", &text, error);
    if (err != 0)
        return err;
    err = parse_tickets(tickets, text, error);
    conf_forget(text);
    return err == ERR_NOT_FOUND ? ERR_MALFORMED : err;
}

int credentials_reload(struct credentials *credentials, const struct conf *conf, const struct options *options,
                       int64_t now_unix_s, char error[CREDENTIALS_ERROR_SIZE])
{
    struct token_keys tokens = credentials->tokens;
    struct tls_tickets tickets = credentials->tickets;
    SSL_CTX *tls = NULL;
    // Not from a file: as they were.
    int err = read_tokens(&tokens, conf, error);
    if (err == 0 || err == ERR_NOT_FOUND)
        err = read_tickets(&tickets, conf, error);
    if (err == 0 || err == ERR_NOT_FOUND)
        err = open_tls(&tls, options, &credentials->tickets, error);
    if (err == 0) {
        warn_of_lost_key(&credentials->tokens, &tokens);
        credentials->tokens = tokens;
        credentials->tickets = tickets;
        SSL_CTX_free(credentials->tls);
        credentials->tls = tls;
        credentials->stats.reloads++;
        loaded(credentials, now_unix_s);
    } else {
        credentials->stats.reload_failures++;
        credentials->stats.reload_ok = 0;
    }
    token_keys_fini(&tokens);
    tls_tickets_fini(&tickets);
    return err;
}

static void on_rotation(void *arg)
{
    struct credentials *credentials = arg;
    if (tls_tickets_rotate(&credentials->tickets, ROTATION_KEEP) != 0)
        log_error("no new key for TLS tickets");
    loop_timer_arm_ms(&credentials->rotation, ROTATION_MS);
}

int credentials_start(struct credentials *credentials, struct loop *loop, struct metrics *metrics)
{
    struct credentials_stats *stats = &credentials->stats;
    const struct metrics_row rows[] = {
        {.name = "tessera_gateway_reloads_total",
         .type = METRICS_COUNTER,
         .help = "Times that certificate and keys were read again.",
         .labels = "result=\"ok\"",
         .value = &stats->reloads},
        {.name = "tessera_gateway_reloads_total",
         .type = METRICS_COUNTER,
         .help = "Times that certificate and keys were read again.",
         .labels = "result=\"failed\"",
         .value = &stats->reload_failures},
        {.name = "tessera_gateway_reload_ok",
         .type = METRICS_GAUGE,
         .help = "1 when certificate and keys were good at their last reading, 0 when older ones are in use.",
         .value = &stats->reload_ok},
        {.name = "tessera_gateway_reload_time_seconds",
         .type = METRICS_GAUGE,
         .help = "Unix time at which the certificate and keys in use were read.",
         .value = &stats->loaded_s},
        {.name = "tessera_gateway_tls_certificate_expiry_time_seconds",
         .type = METRICS_GAUGE,
         .help = "Unix time at which the certificate in use ends; 0 without TLS.",
         .value = &stats->tls_expiry_s},
    };
    credentials->started = credentials->rotates;
    if (credentials->rotates) {
        loop_timer_init(&credentials->rotation, loop, on_rotation, credentials);
        loop_timer_arm_ms(&credentials->rotation, ROTATION_MS);
    }
    return metrics_add(metrics, rows, sizeof rows / sizeof rows[0]);
}

void credentials_stop(struct credentials *credentials)
{
    if (credentials->started)
        loop_timer_disarm(&credentials->rotation);
}
