// Replies of Redis, right and wrong, read as store reads them.
#include "check.h"

#include <stdio.h>

#include "common/core/bytes.h"
#include "gateway/store_reply.h"

static redisReply *parse(const char *resp, size_t len)
{
    void *reply = NULL;
    redisReader *reader = redisReaderCreate();
    assert_int_equal(redisReaderFeed(reader, resp, len), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);
    return reply;
}

#define PARSE(literal_) parse((literal_), sizeof(literal_) - 1)

// An array of texts.
static redisReply *texts(size_t count, const char *const *items)
{
    static char resp[1 << 16];
    size_t len = (size_t)snprintf(resp, sizeof resp, "*%zu\r\n", count);
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(resp + len, sizeof resp - len, "$%zu\r\n%s\r\n", strlen(items[i]), items[i]);
    return parse(resp, len);
}

#define TEXTS(...)                                                                                                     \
    texts(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (const char *const[]){__VA_ARGS__})

static void test_view(void **state)
{
    (void)state;
    struct member_view view;
    redisReply *reply = TEXTS("s:10.0.0.1:7000", "00000000000000ff 1700000000000", "view", "12", "s:b:1",
                              "8000000000000001 5", "s:", "0000000000000001 5", "s:c:1", "no incarnation", "x", "y");
    assert_int_equal(store_reply_view(reply, &view), 0);
    assert_true(view.number == 12);
    assert_int_equal(view.count, 2);
    assert_string_equal(view.members[0].address, "10.0.0.1:7000");
    assert_true(view.members[0].incarnation == 0xff);
    assert_true(view.members[1].incarnation == 0x8000000000000001u);
    freeReplyObject(reply);

    reply = PARSE("*0\r\n");
    assert_int_equal(store_reply_view(reply, &view), 0);
    assert_true(view.number == 0 && view.count == 0);
    freeReplyObject(reply);

    const char *const wrong[] = {"$2\r\nab\r\n",
                                 "*1\r\n$4\r\nview\r\n",
                                 "*2\r\n$4\r\nview\r\n$2\r\n1x\r\n",
                                 "*2\r\n$4\r\nview\r\n$0\r\n\r\n",
                                 "*2\r\n:1\r\n:2\r\n",
                                 "*2\r\n$4\r\nview\r\n$20\r\n99999999999999999999\r\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        reply = parse(wrong[i], strlen(wrong[i]));
        assert_int_equal(store_reply_view(reply, &view), ERR_MALFORMED);
        freeReplyObject(reply);
    }
}

static void test_config(void **state)
{
    (void)state;
    struct canvas_config config;
    char why[256];
    redisReply *reply = TEXTS("version", "3", "width", "1000", "height", "500", "edge", "128", "cooldown_ms", "5000",
                              "guests_per_address", "16", "palette", "white=#FFFFFF,red=#FF0000", "user_groups", "64",
                              "read_only", "1");
    assert_int_equal(store_reply_config(reply, &config, why, sizeof why), 0);
    assert_int_equal(config.version, 3);
    assert_int_equal(config.geom.width, 1000);
    assert_int_equal(config.geom.edge, 128);
    assert_int_equal(config.cooldown_ms, 5000);
    assert_int_equal(config.palette.count, 2);
    assert_true(config.read_only);
    freeReplyObject(reply);
    reply = TEXTS("version", "3", "width", "0");
    assert_int_equal(store_reply_config(reply, &config, why, sizeof why), ERR_MALFORMED);
    assert_true(strlen(why) > 0);
    freeReplyObject(reply);
    reply = PARSE("*2\r\n$7\r\nversion\r\n*0\r\n");
    assert_int_equal(store_reply_config(reply, &config, why, sizeof why), ERR_MALFORMED);
    freeReplyObject(reply);
}

static void test_user_and_time(void **state)
{
    (void)state;
    struct user_record record = {.nonce = 5};
    redisReply *reply = PARSE("$-1\r\n");
    assert_int_equal(store_reply_user(reply, &record), 0);
    assert_int_equal(record.nonce, 0);
    freeReplyObject(reply);
    reply = PARSE("$24\r\n\x01\x07\x02\x01\x04\x03\0\0\x09\0\0\0\x0a\0\0\0\xff\0\0\0\0\0\0\0\r\n");
    assert_int_equal(store_reply_user(reply, &record), 0);
    assert_int_equal(record.color, 7);
    assert_int_equal(record.x, 0x102);
    assert_int_equal(record.nonce, 9);
    assert_true(record.landed_ms == 255);
    freeReplyObject(reply);
    reply = PARSE("$3\r\nabc\r\n");
    assert_int_equal(store_reply_user(reply, &record), ERR_MALFORMED);
    freeReplyObject(reply);

    uint64_t now_ms;
    reply = TEXTS("1700000000", "987654");
    assert_int_equal(store_reply_time(reply, &now_ms), 0);
    assert_true(now_ms == 1700000000987u);
    freeReplyObject(reply);
    reply = TEXTS("1700000000");
    assert_int_equal(store_reply_time(reply, &now_ms), ERR_MALFORMED);
    freeReplyObject(reply);
}

static void test_online(void **state)
{
    (void)state;
    struct store_online online = {.pressure = true};
    redisReply *reply = PARSE("*3\r\n:12\r\n:7\r\n:2\r\n");
    assert_int_equal(store_reply_online(reply, &online), 0);
    assert_int_equal(online.online, 12);
    assert_true(online.view == 7);
    assert_int_equal(online.config_version, 2);
    assert_true(online.pressure);
    freeReplyObject(reply);
    reply = PARSE("*3\r\n:-1\r\n:7\r\n:2\r\n");
    assert_int_equal(store_reply_online(reply, &online), ERR_MALFORMED);
    freeReplyObject(reply);
}

static void test_snapshot(void **state)
{
    (void)state;
    struct store_snapshot snapshot;
    redisReply *reply = PARSE("*3\r\n:1700000000123\r\n:9\r\n$3\r\n\x01\0\x02\r\n");
    assert_int_equal(store_reply_snapshot(reply, &snapshot), 0);
    assert_true(snapshot.pos.epoch == 1700000000123u);
    assert_int_equal(snapshot.pos.seq, 9);
    assert_int_equal(snapshot.len, 3);
    assert_memory_equal(snapshot.px, "\x01\0\x02", 3);
    freeReplyObject(reply);
    reply = PARSE("*3\r\n:0\r\n:0\r\n$0\r\n\r\n");
    assert_int_equal(store_reply_snapshot(reply, &snapshot), 0);
    assert_int_equal(snapshot.len, 0);
    freeReplyObject(reply);
    reply = PARSE("*3\r\n:0\r\n:1\r\n$0\r\n\r\n");
    assert_int_equal(store_reply_snapshot(reply, &snapshot), ERR_MALFORMED);
    freeReplyObject(reply);
    reply = PARSE("*3\r\n:1\r\n:4294967296\r\n$0\r\n\r\n");
    assert_int_equal(store_reply_snapshot(reply, &snapshot), ERR_MALFORMED);
    freeReplyObject(reply);
}

static void test_position(void **state)
{
    (void)state;
    struct store_position position;
    redisReply *reply = TEXTS("1700000000123", "9", "00000000000000aa", "8");
    assert_int_equal(store_reply_position(reply, &position), 0);
    assert_int_equal(position.pos.seq, 9);
    assert_true(position.has_checksum);
    assert_true(position.checksum == 0xaa);
    assert_int_equal(position.checksum_seq, 8);
    freeReplyObject(reply);
    reply = PARSE("*4\r\n$-1\r\n$-1\r\n$-1\r\n$-1\r\n");
    assert_int_equal(store_reply_position(reply, &position), 0);
    assert_int_equal(position.pos.seq, 0);
    assert_false(position.has_checksum);
    freeReplyObject(reply);
    reply = TEXTS("5", "9", "aa", "8");
    assert_int_equal(store_reply_position(reply, &position), ERR_MALFORMED);
    freeReplyObject(reply);
}

static redisReply *log_of(const char *id, const char *first, const char *epoch, const char *updates)
{
    static char resp[256];
    const char *const items[] = {"l", "1", "e", epoch, "t", "5", "f", first, "u", updates};
    size_t len = (size_t)snprintf(resp, sizeof resp, "*1\r\n*2\r\n$%zu\r\n%s\r\n*10\r\n", strlen(id), id);
    for (size_t i = 0; i < 10; i++)
        len += (size_t)snprintf(resp + len, sizeof resp - len, "$%zu\r\n%s\r\n", strlen(items[i]), items[i]);
    return parse(resp, len);
}

static void test_log(void **state)
{
    (void)state;
    struct store_entry entry;
    redisReply *reply = log_of("7-0", "6", "1700", "abcdef");
    assert_true(store_reply_is_log(reply));
    assert_int_equal(reply->elements, 1);
    assert_int_equal(store_reply_entry(reply, 0, &entry), 0);
    assert_true(entry.epoch == 1700);
    assert_int_equal(entry.first, 6);
    assert_int_equal(entry.count, 2);
    assert_memory_equal(entry.updates, "abcdef", 6);
    freeReplyObject(reply);
    const struct {
        const char *id, *first, *epoch, *updates;
    } wrong[] = {{"7-1", "6", "1700", "abcdef"}, {"7", "6", "1700", "abcdef"},     {"7-0", "8", "1700", "abc"},
                 {"7-0", "0", "1700", "abcdef"}, {"7-0", "6", "", "abcdef"},       {"7-0", "6", "1700", "abcde"},
                 {"-0", "6", "1700", "abcdef"},  {"4294967296-0", "6", "1", "abc"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        reply = log_of(wrong[i].id, wrong[i].first, wrong[i].epoch, wrong[i].updates);
        assert_int_equal(store_reply_entry(reply, 0, &entry), ERR_MALFORMED);
        freeReplyObject(reply);
    }
    reply = PARSE("$2\r\nab\r\n");
    assert_false(store_reply_is_log(reply));
    freeReplyObject(reply);
}

static void test_pixel(void **state)
{
    (void)state;
    struct store_pixel pixel;
    redisReply *reply = PARSE("*4\r\n:1764000000123\r\n:5\r\n:640\r\n$42\r\n"
                              "\x2c\x03\0\0\5\xff\xff\xff\xff\xff\xff\xff\xff\x7b\x3c\x0a\xb7\x9a\1\0\0"
                              "\1\0\0\0\4\7\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\r\n");
    assert_int_equal(store_reply_pixel(reply, &pixel), 0);
    assert_true(pixel.now_ms == 1764000000123u && pixel.color == 5 && pixel.next == 640 && pixel.count == 2);
    assert_true(pixel.placements[0].seq == 812 && pixel.placements[0].color == 5);
    assert_true(pixel.placements[0].user == UINT64_MAX && pixel.placements[0].time_ms == 0x19ab70a3c7bu);
    assert_true(pixel.placements[1].seq == 1 && pixel.placements[1].user == 7 && pixel.placements[1].time_ms == 1);
    freeReplyObject(reply);
    reply = PARSE("*4\r\n:1\r\n:0\r\n:0\r\n$0\r\n\r\n");
    assert_int_equal(store_reply_pixel(reply, &pixel), 0);
    assert_int_equal(pixel.count, 0);
    freeReplyObject(reply);

    static char many[1024];
    int len = snprintf(many, sizeof many, "*4\r\n:1\r\n:0\r\n:0\r\n$%u\r\n", 33 * 21);
    memset(many + len, 1, 33 * 21);
    memcpy(many + len + 33 * 21, "\r\n", 2);
    redisReply *wrong[] = {PARSE("*3\r\n:1\r\n:0\r\n:0\r\n"),
                           PARSE("*4\r\n:1\r\n:256\r\n:0\r\n$0\r\n\r\n"),
                           PARSE("*4\r\n:1\r\n:0\r\n:4294967296\r\n$0\r\n\r\n"),
                           PARSE("*4\r\n:-1\r\n:0\r\n:0\r\n$0\r\n\r\n"),
                           PARSE("*4\r\n:1\r\n:0\r\n:0\r\n$20\r\naaaaaaaaaaaaaaaaaaaa\r\n"),
                           PARSE("*4\r\n:1\r\n:0\r\n:0\r\n:0\r\n"),
                           PARSE("$1\r\nx\r\n"),
                           parse(many, (size_t)len + 33 * 21 + 2)};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(store_reply_pixel(wrong[i], &pixel), ERR_MALFORMED);
        freeReplyObject(wrong[i]);
    }
}

static void test_name(void **state)
{
    (void)state;
    struct store_name name;
    redisReply *good[] = {PARSE("$-1\r\n"), PARSE("$16\r\n\1\0\0\0\5\0\0\0\0\0\0\0Anna\r\n"),
                          PARSE("$12\r\n\1\0\0\0\5\0\0\0\0\0\0\0\r\n"), PARSE("$12\r\n\1\1\0\0\5\0\0\0\0\0\0\0\r\n")};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(store_reply_name(good[i], &name), 0);
        assert_true(name.changed_ms == (i == 0 ? 0 : 5) && name.erased == (i == 3));
        assert_string_equal(name.text, i == 1 ? "Anna" : "");
        freeReplyObject(good[i]);
    }
    // Of another layout, too short, too long, an erased one with a name, and what no name may be.
    redisReply *wrong[] = {PARSE("$12\r\n\2\0\0\0\5\0\0\0\0\0\0\0\r\n"),
                           PARSE("$11\r\n\1\0\0\0\5\0\0\0\0\0\0\r\n"),
                           PARSE("$0\r\n\r\n"),
                           PARSE(":7\r\n"),
                           PARSE("$16\r\n\1\1\0\0\5\0\0\0\0\0\0\0Anna\r\n"),
                           PARSE("$16\r\n\1\0\0\0\5\0\0\0\0\0\0\0<b>a\r\n"),
                           PARSE("$17\r\n\1\0\0\0\5\0\0\0\0\0\0\0Ann\0a\r\n"),
                           PARSE("$76\r\n\1\0\0\0\5\0\0\0\0\0\0\0"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(store_reply_name(wrong[i], &name), ERR_MALFORMED);
        freeReplyObject(wrong[i]);
    }
}

static void test_renamed(void **state)
{
    (void)state;
    enum store_renamed result;
    uint64_t wait_ms;
    redisReply *reply = PARSE("*2\r\n:2\r\n:86400000\r\n");
    assert_int_equal(store_reply_renamed(reply, &result, &wait_ms), 0);
    assert_true(result == STORE_RENAME_TOO_SOON && wait_ms == 86400000);
    freeReplyObject(reply);
    redisReply *wrong[] = {PARSE("*2\r\n:5\r\n:0\r\n"), PARSE("*2\r\n:0\r\n:-1\r\n"), PARSE("*1\r\n:0\r\n"),
                           PARSE(":0\r\n")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(store_reply_renamed(wrong[i], &result, &wait_ms), ERR_MALFORMED);
        freeReplyObject(wrong[i]);
    }
}

static void test_heat(void **state)
{
    (void)state;
    static struct store_heat heat;
    // Half-lives before and after 6,000,000 half-lives of 300 s: worth 8, 1, 0.5, 0.25, and far ahead of the clock.
    redisReply *reply = TEXTS("0:0", "6000003", "65535:7", "6000000", "2:2", "5999999", "3:3", "5999998", "4:4", "7e6");
    assert_int_equal(store_reply_heat(reply, &heat), 0);
    assert_int_equal(heat.count, 5);
    store_heat_at(&heat, UINT64_C(6000000) * 300000);
    assert_int_equal(heat.count, 4);
    assert_true(heat.tiles[0].heat == 8 && heat.tiles[1].heat == 1 && heat.tiles[2].heat == 0.5);
    assert_true(heat.tiles[1].tile.tx == 65535 && heat.tiles[1].tile.ty == 7);
    assert_true(heat.tiles[3].tile.tx == 4 && heat.tiles[3].heat == 1099511627776.0);
    freeReplyObject(reply);
    redisReply *wrong[] = {TEXTS("0:0"),          TEXTS("0:", "1"),    TEXTS(":0", "1"),    TEXTS("0", "1"),
                           TEXTS("65536:0", "1"), TEXTS("0:0x", "1"),  TEXTS("0:0", ""),    TEXTS("0:0", "x"),
                           TEXTS("0:0", "1x"),    TEXTS("0:0", "inf"), TEXTS("0:0:0", "1"), TEXTS("", "1"),
                           TEXTS("0:0", "nan"),   PARSE(":1\r\n")};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(store_reply_heat(wrong[i], &heat), ERR_MALFORMED);
        freeReplyObject(wrong[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pixel),         cmocka_unit_test(test_name),   cmocka_unit_test(test_renamed),
        cmocka_unit_test(test_heat),          cmocka_unit_test(test_view),   cmocka_unit_test(test_config),
        cmocka_unit_test(test_user_and_time), cmocka_unit_test(test_online), cmocka_unit_test(test_snapshot),
        cmocka_unit_test(test_position),      cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
