#include "gateway/shard_link.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/member.h"
#include "common/io/log.h"
#include "common/io/msg_sock.h"
#include "common/io/rand.h"
#include "proto/link_proto.h"

// All that may be in flight, even if every draw went alone: then the mark is never met while the rules are kept.
#define HIGH_WATER (LIMIT_LINK_IN_FLIGHT * (LINK_DRAW_LEN + 64u))

enum link_state {
    STATE_BACKOFF,    // timer: connect
    STATE_CONNECTING, // msg_sock has its own deadline
    STATE_CHALLENGE,  // open; waits for CHALLENGE; timer: gives up
    STATE_ACCEPT,     // RESPONSE sent; waits for ACCEPT; timer: gives up
    STATE_UP,         // timer: PING, silence
    STATE_CLOSED,     // by the owner; waits to be freed
};

struct shard_link {
    struct loop *loop;
    char address[MEMBER_ADDRESS_SIZE];
    const uint8_t *secret;
    size_t secret_len;
    uint64_t gateway;
    struct shard_link_handlers handlers;
    void *arg;

    enum link_state state;
    struct msg_sock *sock; // NULL in BACKOFF and CLOSED
    struct loop_timer timer;
    struct loop_deferred release;
    unsigned failures; // since a link last worked
    struct monotime sent_at, received_at, pinged_at;
    uint8_t shard_nonce[LINK_NONCE_LEN];
    uint8_t own_nonce[LINK_NONCE_LEN];
};

// ---- Breaking, and beginning anew ----------------------------------------------------------------------------------

static void back_off(struct shard_link *link)
{
    int64_t delay_ms = (int64_t)SHARD_LINK_RETRY_MIN_MS << (link->failures < 8 ? link->failures : 8);
    if (delay_ms > SHARD_LINK_RETRY_MAX_MS)
        delay_ms = SHARD_LINK_RETRY_MAX_MS;
    link->failures++;
    link->state = STATE_BACKOFF;
    delay_ms -= (int64_t)rand_below((uint64_t)delay_ms / 2 + 1);
    loop_timer_arm_ms(&link->timer, delay_ms);
}

static void fail(struct shard_link *link, const char *why)
{
    if (link->state == STATE_BACKOFF || link->state == STATE_CLOSED)
        return;
    bool was_up = link->state == STATE_UP;
    msg_sock_close(link->sock);
    link->sock = NULL;
    if (was_up || link->failures == 0)
        log_warn("shard link lost", LOG_STR("shard", link->address), LOG_STR("why", why));
    else
        log_debug("shard link fails", LOG_STR("shard", link->address), LOG_STR("why", why));
    back_off(link);
    if (was_up)
        link->handlers.on_down(link->arg);
}

static void send_message(struct shard_link *link, const uint8_t *msg, size_t len)
{
    int err = msg_sock_send(link->sock, msg, len);
    link->sent_at = loop_now(link->loop);
    if (err != 0)
        fail(link, err_text(err));
}

// ---- The challenge -------------------------------------------------------------------------------------------------

static void on_challenge(struct shard_link *link, const struct link_message *message)
{
    uint8_t mac[LINK_MAC_LEN], response[256];
    if (message->type != LINK_CHALLENGE || message->version != LINK_PROTO_VERSION) {
        fail(link, "no challenge of this version");
        return;
    }
    memcpy(link->shard_nonce, message->nonce, LINK_NONCE_LEN);
    rand_bytes(link->own_nonce, LINK_NONCE_LEN);
    if (link_mac_gateway(link->secret, link->secret_len, link->shard_nonce, link->own_nonce, link->gateway, mac) != 0) {
        fail(link, "out of memory");
        return;
    }
    link->state = STATE_ACCEPT;
    send_message(link, response, link_encode_response(response, link->own_nonce, link->gateway, mac));
}

static void arm_alive(struct shard_link *link);

static void on_accept(struct shard_link *link, const struct link_message *message)
{
    uint8_t mac[LINK_MAC_LEN];
    if (message->type != LINK_ACCEPT) {
        fail(link, "not accepted");
        return;
    }
    int err =
        link_mac_shard(link->secret, link->secret_len, link->own_nonce, link->shard_nonce, message->incarnation, mac);
    if (err != 0 || !bytes_equal_secret(mac, message->mac, LINK_MAC_LEN)) {
        log_error("shard does not know the cluster secret", LOG_STR("shard", link->address));
        fail(link, "wrong secret");
        return;
    }
    link->state = STATE_UP;
    link->pinged_at = loop_now(link->loop);
    arm_alive(link);
    log_info("shard link up", LOG_STR("shard", link->address), LOG_HEX("incarnation", message->incarnation));
    link->handlers.on_up(link->arg, message->incarnation, message->view);
}

// ---- Up ------------------------------------------------------------------------------------------------------------

static void on_up_message(struct shard_link *link, const struct link_message *message)
{
    int err = 0;
    link->failures = 0;
    switch (message->type) {
    case LINK_VERDICTS:
        err = link->handlers.on_verdicts(link->arg, message->records, message->count);
        break;
    case LINK_NOT_OWNER:
        err = link->handlers.on_not_owner(link->arg, message->view, message->records, message->count);
        break;
    case LINK_PONG:
        link->handlers.on_pong(link->arg, message->view);
        break;
    default:
        err = ERR_MALFORMED;
        break;
    }
    if (err != 0)
        fail(link, "message out of place");
}

// PING also when only the shard is silent: it may be busy with what we sent, and then must say that it lives.
static struct monotime ping_due(const struct shard_link *link)
{
    struct monotime quiet = monotime_add_ms(link->sent_at, SHARD_LINK_PING_MS);
    struct monotime heard = monotime_before(link->pinged_at, link->received_at) ? link->received_at : link->pinged_at;
    return monotime_min(quiet, monotime_add_ms(heard, SHARD_LINK_PING_MS));
}

static void arm_alive(struct shard_link *link)
{
    struct monotime silence = monotime_add_ms(link->received_at, SHARD_LINK_SILENCE_MS);
    struct monotime at = monotime_min(ping_due(link), silence);
    loop_timer_arm_ms(&link->timer, monotime_diff_ms(at, loop_now(link->loop)));
}

static void check_alive(struct shard_link *link)
{
    struct monotime now = loop_now(link->loop);
    if (monotime_reached(monotime_add_ms(link->received_at, SHARD_LINK_SILENCE_MS), now)) {
        fail(link, "silence");
        return;
    }
    if (monotime_reached(ping_due(link), now)) {
        uint8_t ping[16];
        link->pinged_at = now;
        send_message(link, ping, link_encode_ping(ping));
    }
    if (link->state == STATE_UP)
        arm_alive(link);
}

void shard_link_forward(struct shard_link *link, uint64_t view, uint32_t refusals, const uint8_t *draws, uint32_t count)
{
    uint8_t msg[LIMIT_BATCH_DRAWS * LINK_DRAW_LEN + 64];
    if (link->state == STATE_UP)
        send_message(link, msg, link_encode_forward(msg, view, refusals, draws, count));
}

// ---- The socket ----------------------------------------------------------------------------------------------------

static void on_open(void *arg)
{
    struct shard_link *link = arg;
    link->state = STATE_CHALLENGE;
    loop_timer_arm_ms(&link->timer, SHARD_LINK_CHALLENGE_MS);
}

static void on_message(void *arg, const uint8_t *data, size_t len)
{
    struct shard_link *link = arg;
    struct link_message message;
    link->received_at = loop_now(link->loop);
    if (link_decode(data, len, &message) != 0)
        fail(link, "malformed message");
    else if (link->state == STATE_CHALLENGE)
        on_challenge(link, &message);
    else if (link->state == STATE_ACCEPT)
        on_accept(link, &message);
    else if (link->state == STATE_UP)
        on_up_message(link, &message);
}

static void on_closed(void *arg, enum msg_sock_reason reason)
{
    fail(arg, msg_sock_reason_text(reason));
}

static void connect_now(struct shard_link *link)
{
    static const struct msg_sock_limits limits = {
        .max_len = LIMIT_LINK_MESSAGE,
        .high_water = HIGH_WATER,
        .connect_timeout_ms = SHARD_LINK_CONNECT_MS,
    };
    static const struct msg_sock_handlers handlers = {
        .on_open = on_open, .on_message = on_message, .on_closed = on_closed};
    link->state = STATE_CONNECTING;
    int err = msg_sock_connect(&link->sock, link->loop, link->address, &limits, &handlers, link);
    if (err != 0)
        fail(link, err_text(err));
}

static void on_timer(void *arg)
{
    struct shard_link *link = arg;
    if (link->state == STATE_BACKOFF)
        connect_now(link);
    else if (link->state == STATE_UP)
        check_alive(link);
    else
        fail(link, "no challenge in time");
}

// ---- Life ----------------------------------------------------------------------------------------------------------

static void on_release(void *arg)
{
    free(arg);
}

int shard_link_open(struct shard_link **out, struct loop *loop, const struct shard_link_config *config,
                    const struct shard_link_handlers *handlers, void *arg)
{
    size_t len = strlen(config->address);
    if (len >= MEMBER_ADDRESS_SIZE)
        return ERR_MALFORMED;
    struct shard_link *link = calloc(1, sizeof *link);
    if (link == NULL)
        return ERR_NOMEM;
    link->loop = loop;
    memcpy(link->address, config->address, len + 1);
    link->secret = config->secret;
    link->secret_len = config->secret_len;
    link->gateway = config->gateway;
    link->handlers = *handlers;
    link->arg = arg;
    loop_timer_init(&link->timer, loop, on_timer, link);
    loop_deferred_init(&link->release, on_release, link);
    loop_timer_arm_ms(&link->timer, 0);
    *out = link;
    return 0;
}

void shard_link_close(struct shard_link *link)
{
    if (link == NULL || link->state == STATE_CLOSED)
        return;
    link->state = STATE_CLOSED;
    msg_sock_close(link->sock);
    link->sock = NULL;
    loop_timer_disarm(&link->timer);
    loop_defer(link->loop, &link->release);
}

bool shard_link_is_up(const struct shard_link *link)
{
    return link->state == STATE_UP;
}
