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
    assert_true(position_is_zero(position.pos));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view),   cmocka_unit_test(test_config),   cmocka_unit_test(test_user_and_time),
        cmocka_unit_test(test_online), cmocka_unit_test(test_snapshot), cmocka_unit_test(test_position),
        cmocka_unit_test(test_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
