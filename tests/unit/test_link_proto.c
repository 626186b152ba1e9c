#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/link_proto.h"
#include "tests/unit/vectors.h"

static uint8_t encoded[LIMIT_LINK_MESSAGE];

static void assert_message(const json_t *vector, size_t len)
{
    assert_hex_field(vector, "hex", encoded, len);
}

static size_t again_draws(const json_t *fields, const struct link_message *msg)
{
    static uint8_t blob[LIMIT_BATCH_DRAWS * LINK_DRAW_LEN];
    const json_t *list = json_object_get(fields, "draws");
    assert_int_equal(json_array_size(list), msg->count);
    assert_int_equal(field_number(fields, "refusals"), msg->refusals);
    for (uint32_t i = 0; i < msg->count; i++) {
        const json_t *fields_of_draw = json_array_get(list, i);
        struct link_draw draw;
        assert_int_equal(link_draw_at(msg->records, i, &draw), 0);
        assert_int_equal(field_number(fields_of_draw, "id"), draw.id);
        assert_int_equal(field_number(fields_of_draw, "nonce"), draw.nonce);
        assert_int_equal(field_number(fields_of_draw, "x"), draw.x);
        assert_int_equal(field_number(fields_of_draw, "y"), draw.y);
        assert_int_equal(field_number(fields_of_draw, "color"), draw.color);
        assert_int_equal(field_number(fields_of_draw, "kind"), draw.kind);
        assert_int_equal(field_u64(fields_of_draw, "user"), draw.user);
        assert_int_equal(field_u64(fields_of_draw, "connection"), draw.connection);
        assert_hex_field(fields_of_draw, "address", draw.address.bytes, sizeof draw.address.bytes);
        link_put_draw(blob + (size_t)i * LINK_DRAW_LEN, &draw);
    }
    return link_encode_forward(encoded, msg->view, msg->refusals, blob, msg->count);
}

static size_t again_verdicts(const json_t *fields, const struct link_message *msg)
{
    static uint8_t blob[LIMIT_BATCH_DRAWS * LINK_VERDICT_LEN];
    const json_t *list = json_object_get(fields, "verdicts");
    assert_int_equal(json_array_size(list), msg->count);
    for (uint32_t i = 0; i < msg->count; i++) {
        const json_t *fields_of_verdict = json_array_get(list, i);
        struct link_verdict verdict;
        link_verdict_at(msg->records, i, &verdict);
        assert_int_equal(field_number(fields_of_verdict, "id"), verdict.id);
        assert_int_equal(field_number(fields_of_verdict, "code"), verdict.code);
        assert_int_equal(field_number(fields_of_verdict, "seq"), verdict.seq);
        assert_int_equal(field_number(fields_of_verdict, "nextNonce"), verdict.next_nonce);
        assert_int_equal(field_number(fields_of_verdict, "waitMs"), verdict.wait_ms);
        link_put_verdict(blob + (size_t)i * LINK_VERDICT_LEN, &verdict);
    }
    return link_encode_verdicts(encoded, blob, msg->count);
}

static size_t again_ids(const json_t *fields, const struct link_message *msg)
{
    static uint8_t blob[LIMIT_BATCH_DRAWS * LINK_ID_LEN];
    const json_t *list = json_object_get(fields, "ids");
    assert_int_equal(json_array_size(list), msg->count);
    for (uint32_t i = 0; i < msg->count; i++) {
        uint32_t id = link_id_at(msg->records, i);
        assert_int_equal(json_integer_value(json_array_get(list, i)), id);
        link_put_id(blob + (size_t)i * LINK_ID_LEN, id);
    }
    return link_encode_not_owner(encoded, msg->view, blob, msg->count);
}

// Compares with the fields and encodes once more.
static size_t again(const json_t *fields, const struct link_message *msg)
{
    if (json_object_get(fields, "view") != NULL)
        assert_int_equal(field_u64(fields, "view"), msg->view);
    switch (msg->type) {
    case LINK_CHALLENGE:
        assert_int_equal(field_number(fields, "version"), msg->version);
        assert_hex_field(fields, "nonce", msg->nonce, LINK_NONCE_LEN);
        return link_encode_challenge(encoded, msg->nonce);
    case LINK_RESPONSE:
        assert_int_equal(field_number(fields, "version"), msg->version);
        assert_hex_field(fields, "nonce", msg->nonce, LINK_NONCE_LEN);
        assert_hex_field(fields, "mac", msg->mac, LINK_MAC_LEN);
        assert_int_equal(field_u64(fields, "gateway"), msg->gateway);
        return link_encode_response(encoded, msg->nonce, msg->gateway, msg->mac);
    case LINK_ACCEPT:
        assert_hex_field(fields, "mac", msg->mac, LINK_MAC_LEN);
        assert_int_equal(field_u64(fields, "incarnation"), msg->incarnation);
        return link_encode_accept(encoded, msg->mac, msg->incarnation, msg->view);
    case LINK_FORWARD:
        return again_draws(fields, msg);
    case LINK_VERDICTS:
        return again_verdicts(fields, msg);
    case LINK_NOT_OWNER:
        return again_ids(fields, msg);
    case LINK_PING:
        return link_encode_ping(encoded);
    case LINK_PONG:
        return link_encode_pong(encoded, msg->view);
    }
    fail_msg("type %d", msg->type);
    return 0;
}

static const char *type_text(enum link_type type)
{
    static const char *const names[] = {"",         "challenge", "response", "accept", "forward",
                                        "verdicts", "not_owner", "ping",     "pong"};
    return names[type];
}

static void read_all(const char *list, bool written_the_same)
{
    json_t *root = vectors_load("link.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, list), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct link_message decoded;
        if (link_decode(msg.data, msg.len, &decoded) != 0)
            fail_msg("refused: %s", field_text(vector, "name"));
        assert_string_equal(type_text(decoded.type), field_text(vector, "type"));
        size_t len = again(json_object_get(vector, "fields"), &decoded);
        if (written_the_same)
            assert_message(vector, len);
        blob_free(&msg);
    }
    assert_true(index > 0);
    json_decref(root);
}

static void test_messages_read_and_written(void **state)
{
    (void)state;
    read_all("messages", true);
}

static void test_other_ways_of_writing_understood(void **state)
{
    (void)state;
    read_all("readable", false);
}

static void test_malformed_refused(void **state)
{
    (void)state;
    json_t *root = vectors_load("link.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "malformed"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct link_message decoded;
        if (link_decode(msg.data, msg.len, &decoded) != ERR_MALFORMED)
            fail_msg("taken: %s", field_text(vector, "name"));
        blob_free(&msg);
    }
    assert_true(index >= 40);
    json_array_foreach(json_object_get(root, "malformed_draws"), index, vector)
    {
        struct blob record = blob_from_hex(field_text(vector, "hex"));
        struct link_draw draw;
        if (link_draw_at(record.data, 0, &draw) != ERR_MALFORMED)
            fail_msg("taken: draw with %s", field_text(vector, "name"));
        blob_free(&record);
    }
    json_decref(root);
}

// Cut anywhere, or with any one byte changed to any other: refused, or read within its bounds (a sanitizer sees).
static void test_cut_and_damaged(void **state)
{
    (void)state;
    json_t *root = vectors_load("link.json");
    size_t index;
    const json_t *vector;
    json_array_foreach(json_object_get(root, "messages"), index, vector)
    {
        struct blob msg = blob_from_hex(field_text(vector, "hex"));
        struct link_message decoded;
        for (size_t len = 0; len < msg.len; len++) {
            struct blob cut = blob_cut(&msg, len);
            if (link_decode(cut.data, cut.len, &decoded) != ERR_MALFORMED)
                fail_msg("taken at %zu bytes: %s", len, field_text(vector, "name"));
            blob_free(&cut);
        }
        for (size_t at = 0; at < msg.len && at < 64; at++) {
            for (unsigned value = 0; value < 256; value++) {
                struct blob damaged = blob_cut(&msg, msg.len);
                damaged.data[at] = (uint8_t)value;
                if (link_decode(damaged.data, damaged.len, &decoded) == 0 && decoded.count > 0)
                    assert_true(decoded.records >= damaged.data && decoded.records < damaged.data + damaged.len);
                blob_free(&damaged);
            }
        }
        blob_free(&msg);
    }
    json_decref(root);
}

// A batch of 512 of every kind is taken and fits the cap; one of 513 is refused.
static void test_batches_bounded(void **state)
{
    (void)state;
    static uint8_t blob[(LIMIT_BATCH_DRAWS + 1) * LINK_DRAW_LEN];
    struct link_message decoded;
    for (uint32_t count = LIMIT_BATCH_DRAWS; count <= LIMIT_BATCH_DRAWS + 1; count++) {
        int expected = count == LIMIT_BATCH_DRAWS ? 0 : ERR_MALFORMED;
        assert_int_equal(
            link_decode(encoded, link_encode_forward(encoded, UINT64_MAX, UINT32_MAX, blob, count), &decoded),
            expected);
        assert_int_equal(link_decode(encoded, link_encode_verdicts(encoded, blob, count), &decoded), expected);
        assert_int_equal(link_decode(encoded, link_encode_not_owner(encoded, UINT64_MAX, blob, count), &decoded),
                         expected);
    }
    assert_true(link_encode_forward(encoded, UINT64_MAX, UINT32_MAX, blob, LIMIT_BATCH_DRAWS) <= LIMIT_LINK_MESSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_read_and_written), cmocka_unit_test(test_other_ways_of_writing_understood),
        cmocka_unit_test(test_malformed_refused),         cmocka_unit_test(test_cut_and_damaged),
        cmocka_unit_test(test_batches_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
