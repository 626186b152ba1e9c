#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "proto/ws_proto.h"
#include "tests/unit/vectors.h"

// Per type: decode the bytes, compare with the fields, and encode the fields to the same bytes.
typedef int decode_fn(const struct blob *msg, const json_t *fields, struct blob *again);

static void compare_entries(const json_t *fields, const uint8_t *entries, uint16_t count, struct ws_entry *out)
{
    json_t *list = json_object_get(fields, "entries");
    assert_int_equal(json_array_size(list), count);
    for (uint16_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        out[i] = ws_entry_at(entries, i);
        assert_int_equal(field_number(entry, "tx"), out[i].tile.tx);
        assert_int_equal(field_number(entry, "ty"), out[i].tile.ty);
        assert_int_equal(field_number(entry, "seq"), out[i].pos.seq);
        assert_int_equal(field_number(entry, "epoch"), out[i].pos.epoch);
    }
}

static int try_hello(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_hello hello;
    int err = ws_decode_hello(msg->data, msg->len, &hello);
    if (err != 0 || fields == NULL)
        return err;
    struct ws_entry entries[LIMIT_WATCH_TILES];
    assert_int_equal(field_u64(fields, "connection"), hello.connection);
    compare_entries(fields, hello.entries, hello.count, entries);
    again->len = ws_encode_hello(again->data, hello.connection, entries, hello.count);
    return 0;
}

static int try_watch(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_watch watch;
    int err = ws_decode_watch(msg->data, msg->len, &watch);
    if (err != 0 || fields == NULL)
        return err;
    struct ws_entry entries[LIMIT_WATCH_TILES];
    compare_entries(fields, watch.entries, watch.count, entries);
    again->len = ws_encode_watch(again->data, (enum ws_type)msg->data[0], entries, watch.count);
    return 0;
}

static int try_draw(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_draw draw;
    int err = ws_decode_draw(msg->data, msg->len, &draw);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "color"), draw.color);
    assert_int_equal(field_number(fields, "x"), draw.x);
    assert_int_equal(field_number(fields, "y"), draw.y);
    assert_int_equal(field_number(fields, "nonce"), draw.nonce);
    again->len = ws_encode_draw(again->data, &draw);
    return 0;
}

static int try_welcome(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_welcome welcome;
    int err = ws_decode_welcome(msg->data, msg->len, &welcome);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "readOnly"), welcome.flags & WS_FLAG_READ_ONLY);
    assert_int_equal(field_number(fields, "edge"), welcome.edge);
    assert_int_equal(field_number(fields, "version"), welcome.version);
    assert_int_equal(field_number(fields, "width"), welcome.width);
    assert_int_equal(field_number(fields, "height"), welcome.height);
    assert_int_equal(field_number(fields, "cooldownMs"), welcome.cooldown_ms);
    assert_int_equal(field_number(fields, "nextNonce"), welcome.next_nonce);
    assert_int_equal(field_number(fields, "waitMs"), welcome.wait_ms);
    assert_int_equal(field_number(fields, "online"), welcome.online);
    assert_int_equal(field_u64(fields, "user"), welcome.user);
    again->len = ws_encode_welcome(again->data, &welcome);
    return 0;
}

static int try_verdict(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_verdict verdict;
    int err = ws_decode_verdict(msg->data, msg->len, &verdict);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "code"), verdict.code);
    assert_int_equal(field_number(fields, "x"), verdict.x);
    assert_int_equal(field_number(fields, "y"), verdict.y);
    assert_int_equal(field_number(fields, "nonce"), verdict.nonce);
    assert_int_equal(field_number(fields, "nextNonce"), verdict.next_nonce);
    assert_int_equal(field_number(fields, "waitMs"), verdict.wait_ms);
    assert_int_equal(field_number(fields, "seq"), verdict.seq);
    again->len = ws_encode_verdict(again->data, &verdict);
    // Reserved bytes are written as 0 and ignored when read.
    memcpy(again->data + 6, msg->data + 6, 2);
    return 0;
}

static int try_tile(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_tile tile;
    int err = ws_decode_tile(msg->data, msg->len, &tile);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "tx"), tile.tile.tx);
    assert_int_equal(field_number(fields, "ty"), tile.tile.ty);
    assert_int_equal(field_number(fields, "count"), tile.count);
    assert_int_equal(field_number(fields, "first"), tile.first);
    assert_int_equal(field_number(fields, "epoch"), tile.epoch);
    assert_int_equal(field_number(fields, "previousEpoch"), tile.previous_epoch);
    assert_hex_field(fields, "updates", tile.updates, (size_t)tile.count * WS_UPDATE_LEN);
    size_t head = ws_encode_tile_head(again->data, &tile);
    memcpy(again->data + head, tile.updates, (size_t)tile.count * WS_UPDATE_LEN);
    again->len = head + (size_t)tile.count * WS_UPDATE_LEN;
    return 0;
}

static int try_snapshot(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_snapshot snapshot;
    int err = ws_decode_snapshot(msg->data, msg->len, &snapshot);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "encoding"), snapshot.encoding);
    assert_int_equal(field_number(fields, "tx"), snapshot.tile.tx);
    assert_int_equal(field_number(fields, "ty"), snapshot.tile.ty);
    assert_int_equal(field_number(fields, "seq"), snapshot.pos.seq);
    assert_int_equal(field_number(fields, "epoch"), snapshot.pos.epoch);
    assert_int_equal(field_u64(fields, "checksum"), snapshot.checksum);
    assert_hex_field(fields, "data", snapshot.data, snapshot.len);
    size_t head = ws_encode_snapshot_head(again->data, &snapshot);
    memcpy(again->data + head, snapshot.data, snapshot.len);
    again->len = head + snapshot.len;
    return 0;
}

static int try_status(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_status status;
    int err = ws_decode_status(msg->data, msg->len, &status);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "readOnly"), status.flags & WS_FLAG_READ_ONLY);
    assert_int_equal(field_number(fields, "online"), status.online);
    again->len = ws_encode_status(again->data, &status);
    return 0;
}

static int try_announcement(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_announcement announcement;
    int err = ws_decode_announcement(msg->data, msg->len, &announcement);
    if (err != 0 || fields == NULL)
        return err;
    const char *text = json_string_value(json_object_get(fields, "text"));
    assert_non_null(text);
    assert_int_equal(strlen(text), announcement.len);
    assert_memory_equal(text, announcement.text, announcement.len);
    again->len = ws_encode_announcement(again->data, announcement.text, announcement.len);
    return 0;
}

static int try_palette(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct palette palette;
    int err = ws_decode_palette(msg->data, msg->len, &palette);
    if (err != 0 || fields == NULL)
        return err;
    const json_t *colors = json_object_get(fields, "colors");
    assert_int_equal(json_array_size(colors), palette.count);
    for (uint16_t i = 0; i < palette.count; i++) {
        const json_t *color = json_array_get(colors, i);
        char rgb[8];
        const struct palette_color *got = &palette.colors[i];
        (void)snprintf(rgb, sizeof rgb, "#%02x%02x%02x", got->r, got->g, got->b);
        assert_string_equal(json_string_value(json_object_get(color, "name")), got->name);
        assert_string_equal(json_string_value(json_object_get(color, "rgb")), rgb);
    }
    again->len = ws_encode_palette(again->data, &palette);
    return 0;
}

static int try_config(const struct blob *msg, const json_t *fields, struct blob *again)
{
    struct ws_config config;
    int err = ws_decode_config(msg->data, msg->len, &config);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "readOnly"), config.flags & WS_FLAG_READ_ONLY);
    assert_int_equal(field_number(fields, "edge"), config.edge);
    assert_int_equal(field_number(fields, "version"), config.version);
    assert_int_equal(field_number(fields, "width"), config.width);
    assert_int_equal(field_number(fields, "height"), config.height);
    assert_int_equal(field_number(fields, "cooldownMs"), config.cooldown_ms);
    again->len = ws_encode_config(again->data, &config);
    return 0;
}

static int try_move(const struct blob *msg, const json_t *fields, struct blob *again)
{
    uint32_t delay_ms;
    int err = ws_decode_move(msg->data, msg->len, &delay_ms);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "delayMs"), delay_ms);
    again->len = ws_encode_move(again->data, delay_ms);
    return 0;
}

static int try_error(const struct blob *msg, const json_t *fields, struct blob *again)
{
    uint8_t code;
    int err = ws_decode_error(msg->data, msg->len, &code);
    if (err != 0 || fields == NULL)
        return err;
    assert_int_equal(field_number(fields, "code"), code);
    again->len = ws_encode_error(again->data, (enum ws_error)code);
    return 0;
}

static const struct {
    const char *type;
    decode_fn *try;
    bool shorter_is_fine; // down to its head
} types[] = {
    {"hello", try_hello, false},     {"watch", try_watch, false},
    {"resume", try_watch, false},    {"draw", try_draw, false},
    {"welcome", try_welcome, false}, {"verdict", try_verdict, false},
    {"tile", try_tile, false},       {"status", try_status, false},
    {"config", try_config, false},   {"announcement", try_announcement, false},
    {"palette", try_palette, false}, {"snapshot", try_snapshot, true},
    {"move", try_move, false},       {"error", try_error, false},
};

#define TYPE_COUNT (sizeof types / sizeof types[0])

static size_t type_named(const char *name)
{
    size_t i = 0;
    while (i < TYPE_COUNT && strcmp(types[i].type, name) != 0)
        i++;
    if (i == TYPE_COUNT)
        fail_msg("no such type: %s", name);
    return i;
}

static void test_messages_read_and_written(void **state)
{
    (void)state;
    json_t *root = vectors_load("ws.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "messages"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct blob again = {.data = malloc(msg.len)};
        size_t type = type_named(field_text(vector, "type"));
        if (types[type].try(&msg, json_object_get(vector, "fields"), &again) != 0)
            fail_msg("refused: %s", field_text(vector, "name"));
        assert_int_equal(again.len, msg.len);
        assert_memory_equal(again.data, msg.data, msg.len);
        blob_free(&again);
        blob_free(&msg);
    }
    assert_true(index >= 25);
    json_decref(root);
}

static void test_malformed_refused(void **state)
{
    (void)state;
    json_t *root = vectors_load("ws.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "malformed"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        if (types[type_named(field_text(vector, "type"))].try(&msg, NULL, NULL) != ERR_MALFORMED)
            fail_msg("taken: %s", field_text(vector, "name"));
        blob_free(&msg);
    }
    assert_true(index >= 30);
    json_decref(root);
}

// Cut at every length, and read as every other type.
static void test_cut_and_mistaken_refused(void **state)
{
    (void)state;
    json_t *root = vectors_load("ws.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "messages"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        size_t type = type_named(field_text(vector, "type"));
        size_t end = types[type].shorter_is_fine ? WS_SNAPSHOT_HEAD_LEN : msg.len;
        for (size_t len = 0; len < end; len++) {
            struct blob cut = blob_cut(&msg, len);
            if (types[type].try(&cut, NULL, NULL) != ERR_MALFORMED)
                fail_msg("taken at %zu bytes: %s", len, field_text(vector, "name"));
            blob_free(&cut);
        }
        for (size_t other = 0; other < TYPE_COUNT; other++) {
            if (types[other].try != types[type].try && types[other].try(&msg, NULL, NULL) != ERR_MALFORMED)
                fail_msg("taken for %s: %s", types[other].type, field_text(vector, "name"));
        }
        blob_free(&msg);
    }
    json_decref(root);
}

static void test_most_updates_of_a_tile_frame(void **state)
{
    (void)state;
    for (uint32_t count = LIMIT_TILE_FRAME_UPDATES; count <= LIMIT_TILE_FRAME_UPDATES + 1; count++) {
        struct ws_tile tile = {.count = (uint16_t)count, .first = 5, .epoch = 3, .previous_epoch = 3};
        size_t len = WS_TILE_HEAD_LEN + (size_t)count * WS_UPDATE_LEN;
        uint8_t *msg = calloc(len, 1);
        assert_non_null(msg);
        assert_int_equal(ws_encode_tile_head(msg, &tile), WS_TILE_HEAD_LEN);
        assert_int_equal(ws_decode_tile(msg, len, &tile), count == LIMIT_TILE_FRAME_UPDATES ? 0 : ERR_MALFORMED);
        free(msg);
    }
}

// The greatest HELLO is what the limit of a client's message was made for.
static void test_greatest_hello_fits_the_limit(void **state)
{
    (void)state;
    assert_true(WS_HELLO_HEAD_LEN + LIMIT_WATCH_TILES * WS_ENTRY_LEN <= LIMIT_WS_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_read_and_written),     cmocka_unit_test(test_malformed_refused),
        cmocka_unit_test(test_cut_and_mistaken_refused),      cmocka_unit_test(test_most_updates_of_a_tile_frame),
        cmocka_unit_test(test_greatest_hello_fits_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
