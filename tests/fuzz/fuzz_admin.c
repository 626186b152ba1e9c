// The admin port whole: its challenge, commands of any text rightly signed, and a Redis that answers anything. What
// must hold: every message that it sends is one, with a right mac and well-formed JSON; every command has one answer.
//
//   steps: what u8, and what the step takes
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/admin/admin.h"
#include "common/io/msg_sock.h"
#include "proto/admin_proto.h"
#include "proto/lua_scripts.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/mem_dial.h"
#include "tests/fuzz/mem_redis.h"
#include "tests/fuzz/mem_sock.h"
#include "tests/fuzz/mem_world.h"
#include "tests/fuzz/redis_state.h"
#include "tests/fuzz/redis_steps.h"
#include "tests/unit/fake_loop.h"

#define LISTEN "10.0.0.1:9200"
#define SECRET "tests/fuzz: a secret of 32 bytes"
#define STEPS_MAX 200
#define HEAP_MAX (8u << 20)

static struct {
    struct admin *admin;
    struct redis_state redis;
    int fd; // of the one ctl; 0: none
    bool challenged, accepted;
    uint8_t port_nonce[ADMIN_NONCE_LEN], ctl_nonce[ADMIN_NONCE_LEN], key[ADMIN_MAC_LEN];
    uint32_t number, answered;
    size_t heap;
} run;

// ---- The ctl's side -------------------------------------------------------------------------------------------------

static void check_answer(const struct admin_message *message)
{
    uint8_t mac[ADMIN_MAC_LEN];
    FUZZ_CHECK(run.accepted && message->number == ++run.answered && message->number <= run.number);
    FUZZ_CHECK(admin_mac_message(run.key, ADMIN_ANSWER, message->number, message->json, message->json_len, mac) == 0);
    FUZZ_CHECK(memcmp(mac, message->mac, sizeof mac) == 0);
    json_t *json = json_loadb(message->json, message->json_len, JSON_REJECT_DUPLICATES, NULL);
    FUZZ_CHECK(json_is_boolean(json_object_get(json, "ok")));
    FUZZ_CHECK(json_is_true(json_object_get(json, "ok")) || json_is_string(json_object_get(json, "error")));
    json_decref(json);
}

static void read_message(const uint8_t *bytes, size_t len)
{
    struct admin_message message;
    FUZZ_CHECK(admin_decode(bytes, len, &message) == 0);
    if (message.type == ADMIN_ANSWER) {
        check_answer(&message);
        return;
    }
    FUZZ_CHECK(message.type == (run.challenged ? ADMIN_ACCEPT : ADMIN_CHALLENGE) && !run.accepted);
    if (message.type == ADMIN_CHALLENGE)
        memcpy(run.port_nonce, message.nonce, ADMIN_NONCE_LEN);
    run.accepted = run.challenged;
    run.challenged = true;
}

static void look(void)
{
    size_t len = 0, at = 0;
    const uint8_t *out = run.fd != 0 ? mem_sock_out(run.fd, &len) : NULL;
    while (len - at >= MSG_SOCK_HEAD_LEN) {
        size_t said = (size_t)out[at] << 24 | (size_t)out[at + 1] << 16 | (size_t)out[at + 2] << 8 | out[at + 3];
        FUZZ_CHECK(said <= ADMIN_ANSWER_MAX + ADMIN_OVERHEAD);
        if (len - at - MSG_SOCK_HEAD_LEN < said)
            break;
        read_message(out + at + MSG_SOCK_HEAD_LEN, said);
        at += MSG_SOCK_HEAD_LEN + said;
    }
    if (run.fd != 0)
        mem_sock_eat(run.fd, at);
    if (run.fd != 0 && !mem_sock_is_open(run.fd))
        run.fd = 0;
    FUZZ_CHECK(fuzz_heap() <= run.heap + HEAP_MAX);
}

static void feed_message(const uint8_t *bytes, size_t len)
{
    const uint8_t head[MSG_SOCK_HEAD_LEN] = {0, 0, (uint8_t)(len >> 8), (uint8_t)len};
    mem_sock_feed(run.fd, head, sizeof head);
    mem_sock_feed(run.fd, bytes, len);
}

static void respond(void)
{
    uint8_t message[2 * ADMIN_OVERHEAD], mac[ADMIN_MAC_LEN];
    const struct admin_keys keys = {SECRET, strlen(SECRET), run.port_nonce, run.ctl_nonce};
    FUZZ_CHECK(admin_mac_ctl(&keys, mac) == 0 && admin_session_key(&keys, run.key) == 0);
    feed_message(message, admin_encode_response(message, run.ctl_nonce, mac));
}

static void command(const char *json, size_t len)
{
    uint8_t message[4096 + ADMIN_OVERHEAD], mac[ADMIN_MAC_LEN];
    if (!run.accepted || len > 4096)
        return;
    run.number++;
    FUZZ_CHECK(admin_mac_message(run.key, ADMIN_COMMAND, run.number, json, len, mac) == 0);
    size_t at = admin_encode_head(message, ADMIN_COMMAND, run.number, len);
    memcpy(message + at, json, len);
    at += len;
    at += admin_encode_mac(message + at, mac);
    feed_message(message, at);
}

// A command with arguments of any text, or those that there are.
static void known_command(struct fuzz_in *in)
{
    static const char *const known[][4] = {
        {"status"},
        {"tiles"},
        {"tiles", "0", "9"},
        {"get"},
        {"get", "cooldown"},
        {"set", "cooldown", "5s"},
        {"set", "read-only", "on"},
        {"set", "announcement", "Guten Tag"},
        {"set", "guests-per-address", "7"},
        {"palette", "add", "d", "#010203"},
        {"canvas", "grow", "300x400"},
        {"audit", "9"},
    };
    const char *const *words = known[fuzz_below(in, sizeof known / sizeof known[0])];
    uint8_t odd = fuzz_u8(in);
    size_t len;
    const uint8_t *bytes = fuzz_take(in, odd % 64, &len);
    json_t *args = json_array();
    for (unsigned i = 1; i < 4 && words[i] != NULL; i++)
        json_array_append_new(args, json_string(words[i]));
    json_t *text = odd > 127 ? json_stringn((const char *)bytes, len) : NULL;
    if (text != NULL && (odd & 64) != 0)
        json_array_set_new(args, json_array_size(args) > 0 ? json_array_size(args) - 1 : 0, text);
    else if (text != NULL)
        json_array_append_new(args, text);
    json_t *json = json_pack("{s:s, s:o, s:s}", "command", words[0], "args", args, "who", "ann@desk");
    char *dumped = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    if (dumped != NULL)
        command(dumped, strlen(dumped));
    free(dumped);
    json_decref(json);
}

static void connect_ctl(void)
{
    int fd = mem_sock_connect(LISTEN, 0x0a000002);
    run.fd = fd >= 0 ? fd : 0;
    run.challenged = run.accepted = false;
    run.number = run.answered = 0;
}

// ---- Redis ----------------------------------------------------------------------------------------------------------

static bool is(const struct mem_redis_command *asked, const char *name)
{
    return asked->args[0].len == strlen(name) && memcmp(asked->name, name, asked->args[0].len) == 0;
}

// Of a script that reads tiles or entries: a list of values, as long as the input says.
static void reply_list(struct resp *resp, struct fuzz_in *in)
{
    static const char *const texts[] = {
        "0123456789abcdef", "10.0.0.1:7000", "7", "1700000000000-0", "who", "ann", "x\xff"};
    unsigned count = fuzz_below(in, 16);
    resp_array(resp, count);
    for (unsigned i = 0; i < count; i++) {
        uint8_t odd = fuzz_u8(in);
        if (odd % 8 == 7) {
            resp_array(resp, 2);
            resp_text(resp, texts[odd / 8 % 7]);
            resp_array(resp, 2);
            resp_text(resp, "what");
        }
        if (odd % 8 == 6)
            resp_number(resp, odd);
        else
            resp_text(resp, texts[odd / 8 % 7]);
    }
}

static void plausible(struct resp *resp, const struct mem_redis_command *asked, struct fuzz_in *in)
{
    if (is(asked, "HGETALL") && asked->args[1].len == 16)
        redis_state_config(&run.redis, resp);
    else if (is(asked, "HGETALL"))
        redis_state_view(&run.redis, resp);
    else if (is(asked, "INFO"))
        resp_text(resp, "used_memory:95\r\nmaxmemory:100\r\naof_enabled:1\r\nredis_version:7.0.15\r\n");
    else if (asked->script == LUA_SETTINGS)
        resp_number(resp, fuzz_u8(in) % 3);
    else
        reply_list(resp, in);
}

// ---- Steps ----------------------------------------------------------------------------------------------------------

static void step(struct fuzz_in *in)
{
    static const int64_t times_us[] = {0, 1000, 100000, 1100000, 5100000, 61000000};
    unsigned what = fuzz_below(in, 16);
    size_t len;
    const uint8_t *bytes;
    if (what < 5 && run.fd == 0) {
        connect_ctl();
        return;
    }
    switch (what) {
    case 0:
        mem_world_turn(times_us[fuzz_below(in, 6)]);
        break;
    case 1:
        respond();
        break;
    case 2:
        known_command(in);
        break;
    case 3:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        command((const char *)bytes, len);
        break;
    case 4:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        feed_message(bytes, len);
        break;
    case 5:
        redis_steps_serve(in, plausible, 0);
        break;
    case 6:
    case 7:
    case 8:
    case 9:
        (void)redis_steps_reply(what - 6, in, plausible);
        break;
    case 10:
        mem_redis_break();
        break;
    case 11:
        redis_state_change(&run.redis, in);
        break;
    case 12:
        if (run.fd != 0)
            mem_sock_end(run.fd);
        break;
    case 13:
        if (run.fd != 0)
            mem_sock_room(run.fd, fuzz_below(in, 2) == 0 ? SIZE_MAX : 50);
        break;
    default:
        mem_world_turn(1000);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    const struct admin_options options = {.listen = LISTEN,
                                          .secret = SECRET,
                                          .redis = MEM_REDIS_ADDRESS,
                                          .redis_user = "",
                                          .redis_password = "",
                                          .role = "shard",
                                          .name = "10.0.0.1:7000"};
    mem_world_reset();
    json_object_seed(1); // of its hash tables
    mem_redis_reset();
    memset(&run, 0, sizeof run);
    run.redis = (struct redis_state){.version = 1, .cooldown_ms = 5000, .view = 1, .address = "10.0.0.1:7000"};
    run.heap = fuzz_heap();
    FUZZ_CHECK(admin_open(&run.admin, fake_loop(), &options) == 0 && run.admin != NULL);
    for (unsigned i = 0; i < STEPS_MAX && fuzz_more(&in); i++) {
        step(&in);
        look();
    }
    mem_world_turn(0);
    look();
    admin_close(run.admin);
    fake_loop_turn(0);
    return 0;
}
