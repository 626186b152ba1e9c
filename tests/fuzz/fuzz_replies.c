// Replies of Redis as its protocol has them, parsed by hiredis and read by whatever asked for them: nothing but what
// REDIS.md says is taken, and what is taken lies inside the reply.
//
//   which reader u8, then the reply: as it is, or, with 128 in the first byte, in pieces: a kind u8 and what it takes
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/core/pressure.h"
#include "gateway/store_reply.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/resp.h"

static void check_view(const redisReply *reply)
{
    static struct member_view view;
    if (store_reply_view(reply, &view) != 0)
        return;
    FUZZ_CHECK(view.count <= MEMBER_MAX);
    for (uint16_t i = 0; i < view.count; i++) {
        FUZZ_CHECK(view.members[i].address[0] != '\0');
        for (uint16_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(view.members[i].address, view.members[k].address) != 0);
    }
}

static void check_config(const redisReply *reply)
{
    static struct canvas_config config, flags;
    char why[256];
    if (store_reply_config(reply, &config, why, sizeof why) != 0) {
        FUZZ_CHECK(strlen(why) < sizeof why);
        return;
    }
    FUZZ_CHECK(geom_valid(&config.geom) && config.version >= 1 && config.cooldown_ms <= CANVAS_COOLDOWN_MAX_MS);
    FUZZ_CHECK(config.palette.count >= PALETTE_COLORS_MIN && config.palette.count <= PALETTE_COLORS_MAX);
    FUZZ_CHECK(config.announced_len == strlen(config.announced));
    flags = config;
    FUZZ_CHECK(!canvas_config_differs(&config, &flags, CANVAS_GIVEN_ALL, why, sizeof why));
    flags.geom.width++;
    FUZZ_CHECK(canvas_config_differs(&config, &flags, CANVAS_GIVEN_ALL, why, sizeof why));
}

static void check_name(const redisReply *reply)
{
    struct store_name name;
    if (store_reply_name(reply, &name) != 0)
        return;
    size_t len = strnlen(name.text, sizeof name.text);
    FUZZ_CHECK(len < sizeof name.text && (len == 0 || name_check(name.text, len) == NAME_OK));
    FUZZ_CHECK(!name.erased || len == 0);
}

static void check_heat(const redisReply *reply)
{
    struct store_heat heat;
    if (store_reply_heat(reply, &heat) != 0)
        return;
    size_t before = heat.count;
    store_heat_at(&heat, 1700000000000);
    FUZZ_CHECK(heat.count <= before && before <= STORE_HEAT_MAX);
    for (size_t i = 0; i < heat.count; i++)
        FUZZ_CHECK(heat.tiles[i].heat >= 0.5 && heat.tiles[i].heat <= 1099511627776.0);
}

static void check_log(const redisReply *reply)
{
    uint32_t sum = 0;
    for (size_t i = 0; store_reply_is_log(reply) && i < reply->elements; i++) {
        struct store_entry entry;
        if (store_reply_entry(reply, i, &entry) != 0)
            continue;
        FUZZ_CHECK(entry.count >= 1 && entry.count <= LIMIT_BATCH_DRAWS && entry.first >= 1);
        FUZZ_CHECK(entry.first + (entry.count - 1) >= entry.first);
        for (uint32_t k = 0; k < 3 * entry.count; k++)
            sum += entry.updates[k];
    }
    FUZZ_CHECK(sum < UINT32_MAX);
}

static void check_tile(const redisReply *reply)
{
    struct store_snapshot snapshot;
    struct store_position position;
    struct store_pixel pixel;
    if (store_reply_snapshot(reply, &snapshot) == 0) {
        FUZZ_CHECK(snapshot.len <= GEOM_EDGE_MAX * GEOM_EDGE_MAX && snapshot.pos.epoch <= INT64_MAX);
        free(fuzz_copy(snapshot.px, snapshot.len));
    }
    if (store_reply_position(reply, &position) == 0)
        FUZZ_CHECK((position.pos.epoch == 0) == (position.pos.seq == 0));
    if (store_reply_pixel(reply, &pixel) == 0)
        FUZZ_CHECK(pixel.count <= STORE_PLACEMENTS_MAX);
}

static void check_small(const redisReply *reply)
{
    struct user_record record;
    struct store_online online;
    struct pressure pressure;
    enum store_renamed result;
    uint64_t number;
    (void)!store_reply_user(reply, &record);
    (void)!store_reply_online(reply, &online);
    if (store_reply_time(reply, &number) == 0)
        FUZZ_CHECK(number < (UINT64_C(1) << 43));
    if (store_reply_renamed(reply, &result, &number) == 0)
        FUZZ_CHECK(result <= STORE_RENAME_CHANGED && number <= INT64_MAX);
    if (reply->type == REDIS_REPLY_STRING && pressure_parse(&pressure, reply->str, reply->len) == 0)
        (void)pressure_high(&pressure);
}

// ---- A reply in pieces ----------------------------------------------------------------------------------------------

static void put_piece(struct resp *resp, struct fuzz_in *in)
{
    static const char *const words[] = {"view",
                                        "s:10.0.0.1:7000",
                                        "0123456789abcdef 1",
                                        "version",
                                        "width",
                                        "height",
                                        "edge",
                                        "cooldown_ms",
                                        "64",
                                        "guests_per_address",
                                        "user_groups",
                                        "read_only",
                                        "0",
                                        "restores",
                                        "palette",
                                        "a=#000000,b=#ffffff",
                                        "1",
                                        "announcement",
                                        "Hello",
                                        "7:9",
                                        "1e300",
                                        "12-0",
                                        "l",
                                        "e",
                                        "f",
                                        "u",
                                        "12",
                                        "s:",
                                        "0:65535",
                                        "1700000000000",
                                        "5666666.5",
                                        "0123456789abcdef"};
    uint8_t kind = fuzz_u8(in);
    size_t len;
    const uint8_t *bytes;
    switch (kind % 8) {
    case 0:
        resp_array(resp, kind / 8);
        break;
    case 1:
        resp_number(resp, fuzz_u8(in));
        break;
    case 2:
        resp_number(resp, (int64_t)fuzz_u64(in));
        break;
    case 3:
        resp_nil(resp);
        break;
    case 4:
        bytes = fuzz_take(in, fuzz_u8(in), &len);
        resp_bytes(resp, bytes, len);
        break;
    default:
        resp_text(resp, words[kind / 8 % (sizeof words / sizeof words[0])]);
        break;
    }
}

static size_t put_pieces(uint8_t *bytes, size_t room, struct fuzz_in *in)
{
    struct resp resp = resp_begin(bytes, room);
    while (fuzz_more(in) && resp.len < room - 1024)
        put_piece(&resp, in);
    return resp.len;
}

static void check(uint8_t which, const redisReply *reply)
{
    static void (*const checks[])(const redisReply *reply) = {check_view, check_config, check_name, check_heat,
                                                              check_log,  check_tile,   check_small};
    checks[(which & 127u) % (sizeof checks / sizeof checks[0])](reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t pieces[1 << 16];
    struct fuzz_in in = fuzz_begin(data, size);
    uint8_t which = fuzz_u8(&in);
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;
    size_t len = (size_t)(in.end - in.at);
    const uint8_t *bytes = in.at;
    if ((which & 128) != 0) {
        len = put_pieces(pieces, sizeof pieces, &in);
        bytes = pieces;
    }
    if (redisReaderFeed(reader, (const char *)bytes, len) == REDIS_OK &&
        redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL)
        check(which, reply);
    if (reply != NULL)
        freeReplyObject(reply);
    redisReaderFree(reader);
    return 0;
}
