#include "tests/unit/cluster_scene.h"

#include "common/io/rand.h"

// ---- The shard -----------------------------------------------------------------------------------------------------

static void shard_on_open(void *arg)
{
    struct scene *s = arg;
    uint8_t msg[64];
    rand_bytes(s->shard.nonce, sizeof s->shard.nonce);
    fake_shard_send(&s->shard, msg, link_encode_challenge(msg, s->shard.nonce));
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
        fake_shard_send(&s->shard, msg, link_encode_verdicts(msg, records, message->count));
}

static void shard_on_message(void *arg, const uint8_t *data, size_t len)
{
    struct scene *s = arg;
    struct link_message message;
    uint8_t msg[256], mac[LINK_MAC_LEN];
    assert_int_equal(link_decode(data, len, &message), 0);
    if (message.type == LINK_RESPONSE) {
        assert_int_equal(
            link_mac_shard(fake_shard_secret, sizeof fake_shard_secret, message.nonce, s->shard.nonce, 7, mac), 0);
        fake_shard_send(&s->shard, msg, link_encode_accept(msg, mac, 7, 1));
    } else if (message.type == LINK_FORWARD) {
        shard_on_forward(s, &message);
    } else {
        fake_shard_send(&s->shard, msg, link_encode_pong(msg, 1));
    }
}

// ---- Redis ---------------------------------------------------------------------------------------------------------

void scene_start_redis(struct scene *s)
{
    redis_server_start(&s->redis, NULL);
    s->admin = redisConnect("127.0.0.1", s->redis.port);
    assert_int_equal(s->admin->err, 0);
}

void scene_stop_redis(struct scene *s)
{
    redisFree(s->admin);
    s->admin = NULL;
    redis_server_kill(&s->redis);
}

void scene_ask(struct scene *s, const char *command)
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

void scene_start_gateway(struct scene *s, uint32_t cooldown_ms)
{
    struct cluster_options options = {
        .secret = fake_shard_secret,
        .secret_len = sizeof fake_shard_secret,
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

int scene_begin(void **state)
{
    static struct scene scene;
    scene = (struct scene){.loop = loop_new(), .shard = {.on_open = shard_on_open, .on_message = shard_on_message}};
    struct scene *s = *state = &scene;
    s->shard.arg = s;
    redis_server_init(&s->redis);
    scene_start_redis(s);
    fake_shard_begin(&s->shard, s->loop);
    return 0;
}

int scene_end(void **state)
{
    struct scene *s = *state;
    cluster_free(s->cluster);
    store_free(s->store);
    fake_shard_end(&s->shard);
    loop_free(s->loop);
    scene_stop_redis(s);
    return 0;
}

void scene_join_shard(struct scene *s, uint64_t view)
{
    redisReply *reply = redisCommand(s->admin, "HSET {cluster}:members view %u s:%s %s", (unsigned)view,
                                     s->shard.address, "0000000000000007 1");
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    freeReplyObject(reply);
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_VIEW, .view = view});
}

void scene_make_ready(struct scene *s, uint32_t cooldown_ms)
{
    scene_start_gateway(s, cooldown_ms);
    assert_null(cluster_config(s->cluster));
    assert_string_equal(cluster_not_ready(s->cluster), "no redis");
    SCENE_UNTIL(s, s->configs == 1);
    assert_string_equal(cluster_not_ready(s->cluster), "no shard");
    scene_join_shard(s, 1);
    SCENE_UNTIL(s, cluster_not_ready(s->cluster) == NULL);
}

void scene_draw(struct scene *s, uint16_t x, uint16_t y, uint8_t color, uint32_t nonce)
{
    static const struct addr address = {{[10] = 0xff, 0xff, 192, 0, 2, 7}};
    const struct ws_draw message = {.color = color, .x = x, .y = y, .nonce = nonce};
    cluster_draw(s->cluster, &s->client, &message, 0xabcd, LINK_USER_GUEST, 0x1234, &address);
}
