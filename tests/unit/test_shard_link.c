// The link against a shard that does as the scene says.
#include "check.h"

#include "common/io/rand.h"
#include "fake_shard.h"
#include "gateway/shard_link.h"

#define GATEWAY 0x1122334455667788u

static const uint8_t other_secret[] = "another one of thirty-two letters";

// What the fake shard does wrong.
enum manner { POLITE, SILENT, NO_ACCEPT, OTHER_SECRET, OTHER_VERSION, ACCEPTS_FIRST, HALF_CHALLENGE, MUTE };

struct scene {
    struct loop *loop;
    struct fake_shard shard;
    enum manner manner;
    unsigned pings, forwards;
    struct link_message forward;
    uint8_t records[LIMIT_BATCH_DRAWS * LINK_DRAW_LEN];

    struct shard_link *link;
    unsigned ups, downs, verdicts, not_owners, pongs;
    uint64_t view, incarnation;
    int answer; // of the handlers of records
    bool close_in_handler;
};

// ---- The shard -----------------------------------------------------------------------------------------------------

static void shard_challenge(struct scene *s)
{
    uint8_t msg[256];
    rand_bytes(s->shard.nonce, sizeof s->shard.nonce);
    size_t len = link_encode_challenge(msg, s->shard.nonce);
    if (s->manner == OTHER_VERSION) {
        assert_int_equal(msg[2], LINK_PROTO_VERSION);
        msg[2]++;
    }
    fake_shard_send(&s->shard, msg, s->manner == HALF_CHALLENGE ? len - 1 : len);
}

static void shard_accept(struct scene *s, const uint8_t *gateway_nonce)
{
    uint8_t msg[256], mac[LINK_MAC_LEN];
    const uint8_t *key = s->manner == OTHER_SECRET ? other_secret : fake_shard_secret;
    assert_int_equal(link_mac_shard(key, sizeof fake_shard_secret, gateway_nonce, s->shard.nonce, 77, mac), 0);
    fake_shard_send(&s->shard, msg, link_encode_accept(msg, mac, 77, 5));
}

static void shard_on_open(void *arg)
{
    struct scene *s = arg;
    static const uint8_t zero[LINK_NONCE_LEN];
    if (s->manner == ACCEPTS_FIRST)
        shard_accept(s, zero);
    else if (s->manner != SILENT)
        shard_challenge(s);
}

static void shard_on_response(struct scene *s, const struct link_message *message)
{
    uint8_t mac[LINK_MAC_LEN];
    assert_int_equal(message->version, LINK_PROTO_VERSION);
    assert_true(message->gateway == GATEWAY);
    assert_int_equal(
        link_mac_gateway(fake_shard_secret, sizeof fake_shard_secret, s->shard.nonce, message->nonce, GATEWAY, mac), 0);
    assert_memory_equal(mac, message->mac, LINK_MAC_LEN);
    if (s->manner != NO_ACCEPT)
        shard_accept(s, message->nonce);
}

static void shard_on_message(void *arg, const uint8_t *data, size_t len)
{
    struct scene *s = arg;
    struct link_message message;
    uint8_t msg[64];
    assert_int_equal(link_decode(data, len, &message), 0);
    switch (message.type) {
    case LINK_RESPONSE:
        shard_on_response(s, &message);
        break;
    case LINK_PING:
        s->pings++;
        if (s->manner != MUTE)
            fake_shard_send(&s->shard, msg, link_encode_pong(msg, 6));
        break;
    case LINK_FORWARD:
        s->forwards++;
        s->forward = message;
        memcpy(s->records, message.records, message.count * LINK_DRAW_LEN);
        break;
    default:
        fail();
    }
}

// ---- The owner of the link -----------------------------------------------------------------------------------------

static void on_up(void *arg, uint64_t incarnation, uint64_t view)
{
    struct scene *s = arg;
    assert_true(shard_link_is_up(s->link));
    s->ups++;
    s->incarnation = incarnation;
    s->view = view;
}

static void on_down(void *arg)
{
    struct scene *s = arg;
    assert_false(shard_link_is_up(s->link));
    s->downs++;
}

static void maybe_close(struct scene *s)
{
    if (s->close_in_handler) {
        shard_link_close(s->link);
        s->link = NULL;
    }
}

static int on_verdicts(void *arg, const uint8_t *records, uint32_t count)
{
    struct scene *s = arg;
    struct link_verdict verdict;
    link_verdict_at(records, count - 1, &verdict);
    assert_int_equal(verdict.id, count);
    s->verdicts++;
    maybe_close(s);
    return s->answer;
}

static int on_not_owner(void *arg, uint64_t view, const uint8_t *records, uint32_t count)
{
    struct scene *s = arg;
    assert_int_equal(link_id_at(records, count - 1), count);
    s->view = view;
    s->not_owners++;
    return s->answer;
}

static void on_pong(void *arg, uint64_t view)
{
    struct scene *s = arg;
    s->view = view;
    s->pongs++;
}

static void open_link(struct scene *s)
{
    static const struct shard_link_handlers handlers = {on_up, on_down, on_verdicts, on_not_owner, on_pong};
    const struct shard_link_config config = {.address = s->shard.address,
                                             .secret = fake_shard_secret,
                                             .secret_len = sizeof fake_shard_secret,
                                             .gateway = GATEWAY};
    assert_int_equal(shard_link_open(&s->link, s->loop, &config, &handlers, s), 0);
}

static int setup(void **state)
{
    static struct scene scene;
    scene = (struct scene){.loop = loop_new(), .shard = {.on_open = shard_on_open, .on_message = shard_on_message}};
    struct scene *s = *state = &scene;
    s->shard.arg = s;
    assert_non_null(s->loop);
    fake_shard_begin(&s->shard, s->loop);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    shard_link_close(s->link);
    fake_shard_end(&s->shard);
    loop_free(s->loop);
    return 0;
}

// Turns the loop until the count is reached, or for that long.
static void turn_until(struct scene *s, const unsigned *count, unsigned wanted)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), 20000);
    while (*count < wanted && !monotime_reached(end, loop_now_exact()))
        loop_run_once(s->loop, 10);
    assert_true(*count >= wanted);
}

static void turn_ms(struct scene *s, int64_t ms)
{
    struct monotime end = monotime_add_ms(loop_now_exact(), ms);
    while (!monotime_reached(end, loop_now_exact()))
        loop_run_once(s->loop, 10);
}

// ---- Scenes --------------------------------------------------------------------------------------------------------

static void send_verdicts(struct scene *s, uint32_t count)
{
    static uint8_t records[LIMIT_BATCH_DRAWS * LINK_VERDICT_LEN], msg[LIMIT_LINK_MESSAGE];
    for (uint32_t i = 0; i < count; i++)
        link_put_verdict(records + i * LINK_VERDICT_LEN, &(struct link_verdict){.id = i + 1});
    fake_shard_send(&s->shard, msg, link_encode_verdicts(msg, records, count));
}

static void test_talks(void **state)
{
    struct scene *s = *state;
    open_link(s);
    turn_until(s, &s->ups, 1);
    assert_true(s->incarnation == 77);
    assert_true(s->view == 5);

    static uint8_t draws[LIMIT_BATCH_DRAWS * LINK_DRAW_LEN];
    rand_bytes(draws, sizeof draws);
    shard_link_forward(s->link, 9, 3, draws, LIMIT_BATCH_DRAWS);
    turn_until(s, &s->forwards, 1);
    assert_int_equal(s->forward.count, LIMIT_BATCH_DRAWS);
    assert_int_equal(s->forward.refusals, 3);
    assert_true(s->forward.view == 9);
    assert_memory_equal(s->records, draws, sizeof draws);

    send_verdicts(s, LIMIT_BATCH_DRAWS);
    turn_until(s, &s->verdicts, 1);
    uint8_t id[LINK_ID_LEN], msg[64];
    link_put_id(id, 1);
    fake_shard_send(&s->shard, msg, link_encode_not_owner(msg, 8, id, 1));
    turn_until(s, &s->not_owners, 1);
    assert_true(s->view == 8);
    assert_int_equal(s->downs, 0);
    assert_int_equal(s->shard.connections, 1);
}

static void test_comes_back(void **state)
{
    struct scene *s = *state;
    open_link(s);
    for (unsigned i = 1; i <= 3; i++) {
        turn_until(s, &s->ups, i);
        fake_shard_hang_up(&s->shard);
        turn_until(s, &s->downs, i);
    }
    turn_until(s, &s->ups, 4);

    // Nobody listens for a while.
    fake_shard_deafen(&s->shard);
    fake_shard_hang_up(&s->shard);
    turn_until(s, &s->downs, 4);
    turn_ms(s, 300);
    fake_shard_listen(&s->shard);
    turn_until(s, &s->ups, 5);
}

// Never up, tried again and again, but not in a rush.
static void never_up(struct scene *s, enum manner manner)
{
    s->manner = manner;
    unsigned before = s->shard.connections;
    if (s->link == NULL)
        open_link(s);
    turn_ms(s, 400);
    assert_int_equal(s->ups, 0);
    assert_int_equal(s->downs, 0);
    assert_in_range(s->shard.connections - before, 1, 14);
    shard_link_close(s->link);
    s->link = NULL;
    turn_ms(s, 20);
}

static void test_wrong_challenge(void **state)
{
    never_up(*state, OTHER_SECRET);
    never_up(*state, OTHER_VERSION);
    never_up(*state, ACCEPTS_FIRST);
    never_up(*state, HALF_CHALLENGE);

    // And then one that is as it should be.
    struct scene *s = *state;
    s->manner = POLITE;
    open_link(s);
    turn_until(s, &s->ups, 1);
}

static void test_nonsense_breaks_it(void **state)
{
    struct scene *s = *state;
    uint8_t msg[256];
    open_link(s);
    turn_until(s, &s->ups, 1);
    shard_challenge(s); // out of place now
    turn_until(s, &s->downs, 1);
    turn_until(s, &s->ups, 2);
    fake_shard_send(&s->shard, msg, link_encode_ping(msg)); // the gateway's to send
    turn_until(s, &s->downs, 2);
    turn_until(s, &s->ups, 3);
    fake_shard_send(&s->shard, (const uint8_t *)"\x92\x05", 2);
    turn_until(s, &s->downs, 3);
    turn_until(s, &s->ups, 4);
    s->answer = ERR_MALFORMED; // well-formed, but the owner of the link knows better
    send_verdicts(s, 1);
    turn_until(s, &s->downs, 4);
    turn_until(s, &s->ups, 5);
}

static void test_closed_in_its_own_callback(void **state)
{
    struct scene *s = *state;
    open_link(s);
    turn_until(s, &s->ups, 1);
    s->close_in_handler = true;
    s->answer = ERR_MALFORMED;
    send_verdicts(s, 1);
    send_verdicts(s, 1);
    turn_ms(s, 100);
    assert_int_equal(s->verdicts, 1);
    assert_int_equal(s->downs, 0);
    assert_null(s->shard.sock);
}

static void test_alive_and_lost(void **state)
{
    struct scene *s = *state;
    open_link(s);
    turn_until(s, &s->ups, 1);
    turn_until(s, &s->pongs, 1);
    assert_true(s->view == 6);

    // A shard that is silent is asked, also while draws go to it, and given up after 3 s.
    s->manner = MUTE;
    struct monotime begin = loop_now_exact();
    uint8_t draw[LINK_DRAW_LEN] = {0};
    while (s->downs == 0 && monotime_diff_ms(loop_now_exact(), begin) < 10000) {
        shard_link_forward(s->link, 1, 0, draw, 1);
        loop_run_once(s->loop, 50);
    }
    assert_in_range(monotime_diff_ms(loop_now_exact(), begin), 1900, 6000);
    assert_true(s->pings >= 3);
    assert_int_equal(s->downs, 1);
}

static void test_no_challenge_in_time(void **state)
{
    struct scene *s = *state;
    s->manner = SILENT;
    open_link(s);
    turn_until(s, &s->shard.connections, 1);
    turn_ms(s, 4800);
    assert_int_equal(s->shard.connections, 1);
    turn_until(s, &s->shard.connections, 2);
    assert_int_equal(s->ups, 0);
}

static void test_too_long_an_address(void **state)
{
    struct scene *s = *state;
    const struct shard_link_handlers handlers = {on_up, on_down, on_verdicts, on_not_owner, on_pong};
    const struct shard_link_config config = {.address =
                                                 "0123456789012345678901234567890123456789012345678901234567890123:1",
                                             .secret = fake_shard_secret,
                                             .secret_len = sizeof fake_shard_secret};
    assert_int_equal(shard_link_open(&s->link, s->loop, &config, &handlers, s), ERR_MALFORMED);
    assert_null(s->link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_talks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_challenge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense_breaks_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_in_its_own_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_alive_and_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_challenge_in_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_long_an_address, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
