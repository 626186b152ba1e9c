// A whole shard between gateways and a Redis that say anything: the challenge, FORWARDs, and replies to its scripts
// that are right, nearly right or nonsense. What must hold: every message that it sends is one, every draw is answered
// once at most, every connection is closed once, and nothing is left.
//
//   steps: (what | gateway << 6) u8, and what the step takes
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/msg_sock.h"
#include "proto/keys.h"
#include "proto/link_proto.h"
#include "proto/lua_scripts.h"
#include "shard/shard.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mem_redis.h"
#include "tests/fuzz/mem_sock.h"
#include "tests/fuzz/mem_world.h"
#include "tests/fuzz/redis_state.h"
#include "tests/fuzz/redis_steps.h"
#include "tests/unit/fake_loop.h"

#define GATEWAYS 2
#define STEPS_MAX 300
#define IDS 4096 // of draws on one link
#define ADDRESS "10.0.0.1:7000"
#define HEAP_MAX (6u << 20) // 256 links and their answers are most of it

static const uint8_t secret[32] = "tests/fuzz: a secret of 32 bytes";

struct gateway {
    int fd; // -1: none
    bool challenged, accepted;
    uint8_t shard_nonce[LINK_NONCE_LEN], own_nonce[LINK_NONCE_LEN];
    uint32_t next_id, refusals;
    uint8_t asked[IDS]; // 1: waits for its answer
};

static struct {
    struct shard shard;
    struct gateway gateways[GATEWAYS];
    struct redis_state redis;
    uint64_t epoch;
    bool stopped;
    size_t heap;
} run;

// ---- The gateways' side ---------------------------------------------------------------------------------------------

static void answered(struct gateway *gateway, uint32_t id)
{
    FUZZ_CHECK(id < gateway->next_id && gateway->asked[id] == 1);
    gateway->asked[id] = 0;
}

static void read_message(struct gateway *gateway, const uint8_t *bytes, size_t len)
{
    struct link_message message;
    struct link_verdict verdict;
    FUZZ_CHECK(link_decode(bytes, len, &message) == 0);
    FUZZ_CHECK(gateway->accepted || message.type == (gateway->challenged ? LINK_ACCEPT : LINK_CHALLENGE));
    if (message.type == LINK_CHALLENGE)
        memcpy(gateway->shard_nonce, message.nonce, LINK_NONCE_LEN);
    gateway->challenged |= message.type == LINK_CHALLENGE;
    gateway->accepted |= message.type == LINK_ACCEPT;
    gateway->refusals += message.type == LINK_NOT_OWNER;
    for (uint32_t i = 0; i < message.count && message.type == LINK_NOT_OWNER; i++)
        answered(gateway, link_id_at(message.records, i));
    for (uint32_t i = 0; i < message.count && message.type == LINK_VERDICTS; i++) {
        link_verdict_at(message.records, i, &verdict);
        FUZZ_CHECK(verdict.code < VERDICT_COUNT);
        answered(gateway, verdict.id);
    }
}

static void look(void)
{
    for (unsigned i = 0; i < GATEWAYS; i++) {
        struct gateway *gateway = &run.gateways[i];
        if (gateway->fd < 0)
            continue;
        size_t len, at = 0;
        const uint8_t *out = mem_sock_out(gateway->fd, &len);
        while (len - at >= MSG_SOCK_HEAD_LEN) {
            size_t said = (size_t)out[at] << 24 | (size_t)out[at + 1] << 16 | (size_t)out[at + 2] << 8 | out[at + 3];
            FUZZ_CHECK(said <= LIMIT_LINK_MESSAGE);
            if (len - at - MSG_SOCK_HEAD_LEN < said)
                break;
            read_message(gateway, out + at + MSG_SOCK_HEAD_LEN, said);
            at += MSG_SOCK_HEAD_LEN + said;
        }
        mem_sock_eat(gateway->fd, at);
        if (!mem_sock_is_open(gateway->fd))
            gateway->fd = -1;
    }
    FUZZ_CHECK(fuzz_heap() <= run.heap + HEAP_MAX);
}

static void feed_message(int fd, const uint8_t *bytes, size_t len)
{
    const uint8_t head[MSG_SOCK_HEAD_LEN] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};
    mem_sock_feed(fd, head, sizeof head);
    mem_sock_feed(fd, bytes, len);
}

static void respond(struct gateway *gateway)
{
    uint8_t message[256], mac[LINK_MAC_LEN];
    memset(gateway->own_nonce, 7, LINK_NONCE_LEN);
    FUZZ_CHECK(link_mac_gateway(secret, sizeof secret, gateway->shard_nonce, gateway->own_nonce, 5, mac) == 0);
    feed_message(gateway->fd, message, link_encode_response(message, gateway->own_nonce, 5, mac));
}

static void forward(struct gateway *gateway, struct fuzz_in *in)
{
    uint8_t draws[64 * LINK_DRAW_LEN], message[sizeof draws + 64];
    uint32_t count = 1 + fuzz_below(in, 64);
    uint8_t odd = fuzz_u8(in);
    for (uint32_t i = 0; i < count; i++) {
        bool known = gateway->next_id < IDS;
        struct link_draw draw = {.id = known ? gateway->next_id++ : 0,
                                 .nonce = fuzz_u8(in),
                                 .x = fuzz_u8(in),
                                 .y = odd,
                                 .color = fuzz_u8(in) % 40,
                                 .kind = LINK_USER_GUEST,
                                 .user = fuzz_u8(in) % 4,
                                 .connection = 1 + odd % 3};
        if ((draw.nonce & 0x80) != 0)
            draw.nonce |= NONCE_COUNTED;
        if (!known)
            return;
        gateway->asked[draw.id] = 1;
        link_put_draw(draws + i * LINK_DRAW_LEN, &draw);
    }
    uint32_t refusals = gateway->refusals + (odd == 255);
    feed_message(gateway->fd, message,
                 link_encode_forward(message, run.redis.view + (odd == 254), refusals, draws, count));
}

static void step_gateway(struct gateway *gateway, unsigned what, struct fuzz_in *in)
{
    uint8_t message[16];
    size_t len;
    const uint8_t *bytes;
    if (gateway->fd < 0) {
        *gateway = (struct gateway){.fd = mem_sock_connect(ADDRESS, 0x0a000002)};
        return;
    }
    switch (what) {
    case 0:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        mem_sock_feed(gateway->fd, bytes, len);
        break;
    case 1:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        feed_message(gateway->fd, bytes, len);
        break;
    case 2:
        respond(gateway);
        break;
    case 3:
        forward(gateway, in);
        break;
    case 4:
        feed_message(gateway->fd, message, link_encode_ping(message));
        break;
    case 5:
        mem_sock_room(gateway->fd, fuzz_below(in, 4) * 50u);
        break;
    case 6:
        mem_sock_end(gateway->fd);
        break;
    default:
        mem_sock_room(gateway->fd, SIZE_MAX);
        break;
    }
}

// ---- Redis ----------------------------------------------------------------------------------------------------------

static void reply_take(struct resp *resp, uint8_t odd)
{
    if (odd == 1) {
        resp_array(resp, 2);
        resp_number(resp, 0);
        resp_number(resp, (int64_t)run.redis.view + 1);
        return;
    }
    resp_array(resp, 7);
    resp_number(resp, 1);
    resp_number(resp, (int64_t)++run.epoch);
    resp_number(resp, 0);
    resp_number(resp, odd % 4);
    resp_bytes(resp, secret, odd % sizeof secret);
    for (unsigned i = 0; i < 2; i++) {
        uint8_t window[16 + 40] = {[16] = 9, [20] = 1, [24] = 3, [0] = 1, [8] = 1};
        resp_array(resp, odd % 2 * 2);
        if (odd % 2 == 0)
            continue;
        resp_bytes(resp, window, 16);
        resp_bytes(resp, window + 16, 40);
    }
}

// As if all were placed, or what the input says of each. Of one tile the count of its draws is ARGV[8], which is looked
// at; of more of them the reply will be a wrong one.
static void reply_place(struct resp *resp, const struct mem_redis_command *command, struct fuzz_in *in)
{
    uint8_t odd = fuzz_u8(in), colors[512] = {0}, verdicts[512 * 14] = {0};
    size_t keys = (size_t)strtoull(command->args[2].data, NULL, 10), at = 3 + keys + 5 + 2;
    size_t count = at < MEM_REDIS_ARGS && at < command->count ? (size_t)strtoull(command->args[at].data, NULL, 10) : 1;
    size_t placed = 0;
    count = count > 0 && count <= 512 ? count : 1;
    for (size_t i = 0; i < count && (odd & 8) != 0; i++) {
        uint8_t what = fuzz_u8(in);
        placed += verdicts[14 * i] = what & 1;
        verdicts[14 * i + 1] = (what & 1) != 0 ? 0 : what >> 4;
        verdicts[14 * i + 6] = what;
    }
    resp_array(resp, 3);
    resp_number(resp, odd % 8 < 3 ? odd % 8 : 0);
    resp_bytes(resp, colors, odd >> 5 == 7 ? 0 : (odd & 8) != 0 ? placed : count);
    resp_bytes(resp, verdicts, (odd & 8) != 0 ? 14 * count : 0);
}

static void plausible(struct resp *resp, const struct mem_redis_command *command, struct fuzz_in *in)
{
    switch (command->script) {
    case LUA_SEED:
        redis_state_config(&run.redis, resp);
        break;
    case LUA_JOIN:
    case LUA_LEAVE:
        resp_number(resp, (int64_t)++run.redis.view);
        break;
    case LUA_BEAT:
        resp_array(resp, 3);
        resp_number(resp, fuzz_u8(in) != 1);
        resp_number(resp, (int64_t)run.redis.view);
        resp_number(resp, run.redis.version);
        break;
    case LUA_TAKE:
        reply_take(resp, fuzz_u8(in));
        break;
    case LUA_POSITION:
        resp_array(resp, 1);
        resp_number(resp, fuzz_u8(in) % 3);
        break;
    case LUA_PLACE:
        reply_place(resp, command, in);
        break;
    case LUA_HEAT:
        resp_number(resp, 1);
        break;
    default:
        if (strncmp(command->name, "INFO", 4) == 0)
            resp_text(resp,
                      fuzz_u8(in) == 1 ? "used_memory:95\r\nmaxmemory:100\r\n" : "used_memory:1\r\nmaxmemory:0\r\n");
        else if (command->count == 2 && strncmp(command->args[1].data, "{cluster}:config", 16) == 0)
            redis_state_config(&run.redis, resp);
        else
            redis_state_view(&run.redis, resp);
        break;
    }
}

static void step_world(unsigned what, struct fuzz_in *in)
{
    static const struct redis_steps steps = {
        {0, 1000, 60000, 300000, 1100000, 2500000, 6000000, 11000000}, plausible, 20000, &run.redis};
    if (redis_steps_step(&steps, what, in))
        return;
    if (what == 7)
        redis_steps_push(CHANNEL_CLUSTER, in);
    else
        shard_leave(&run.shard);
}

// ---- A run ----------------------------------------------------------------------------------------------------------

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct canvas_config canvas = {.geom = {REDIS_STATE_WIDTH, REDIS_STATE_WIDTH, 64}};
    struct fuzz_in in = fuzz_begin(data, size);
    canvas.palette = *palette_default();
    mem_world_reset();
    mem_redis_reset();
    run.heap = fuzz_heap();
    run.redis = (struct redis_state){
        .version = 1, .cooldown_ms = (fuzz_u8(&in) & 1) != 0 ? 0 : 5000, .view = 1, .address = ADDRESS};
    run.epoch = 1;
    for (unsigned i = 0; i < GATEWAYS; i++)
        run.gateways[i].fd = -1;
    const struct shard_options options = {.listen = ADDRESS,
                                          .advertise = "",
                                          .redis = MEM_REDIS_ADDRESS,
                                          .redis_user = "",
                                          .redis_password = "",
                                          .secret = secret,
                                          .secret_len = sizeof secret,
                                          .lease_ms = 1500,
                                          .canvas = &canvas};
    FUZZ_CHECK(shard_init(&run.shard, fake_loop(), &options, on_stopped, &run.stopped) == 0);
    run.redis.incarnation = run.shard.incarnation;
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&in); i++) {
        uint8_t what = fuzz_u8(&in);
        if ((what & 31) == 0)
            mem_world_turn(0);
        else if ((what & 31) < 9)
            step_gateway(&run.gateways[what >> 6 & 1], (what & 31) - 1u, &in);
        else
            step_world((what & 31) - 9u, &in);
        look();
    }
    mem_world_turn(0);
    look();
    shard_fini(&run.shard);
    fake_loop_turn(0);
    look();
    FUZZ_CHECK(fuzz_large_blocks() == 0);
    return 0;
}
