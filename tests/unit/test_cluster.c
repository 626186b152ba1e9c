// The whole cluster side of a gateway, against a Redis of its own and a shard that places everything.
#include "check.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/core/pressure.h"
#include "common/io/msg_sock.h"
#include "common/io/rand.h"
#include "common/io/sock.h"
#include "gateway/cluster.h"
#include "proto/link_proto.h"
#include "proto/verdict.h"
#include "redis_server.h"

static const uint8_t secret[] = "a secret of thirty-two characters";

struct scene {
    struct loop *loop;
    struct metrics metrics;
    struct redis_server redis;
    redisContext *admin;

    int listener;
    struct event accept;
    char shard_address[SOCK_TEXT_SIZE];
    struct msg_sock *shard;
    uint8_t shard_nonce[LINK_NONCE_LEN];
    bool hold; // the shard answers nothing
    unsigned forwards, forwarded;
    struct link_draw last;

    struct store *store;
    struct cluster *cluster;
    struct cluster_client client;
    unsigned configs, statuses, verdicts;
    uint64_t erased;
    struct ws_verdict verdict;
    uint32_t online;
    bool read_only;
};

// ---- The shard -----------------------------------------------------------------------------------------------------

static void shard_on_open(void *arg)
{
    struct scene *s = arg;
    uint8_t msg[64];
    rand_bytes(s->shard_nonce, sizeof s->shard_nonce);
    assert_int_equal(msg_sock_send(s->shard, msg, link_encode_challenge(msg, s->shard_nonce)), 0);
}

static void shard_on_forward(struct scene *s, const struct link_message *message)
{
    static uint8_t records[LIMIT_BATCH_DRAWS * LINK_VERDICT_LEN], msg[LIMIT_LINK_MESSAGE];
    s->forwards++;
    s->forwarded += message->count;
    for (uint32_t i = 0; i < message->count; i++) {
        assert_int_equal(link_draw_at(message->records, i, &s->last), 0);
        const struct link_verdict verdict = {
            .id = s->last.id, .seq = 5, .next_nonce = s->last.nonce + 1, .wait_ms = 300000};
        link_put_verdict(records + i * LINK_VERDICT_LEN, &verdict);
    }
    if (!s->hold)
        assert_int_equal(msg_sock_send(s->shard, msg, link_encode_verdicts(msg, records, message->count)), 0);
}

static void shard_on_message(void *arg, const uint8_t *data, size_t len)
{
    struct scene *s = arg;
    struct link_message message;
    uint8_t msg[256], mac[LINK_MAC_LEN];
    assert_int_equal(link_decode(data, len, &message), 0);
    if (message.type == LINK_RESPONSE) {
        assert_int_equal(link_mac_shard(secret, sizeof secret, message.nonce, s->shard_nonce, 7, mac), 0);
        assert_int_equal(msg_sock_send(s->shard, msg, link_encode_accept(msg, mac, 7, 1)), 0);
    } else if (message.type == LINK_FORWARD) {
        shard_on_forward(s, &message);
    } else {
        assert_int_equal(msg_sock_send(s->shard, msg, link_encode_pong(msg, 1)), 0);
    }
}

static void shard_on_closed(void *arg, enum msg_sock_reason reason)
{
    struct scene *s = arg;
    (void)reason;
    msg_sock_close(s->shard);
    s->shard = NULL;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
    static const struct msg_sock_limits limits = {.max_len = LIMIT_LINK_MESSAGE, .high_water = 1 << 20};
    static const struct msg_sock_handlers handlers = {shard_on_open, shard_on_message, shard_on_closed, NULL};
    struct scene *s = arg;
    (void)what;
    int conn = sock_accept(fd, NULL, NULL);
    msg_sock_close(s->shard);
    assert_int_equal(msg_sock_accept(&s->shard, s->loop, conn, &limits, &handlers, s), 0);
}

// ---- Redis ---------------------------------------------------------------------------------------------------------

static void start_redis(struct scene *s)
{
    redis_server_start(&s->redis, NULL);
    s->admin = redisConnect("127.0.0.1", s->redis.port);
    assert_int_equal(s->admin->err, 0);
}

static void stop_redis(struct scene *s)
{
    redisFree(s->admin);
    s->admin = NULL;
    redis_server_kill(&s->redis);
}

static void ask(struct scene *s, const char *command)
{
    redisReply *reply = redisCommand(s->admin, command);
    assert_non_null(reply);
    assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}

// ---- The edge ------------------------------------------------------------------------------------------------------

static void on_verdict(struct cluster_client *client, const struct ws_verdict *verdict, void *arg)
{
    struct scene *s = arg;
    assert_ptr_equal(client, &s->client);
    s->verdicts++;
    s->verdict = *verdict;
}

static void on_config(const struct canvas_config *config, void *arg)
{
    struct scene *s = arg;
    assert_ptr_equal(config, cluster_config(s->cluster));
    s->configs++;
}

static void on_status(uint32_t online, bool read_only, void *arg)
{
    struct scene *s = arg;
    s->statuses++;
    s->online = online;
    s->read_only = read_only;
}

static void on_erased(uint64_t user, void *arg)
{
    struct scene *s = arg;
    s->erased = user;
}

static void start_gateway(struct scene *s, uint32_t cooldown_ms)
{
    struct cluster_options options = {
        .secret = secret,
        .secret_len = sizeof secret,
        .flags = {.version = 1, .geom = {1000, 500, 256}, .cooldown_ms = cooldown_ms, .palette = *palette_default()},
    };
    const struct cluster_events events = {on_verdict, on_config, on_status, on_erased, s};
    const struct store_options store_options = {.address = s->redis.address};
    metrics_init(&s->metrics);
    s->store = store_new(s->loop, &s->metrics, &store_options);
    assert_non_null(s->store);
    s->cluster = cluster_new(s->loop, &s->metrics, s->store, &options, &events);
    assert_non_null(s->cluster);
}

static int setup(void **state)
{
    static struct scene scene;
    scene = (struct scene){.loop = loop_new(), .listener = sock_listen("127.0.0.1:0", 8, false)};
    struct scene *s = *state = &scene;
    redis_server_init(&s->redis);
    snprintf(s->shard_address, sizeof s->shard_address, "127.0.0.1:%u", sock_port(s->listener));
    start_redis(s);
    if (event_assign(&s->accept, loop_base(s->loop), s->listener, EV_READ | EV_PERSIST, on_acceptable, s) != 0)
        return -1;
    return event_add(&s->accept, NULL);
}

static int teardown(void **state)
{
    struct scene *s = *state;
    cluster_free(s->cluster);
    store_free(s->store);
    msg_sock_close(s->shard);
    event_del(&s->accept);
    close(s->listener);
    loop_free(s->loop);
    stop_redis(s);
    return 0;
}

// Turns the loop until the condition holds; fails after 5 s.
#define UNTIL(s, condition)                                                                                            \
    do {                                                                                                               \
        struct monotime end_ = monotime_add_ms(loop_now_exact(), 5000);                                                \
        while (!(condition) && !monotime_reached(end_, loop_now_exact()))                                              \
            loop_run_once((s)->loop, 10);                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)

static void join_shard(struct scene *s, uint64_t view)
{
    redisReply *reply = redisCommand(s->admin, "HSET {cluster}:members view %u s:%s %s", (unsigned)view,
                                     s->shard_address, "0000000000000007 1");
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_VIEW, .view = view});
}

static void make_ready(struct scene *s, uint32_t cooldown_ms)
{
    start_gateway(s, cooldown_ms);
    assert_null(cluster_config(s->cluster));
    assert_string_equal(cluster_not_ready(s->cluster), "no redis");
    UNTIL(s, s->configs == 1);
    assert_string_equal(cluster_not_ready(s->cluster), "no shard");
    join_shard(s, 1);
    UNTIL(s, cluster_not_ready(s->cluster) == NULL);
}

static void draw(struct scene *s, uint16_t x, uint16_t y, uint8_t color, uint32_t nonce)
{
    static const struct addr address = {{[10] = 0xff, 0xff, 192, 0, 2, 7}};
    const struct ws_draw message = {.color = color, .x = x, .y = y, .nonce = nonce};
    cluster_draw(s->cluster, &s->client, &message, 0xabcd, LINK_USER_GUEST, 0x1234, &address);
}

static void expect_refusal(struct scene *s, uint8_t code, uint32_t next_nonce, uint32_t wait_ms)
{
    assert_int_equal(s->verdict.code, code);
    assert_int_equal(s->verdict.next_nonce, next_nonce);
    assert_int_equal(s->verdict.wait_ms, wait_ms);
    assert_int_equal(s->verdict.seq, 0);
    assert_int_equal(s->client.in_flight, 0);
}

// ---- Scenes --------------------------------------------------------------------------------------------------------

static void test_draws(void **state)
{
    struct scene *s = *state;
    make_ready(s, 300000);
    assert_int_equal(cluster_config(s->cluster)->version, 1);
    draw(s, 700, 400, 3, 1);
    assert_int_equal(s->client.in_flight, 1);
    UNTIL(s, s->verdicts == 1);
    assert_int_equal(s->client.in_flight, 0);
    assert_int_equal(s->verdict.code, VERDICT_PLACED);
    assert_int_equal(s->verdict.x, 700);
    assert_int_equal(s->verdict.y, 400);
    assert_int_equal(s->verdict.seq, 5);
    assert_int_equal(s->verdict.next_nonce, 2);
    assert_int_equal(s->verdict.wait_ms, 300000);
    assert_true(s->last.user == 0xabcd);
    assert_true(s->last.connection == 0x1234);
    assert_int_equal(s->last.kind, LINK_USER_GUEST);
    assert_int_equal(s->last.color, 3);
    assert_int_equal(s->last.address.bytes[15], 7);

    // One turn, one message.
    for (uint32_t i = 0; i < 100; i++)
        draw(s, (uint16_t)(i * 9), (uint16_t)(i * 4), 3, 2 + i);
    UNTIL(s, s->verdicts == 101);
    assert_int_equal(s->forwards, 2);
    assert_int_equal(s->forwarded, 101);

    // The link breaks under a draw: it is sent again.
    s->hold = true;
    draw(s, 0, 0, 3, 1);
    UNTIL(s, s->forwards == 3);
    s->hold = false;
    msg_sock_close(s->shard);
    s->shard = NULL;
    UNTIL(s, s->verdicts == 102);
    assert_int_equal(s->forwards, 4);

    // Its client has left: nothing comes.
    draw(s, 0, 0, 3, 1);
    cluster_forget(s->cluster, &s->client);
    UNTIL(s, s->forwards == 5);
    loop_run_once(s->loop, 50);
    assert_int_equal(s->verdicts, 102);
}

static void test_refuses_by_itself(void **state)
{
    struct scene *s = *state;
    make_ready(s, 5000);
    draw(s, 0, 0, 32, 4);
    expect_refusal(s, VERDICT_BAD_COLOR, 4, 0);
    draw(s, 1000, 0, 31, 4);
    expect_refusal(s, VERDICT_OUT_OF_BOUNDS, 4, 0);
    draw(s, 0, 500, 31, 4);
    expect_refusal(s, VERDICT_OUT_OF_BOUNDS, 4, 0);
    ask(s, "HSET {cluster}:config read_only 1 version 2");
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_ERASED, .user = 99});
    assert_int_equal(s->erased, 99);
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_CONFIG, .version = 2});
    UNTIL(s, s->configs == 2);
    assert_true(s->read_only);
    assert_true(cluster_read_only(s->cluster));
    draw(s, 0, 0, 31, 4);
    expect_refusal(s, VERDICT_READ_ONLY, 4, 5000);
    ask(s, "HSET {cluster}:config read_only 0 version 3 cooldown_ms 0");
    cluster_on_bus(s->cluster, NULL);
    UNTIL(s, s->configs == 3);
    assert_false(s->read_only);
    draw(s, 0, 0, 32, 4);
    expect_refusal(s, VERDICT_BAD_COLOR, 4, 0);
    assert_int_equal(s->verdicts, 5);
    assert_int_equal(s->forwards, 0);
}

static void test_beat(void **state)
{
    struct scene *s = *state;
    make_ready(s, 0);
    cluster_set_connections(s->cluster, 12);
    ask(s, "HSET {cluster}:config version 9");
    UNTIL(s, s->online == 12);
    assert_int_equal(cluster_online(s->cluster), 12);
    // The beat also says that there is a newer configuration.
    UNTIL(s, s->configs == 2);
    assert_int_equal(cluster_config(s->cluster)->version, 9);

    redisReply *info = redisCommand(s->admin, "INFO memory");
    struct pressure pressure;
    assert_int_equal(pressure_parse(&pressure, info->str, info->len), 0);
    freeReplyObject(info);
    char command[64];
    snprintf(command, sizeof command, "CONFIG SET maxmemory %u", (unsigned)(pressure.used_bytes / 9 * 10));
    ask(s, command);
    UNTIL(s, s->read_only);
    ask(s, "CONFIG SET maxmemory 0");
    UNTIL(s, !s->read_only);

    // So full that only the beat is taken.
    ask(s, "CONFIG SET maxmemory 1");
    UNTIL(s, s->read_only);
    ask(s, "CONFIG SET maxmemory 0");
    UNTIL(s, !s->read_only);
}

static void test_redis_goes_and_comes(void **state)
{
    struct scene *s = *state;
    make_ready(s, 0);
    stop_redis(s);
    UNTIL(s, cluster_not_ready(s->cluster) != NULL);
    assert_string_equal(cluster_not_ready(s->cluster), "no redis");
    draw(s, 0, 0, 1, 1);
    UNTIL(s, s->verdicts == 1);
    start_redis(s);
    UNTIL(s, store_ready(s->store));
    join_shard(s, 1);
    UNTIL(s, cluster_not_ready(s->cluster) == NULL);
    ask(s, "HSET {cluster}:config version 2");
    cluster_on_bus(s->cluster, NULL);
    UNTIL(s, s->configs == 2);
}

// ---- What the store reads of tiles and users -----------------------------------------------------------------------

struct answers {
    unsigned count;
    int err;
    struct store_snapshot snapshot;
    struct store_position position;
    struct user_record user;
    uint64_t now_ms;
    size_t entries;
    uint32_t first, last;
};

static void on_snapshot(int err, const struct store_snapshot *snapshot, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    if (err != 0)
        return;
    a->snapshot = *snapshot;
    assert_int_equal(snapshot->len, 3);
    assert_memory_equal(snapshot->px, "abc", 3);
}

static void on_position(int err, const struct store_position *position, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    if (err == 0)
        a->position = *position;
}

static void on_user(int err, const struct store_user *user, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    a->now_ms = err == 0 ? user->now_ms : 0;
    if (err == 0)
        a->user = user->record;
}

static void on_log(int err, const struct store_entry *entries, size_t count, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    a->entries = count;
    a->first = count > 0 ? entries[0].first : 0;
    a->last = count > 0 ? entries[count - 1].first + entries[count - 1].count - 1 : 0;
}

static void on_any_state(bool ready, void *arg)
{
    (void)ready;
    (*(unsigned *)arg)++;
}

static void test_listeners_of_the_store_are_bounded(void **state)
{
    struct scene *s = *state;
    unsigned told = 0, nobody = 0;
    start_gateway(s, 0); // the cluster listens
    for (unsigned i = 1; i < STORE_LISTENERS_MAX; i++)
        assert_int_equal(store_on_state(s->store, on_any_state, &told), 0);
    assert_int_equal(store_on_state(s->store, on_any_state, &nobody), ERR_FULL);
    UNTIL(s, store_ready(s->store));
    assert_true(told == STORE_LISTENERS_MAX - 1 && nobody == 0);
    store_abandon(s->store, &told);
    assert_int_equal(store_on_state(s->store, on_any_state, &told), 0);
}

static void test_store_reads(void **state)
{
    struct scene *s = *state;
    struct answers a = {0};
    const struct tile tile = {1, 2};
    start_gateway(s, 0);
    store_snapshot(s->store, tile, on_snapshot, &a);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.err, ERR_CLOSED);
    UNTIL(s, store_ready(s->store));
    ask(s, "HSET {t:1:2}:meta p 1700000000123 s 6 k 00000000000000aa ks 5");
    ask(s, "SET {t:1:2}:px abc");
    ask(s, "XADD {t:1:2}:log 2-0 l 1 e 1700000000000 t 5 f 1 u abcdef");
    ask(s, "XADD {t:1:2}:log 6-0 l 1 e 1700000000123 t 5 f 3 u abcdefabcdef");
    store_snapshot(s->store, tile, on_snapshot, &a);
    store_position(s->store, tile, on_position, &a);
    store_user(s->store, 7, on_user, &a);
    store_log(s->store, tile, 0, 10, on_log, &a);
    assert_int_equal(a.count, 1);
    UNTIL(s, a.count == 5);
    assert_int_equal(a.err, 0);
    assert_true(a.snapshot.pos.epoch == 1700000000123u && a.snapshot.pos.seq == 6);
    assert_true(a.position.pos.seq == 6 && a.position.has_checksum && a.position.checksum == 0xaa);
    assert_int_equal(a.user.nonce, 0);
    assert_true(a.now_ms > 1700000000000u);
    assert_true(a.entries == 2 && a.first == 1 && a.last == 6);

    // From the entry that ends at a position, that one included; and no more than was asked for.
    store_log(s->store, tile, 2, 1, on_log, &a);
    UNTIL(s, a.count == 6);
    assert_true(a.entries == 1 && a.first == 1 && a.last == 2);
    store_log(s->store, tile, 3, 10, on_log, &a);
    UNTIL(s, a.count == 7);
    assert_true(a.entries == 1 && a.first == 3);

    // What Redis has is not what REDIS.md says.
    ask(s, "HSET {t:1:2}:meta s x");
    store_position(s->store, tile, on_position, &a);
    UNTIL(s, a.count == 8);
    assert_int_equal(a.err, ERR_MALFORMED);
    ask(s, "SET {t:1:2}:log x");
    store_log(s->store, tile, 0, 10, on_log, &a);
    UNTIL(s, a.count == 9);
    assert_int_equal(a.err, ERR_IO);

    // Redis goes while a question is under way; and one that nobody wants answered any more.
    struct answers gone = {0};
    redis_server_freeze(&s->redis, 1);
    store_user(s->store, 7, on_user, &a);
    store_user(s->store, 7, on_user, &gone);
    loop_run_once(s->loop, 10);
    store_abandon(s->store, &gone);
    redis_server_freeze(&s->redis, 0);
    stop_redis(s);
    UNTIL(s, a.count == 10);
    start_redis(s);
    UNTIL(s, store_ready(s->store));
    assert_int_equal(gone.count, 0);
}

static void test_freed_at_any_time(void **state)
{
    struct scene *s = *state;
    start_gateway(s, 0);
    UNTIL(s, store_ready(s->store));
    // Questions are under way.
    cluster_on_bus(s->cluster, NULL);
    cluster_free(s->cluster);
    s->cluster = NULL;
    for (int i = 0; i < 10; i++)
        loop_run_once(s->loop, 10);
    assert_int_equal(s->configs, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_draws, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_redis_goes_and_comes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listeners_of_the_store_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_freed_at_any_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
