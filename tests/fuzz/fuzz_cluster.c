// A gateway's side of the cluster, between shards and a Redis that say anything: the challenge, VERDICTS and NOT_OWNER,
// the bus, and replies that are right, nearly right or nonsense. What must hold: every message to a shard is one, every
// draw has one verdict and every question one answer, every connection is closed once, and nothing is left.
//
//   steps: what u8, and what the step takes
#include <stdlib.h>
#include <string.h>

#include "common/io/msg_sock.h"
#include "gateway/bus.h"
#include "gateway/cluster.h"
#include "gateway/store.h"
#include "proto/keys.h"
#include "proto/link_proto.h"
#include "proto/lua_scripts.h"
#include "proto/verdict.h"
#include "tests/fuzz/cluster_ask.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mem_dial.h"
#include "tests/fuzz/mem_redis.h"
#include "tests/fuzz/mem_sock.h"
#include "tests/fuzz/mem_world.h"
#include "tests/fuzz/redis_state.h"
#include "tests/fuzz/redis_steps.h"
#include "tests/unit/fake_loop.h"

#define SHARDS 2 // connections that are looked at
#define CLIENTS 3
#define STEPS_MAX 300
#define IDS 512
#define HEAP_MAX (8u << 20)

static const uint8_t secret[32] = "tests/fuzz: a secret of 32 bytes";

// The far end of a link.
struct shard {
    int fd; // 0: none
    bool responded;
    uint8_t own_nonce[LINK_NONCE_LEN], gateway_nonce[LINK_NONCE_LEN];
    uint32_t ids[IDS]; // that were forwarded and not answered
    unsigned id_count;
};

static struct {
    struct store *store;
    struct bus *bus;
    struct cluster *cluster;
    struct metrics metrics;
    struct redis_state redis;
    struct shard shards[SHARDS];
    struct cluster_client clients[CLIENTS];
    unsigned waiting[CLIENTS]; // draws without a verdict
    size_t heap;
} run;

// ---- What the gateway is told ---------------------------------------------------------------------------------------

static void on_verdict(struct cluster_client *client, const struct ws_verdict *verdict, void *arg)
{
    size_t i = (size_t)(client - run.clients);
    (void)arg;
    FUZZ_CHECK(i < CLIENTS && run.waiting[i] > 0 && verdict->code < VERDICT_COUNT);
    run.waiting[i]--;
}

static void on_config(const struct canvas_config *config, void *arg)
{
    (void)arg;
    FUZZ_CHECK(geom_valid(&config->geom) && config->palette.count >= PALETTE_COLORS_MIN);
}

static void on_status(uint32_t online, bool read_only, void *arg)
{
    (void)online;
    (void)read_only;
    (void)arg;
}

static void on_erased(uint64_t user, void *arg)
{
    (void)arg;
    FUZZ_CHECK(user != 0);
}

static void on_bus_up(void *arg)
{
    (void)arg;
    cluster_on_bus(run.cluster, NULL);
    for (uint16_t i = 0; i < 3; i++)
        (void)!bus_subscribe(run.bus, (struct tile){i, 1});
}

static void on_bus_down(void *arg)
{
    (void)arg;
}

static void on_bus_open(struct tile tile, void *arg)
{
    (void)arg;
    if (tile.tx == 2)
        bus_unsubscribe(run.bus, tile);
}

static void on_bus_message(struct tile tile, const struct bus_message *message, void *arg)
{
    (void)tile;
    (void)arg;
    FUZZ_CHECK(message->type == BUS_UPDATE || message->type == BUS_POSITION);
}

static void on_bus_cluster(const struct bus_message *message, void *arg)
{
    (void)arg;
    cluster_on_bus(run.cluster, message);
}

// ---- The shards' side -----------------------------------------------------------------------------------------------

static void read_message(struct shard *shard, const uint8_t *bytes, size_t len)
{
    struct link_message message;
    struct link_draw draw;
    FUZZ_CHECK(link_decode(bytes, len, &message) == 0);
    FUZZ_CHECK((message.type == LINK_RESPONSE) == !shard->responded);
    shard->responded = true;
    if (message.type == LINK_RESPONSE)
        memcpy(shard->gateway_nonce, message.nonce, LINK_NONCE_LEN);
    for (uint32_t i = 0; i < message.count && message.type == LINK_FORWARD; i++) {
        FUZZ_CHECK(link_draw_at(message.records, i, &draw) == 0);
        for (unsigned k = 0; k < shard->id_count; k++)
            FUZZ_CHECK(shard->ids[k] != draw.id);
        if (shard->id_count < IDS)
            shard->ids[shard->id_count++] = draw.id;
    }
}

static void look(void)
{
    for (unsigned i = 0; i < SHARDS; i++) {
        struct shard *shard = &run.shards[i];
        size_t len = 0, at = 0;
        const uint8_t *out = shard->fd != 0 ? mem_sock_out(shard->fd, &len) : NULL;
        while (len - at >= MSG_SOCK_HEAD_LEN) {
            size_t said = (size_t)out[at] << 24 | (size_t)out[at + 1] << 16 | (size_t)out[at + 2] << 8 | out[at + 3];
            FUZZ_CHECK(said <= LIMIT_LINK_MESSAGE);
            if (len - at - MSG_SOCK_HEAD_LEN < said)
                break;
            read_message(shard, out + at + MSG_SOCK_HEAD_LEN, said);
            at += MSG_SOCK_HEAD_LEN + said;
        }
        if (shard->fd != 0)
            mem_sock_eat(shard->fd, at);
        if (shard->fd != 0 && !mem_sock_is_open(shard->fd))
            shard->fd = 0;
    }
    FUZZ_CHECK(fuzz_heap() <= run.heap + HEAP_MAX);
}

static void feed_message(int fd, const uint8_t *bytes, size_t len)
{
    const uint8_t head[MSG_SOCK_HEAD_LEN] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};
    mem_sock_feed(fd, head, sizeof head);
    mem_sock_feed(fd, bytes, len);
}

static void accept_gateway(struct shard *shard)
{
    uint8_t message[256], mac[LINK_MAC_LEN];
    FUZZ_CHECK(link_mac_shard(secret, sizeof secret, shard->gateway_nonce, shard->own_nonce, 9, mac) == 0);
    feed_message(shard->fd, message, link_encode_accept(message, mac, 9, run.redis.view));
}

// What was forwarded, answered from the oldest on.
static void answer_draws(struct shard *shard, struct fuzz_in *in)
{
    uint8_t records[64 * LINK_VERDICT_LEN], message[sizeof records + 64];
    uint32_t count = fuzz_below(in, 64);
    uint8_t odd = fuzz_u8(in);
    bool refused = (odd & 1) != 0;
    count = count < shard->id_count ? count : shard->id_count;
    for (uint32_t i = 0; i < count; i++) {
        const struct link_verdict verdict = {.id = shard->ids[i], .code = odd >> 4, .seq = odd, .next_nonce = odd};
        if (refused)
            link_put_id(records + i * LINK_ID_LEN, verdict.id);
        else
            link_put_verdict(records + i * LINK_VERDICT_LEN, &verdict);
    }
    if (count == 0)
        return;
    shard->id_count -= count;
    memmove(shard->ids, shard->ids + count, shard->id_count * sizeof shard->ids[0]);
    feed_message(shard->fd, message,
                 refused ? link_encode_not_owner(message, run.redis.view + (odd >> 7), records, count)
                         : link_encode_verdicts(message, records, count));
}

static void step_shard(struct shard *shard, unsigned what, struct fuzz_in *in)
{
    uint8_t message[64];
    size_t len;
    const uint8_t *bytes;
    if (shard->fd == 0) {
        int fd = mem_dial_waits("10.") ? mem_sock_open() : -1;
        *shard = (struct shard){.fd = fd >= 0 ? fd : 0};
        if (fd >= 0)
            (void)mem_dial_answer("10.", fd);
        return;
    }
    switch (what) {
    case 0:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        mem_sock_feed(shard->fd, bytes, len);
        break;
    case 1:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        feed_message(shard->fd, bytes, len);
        break;
    case 2:
        feed_message(shard->fd, message, link_encode_challenge(message, shard->own_nonce));
        break;
    case 3:
        accept_gateway(shard);
        break;
    case 4:
        answer_draws(shard, in);
        break;
    case 5:
        feed_message(shard->fd, message, link_encode_pong(message, run.redis.view + fuzz_below(in, 2)));
        break;
    case 6:
        mem_sock_end(shard->fd);
        break;
    default:
        mem_sock_room(shard->fd, fuzz_below(in, 4) * 50u);
        break;
    }
}

// ---- The gateway's own ----------------------------------------------------------------------------------------------

static void draw(struct fuzz_in *in)
{
    static const struct addr address = {{[15] = 1}};
    unsigned i = fuzz_below(in, CLIENTS);
    const struct ws_draw asked = {
        .color = fuzz_u8(in) % 4, .x = fuzz_u8(in), .y = fuzz_u8(in) % 210, .nonce = 1 + fuzz_u8(in)};
    if (run.waiting[i] >= 200)
        return;
    run.waiting[i]++;
    cluster_draw(run.cluster, &run.clients[i], &asked, 1 + i, LINK_USER_GUEST, 7, &address);
}

static void forget(struct fuzz_in *in)
{
    unsigned i = fuzz_below(in, CLIENTS);
    cluster_forget(run.cluster, &run.clients[i]);
    run.clients[i] = (struct cluster_client){0};
    run.waiting[i] = 0;
}

static void push(struct fuzz_in *in)
{
    static const char *const channels[] = {CHANNEL_CLUSTER, "{t:1:1}:bus", "{t:2:1}:bus", "x"};
    redis_steps_push(channels[fuzz_below(in, 4)], in);
}

static void right(struct resp *resp, const struct mem_redis_command *command, struct fuzz_in *in)
{
    cluster_ask_reply(&run.redis, command, resp, in);
}

static void step_world(unsigned what, struct fuzz_in *in)
{
    static const struct redis_steps steps = {
        {0, 1000, 20000, 100000, 600000, 1100000, 2500000, 6000000}, right, 0, &run.redis};
    if (redis_steps_step(&steps, what, in))
        return;
    switch (what) {
    case 7:
        push(in);
        break;
    case 10:
        cluster_ask(run.store, in);
        break;
    case 11:
        draw(in);
        break;
    case 12:
        forget(in);
        break;
    default:
        (void)mem_dial_answer("10.", -1);
        break;
    }
}

// ---- A run ----------------------------------------------------------------------------------------------------------

static void begin(uint8_t setup)
{
    static struct canvas_config canvas = {.geom = {REDIS_STATE_WIDTH, REDIS_STATE_WIDTH, 64}};
    const struct cluster_events events = {
        .on_verdict = on_verdict, .on_config = on_config, .on_status = on_status, .on_erased = on_erased};
    const struct bus_events bus_events = {on_bus_up, on_bus_down, on_bus_open, on_bus_message, on_bus_cluster, NULL};
    canvas.palette = *palette_default();
    mem_world_reset();
    mem_redis_reset();
    FUZZ_CHECK(!mem_dial_waits(""));
    metrics_init(&run.metrics);
    run.redis = (struct redis_state){.version = 1,
                                     .cooldown_ms = (setup & 1) != 0 ? 0 : 5000,
                                     .view = 1,
                                     .address = "10.0.0.1:7000",
                                     .incarnation = 9};
    memset(run.shards, 0, sizeof run.shards);
    memset(run.clients, 0, sizeof run.clients);
    memset(run.waiting, 0, sizeof run.waiting);
    run.heap = fuzz_heap();
    run.store = store_new(fake_loop(), &run.metrics, &(struct store_options){MEM_REDIS_ADDRESS, "", ""});
    const struct cluster_options options = {.secret = secret, .secret_len = sizeof secret, .flags = canvas};
    run.cluster = cluster_new(fake_loop(), &run.metrics, run.store, &options, &events);
    run.bus = bus_new(fake_loop(), &(struct bus_options){MEM_REDIS_ADDRESS, "", ""}, &bus_events);
    FUZZ_CHECK(run.store != NULL && run.cluster != NULL && run.bus != NULL);
}

// Every draw has its verdict after 3 s, whatever has become of it.
static void end(void)
{
    mem_world_turn(4000000);
    for (unsigned i = 0; i < CLIENTS; i++)
        FUZZ_CHECK(run.waiting[i] == 0);
    bus_free(run.bus);
    cluster_free(run.cluster);
    store_free(run.store);
    fake_loop_turn(0);
    cluster_ask_end();
    FUZZ_CHECK(fuzz_large_blocks() == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    begin(fuzz_u8(&in));
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&in); i++) {
        uint8_t what = fuzz_u8(&in);
        if ((what & 31) == 0)
            mem_world_turn(0);
        else if ((what & 31) < 9)
            step_shard(&run.shards[what >> 6 & 1], (what & 31) - 1u, &in);
        else
            step_world((what & 31) - 9u, &in);
        look();
    }
    end();
    return 0;
}
