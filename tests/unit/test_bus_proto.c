#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/bus_proto.h"
#include "tests/unit/vectors.h"

static void compare(const json_t *fields, const struct bus_message *msg, const uint8_t *whole)
{
    switch (msg->type) {
    case BUS_UPDATE:
        assert_int_equal(field_number(fields, "previousEpoch"), msg->previous_epoch);
        assert_int_equal(field_number(fields, "epoch"), msg->epoch);
        assert_int_equal(field_number(fields, "first"), msg->first);
        assert_int_equal(field_number(fields, "count"), msg->count);
        assert_hex_field(fields, "updates", msg->updates, (size_t)msg->count * 3);
        break;
    case BUS_POSITION:
        assert_int_equal(field_number(fields, "epoch"), msg->epoch);
        assert_int_equal(field_number(fields, "seq"), msg->seq);
        assert_int_equal(field_u64(fields, "checksum"), msg->checksum);
        break;
    case BUS_VIEW:
        assert_int_equal(field_u64(fields, "view"), msg->view);
        break;
    case BUS_CONFIG:
        assert_int_equal(field_number(fields, "version"), msg->version);
        break;
    case BUS_ERASED:
        assert_int_equal(field_u64(fields, "user"), msg->user);
        uint8_t encoded[BUS_ERASED_LEN];
        bus_encode_erased(encoded, msg->user);
        assert_memory_equal(encoded, whole, sizeof encoded);
        break;
    }
}

static void test_messages_read(void **state)
{
    (void)state;
    static const char *const names[] = {"", "update", "position", "view", "config", "erased"};
    json_t *root = vectors_load("bus.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "messages"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct bus_message decoded;
        if (bus_decode(msg.data, msg.len, &decoded) != 0)
            fail_msg("refused: %s", field_text(vector, "name"));
        assert_string_equal(names[decoded.type], field_text(vector, "type"));
        compare(json_object_get(vector, "fields"), &decoded, msg.data);
        for (size_t len = 0; len < msg.len; len++) {
            struct blob cut = blob_cut(&msg, len);
            if (bus_decode(cut.data, cut.len, &decoded) != ERR_MALFORMED)
                fail_msg("taken at %zu bytes: %s", len, field_text(vector, "name"));
            blob_free(&cut);
        }
        blob_free(&msg);
    }
    assert_true(index >= 10);
    json_decref(root);
}

static void test_malformed_refused(void **state)
{
    (void)state;
    json_t *root = vectors_load("bus.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "malformed"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct bus_message decoded;
        if (bus_decode(msg.data, msg.len, &decoded) != ERR_MALFORMED)
            fail_msg("taken: %s", field_text(vector, "name"));
        blob_free(&msg);
    }
    assert_true(index >= 15);
    json_decref(root);
}

// While versions mix: whatever a later one says is passed over by its type alone, but it has to be a message.
static void test_later_types_are_unknown(void **state)
{
    (void)state;
    json_t *root = vectors_load("bus.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "unknown"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct bus_message decoded;
        if (bus_decode(msg.data, msg.len, &decoded) != ERR_UNSUPPORTED)
            fail_msg("not unknown: %s", field_text(vector, "name"));
        for (size_t len = 0; len < msg.len; len++) {
            struct blob cut = blob_cut(&msg, len);
            assert_int_equal(bus_decode(cut.data, cut.len, &decoded), ERR_MALFORMED);
            blob_free(&cut);
        }
        blob_free(&msg);
    }
    assert_int_equal(index, 3);
    json_decref(root);
}

// [1, 1, 1, 1, str of 513 updates] is one update too long.
static void test_update_bounded(void **state)
{
    (void)state;
    for (size_t count = 512; count <= 513; count++) {
        uint8_t msg[8 + 513 * 3] = {0x95, 1, 1, 1, 1, 0xda, (uint8_t)(count * 3 >> 8), (uint8_t)(count * 3 & 0xff)};
        struct bus_message decoded;
        assert_int_equal(bus_decode(msg, 8 + count * 3, &decoded), count == 512 ? 0 : ERR_MALFORMED);
    }
}

static void test_user_records(void **state)
{
    (void)state;
    json_t *root = vectors_load("bus.json");
    size_t index;
    const json_t *vector;
    struct user_record record;
    json_array_foreach(json_object_get(root, "records"), index, vector)
    {
        const json_t *fields = json_object_get(vector, "fields");
        struct blob bytes = blob_from_hex(field_text(vector, "hex"));
        assert_int_equal(user_record_decode(bytes.data, bytes.len, &record), 0);
        assert_int_equal(field_number(fields, "color"), record.color);
        assert_int_equal(field_number(fields, "x"), record.x);
        assert_int_equal(field_number(fields, "y"), record.y);
        assert_int_equal(field_number(fields, "nonce"), record.nonce);
        assert_int_equal(field_number(fields, "seq"), record.seq);
        assert_int_equal(field_number(fields, "landedMs"), record.landed_ms);
        uint8_t again[USER_RECORD_LEN];
        user_record_encode(again, &record);
        if (bytes.len > 0) // absent is all zero
            assert_memory_equal(again, bytes.data, sizeof again);
        blob_free(&bytes);
    }
    assert_int_equal(index, 2);
    json_array_foreach(json_object_get(root, "malformed_records"), index, vector)
    {
        struct blob bytes = blob_from_hex(field_text(vector, "hex"));
        if (user_record_decode(bytes.data, bytes.len, &record) != ERR_MALFORMED)
            fail_msg("taken: record %s", field_text(vector, "name"));
        blob_free(&bytes);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_read),
        cmocka_unit_test(test_malformed_refused),
        cmocka_unit_test(test_later_types_are_unknown),
        cmocka_unit_test(test_update_bounded),
        cmocka_unit_test(test_user_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
