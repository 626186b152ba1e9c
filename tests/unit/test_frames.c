#include <zlib.h>

#include "check.h"
#include "common/core/mix.h"
#include "gateway/frames.h"
#include "gateway/ws_conn.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"

static const struct tile tile = {7, 9};
static uint8_t records[3 * 40000];

// The payload at `at`, and past it.
static const uint8_t *payload(const uint8_t *at, size_t *len)
{
    uint8_t head[10];
    size_t n = at[1] < 126 ? 0 : at[1] == 126 ? 2 : 8;
    *len = n == 0 ? at[1] : 0;
    for (size_t i = 0; i < n; i++)
        *len = *len << 8 | at[2 + i];
    assert_int_equal(ws_frame_head(head, *len), 2 + n);
    assert_memory_equal(head, at, 2 + n);
    return at + 2 + n;
}

static void test_frame_heads(void **state)
{
    (void)state;
    uint8_t head[10];
    assert_int_equal(ws_frame_head(head, 125), 2);
    assert_memory_equal(head, ((uint8_t[]){0x82, 125}), 2);
    assert_int_equal(ws_frame_head(head, 126), 4);
    assert_memory_equal(head, ((uint8_t[]){0x82, 126, 0, 126}), 4);
    assert_int_equal(ws_frame_head(head, 65535), 4);
    assert_memory_equal(head, ((uint8_t[]){0x82, 126, 255, 255}), 4);
    assert_int_equal(ws_frame_head(head, 65536), 10);
    assert_memory_equal(head, ((uint8_t[]){0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}), 10);
}

static void test_one_frame_per_epoch_and_8192(void **state)
{
    (void)state;
    static const struct {
        uint32_t first, count;
        uint64_t epoch, previous;
    } expected[] = {{1, 10, 5, 0}, {11, 8192, 6, 5}, {8203, 8192, 6, 6}, {16395, 616, 6, 6}, {17011, 1, 9, 6}};
    struct ring ring;
    struct ws_tile frame;
    size_t len;
    for (size_t i = 0; i < sizeof records; i++)
        records[i] = (uint8_t)(i * 31);
    ring_init(&ring, 32768);
    ring_push(&ring, 5, 10, records);
    ring_push(&ring, 6, 17000, records + 30);
    ring_push(&ring, 9, 1, records + 30 + 3 * 17000);
    struct shared_buf *buf = frames_tile(&ring, tile, (struct position){0, 0}, ring_end(&ring));
    const uint8_t *at = buf->bytes;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        at = payload(at, &len);
        assert_int_equal(ws_decode_tile(at, len, &frame), 0);
        assert_true(tile_equal(frame.tile, tile));
        assert_int_equal(frame.first, expected[i].first);
        assert_int_equal(frame.count, expected[i].count);
        assert_true(frame.epoch == expected[i].epoch && frame.previous_epoch == expected[i].previous);
        assert_memory_equal(frame.updates, records + (size_t)3 * (frame.first - 1), (size_t)3 * frame.count);
        at += len;
    }
    assert_ptr_equal(at, buf->bytes + buf->len);
    shared_buf_unref(buf);
    ring_fini(&ring);
}

static void check_snapshot(const uint8_t *px, uint32_t len, uint8_t encoding, size_t at_most)
{
    const struct position pos = {77, 5};
    uint64_t checksum = mix_tile_checksum(px, len);
    struct shared_buf *buf = frames_snapshot(tile, pos, checksum, px, len);
    struct ws_snapshot snapshot;
    size_t message;
    const uint8_t *at = payload(buf->bytes, &message);
    assert_ptr_equal(at + message, buf->bytes + buf->len);
    assert_int_equal(ws_decode_snapshot(at, message, &snapshot), 0);
    assert_true(position_equal(snapshot.pos, pos) && snapshot.checksum == checksum);
    assert_true(tile_equal(snapshot.tile, tile));
    assert_int_equal(snapshot.encoding, encoding);
    assert_true(buf->len <= at_most);
    uint8_t out[65536] = {0};
    uLongf out_len = sizeof out;
    if (encoding == 1)
        assert_int_equal(uncompress(out, &out_len, snapshot.data, snapshot.len), Z_OK);
    else
        memcpy(out, snapshot.data, snapshot.len);
    assert_memory_equal(out, px, len);
    shared_buf_unref(buf);
}

static void test_snapshots(void **state)
{
    (void)state;
    static uint8_t px[65536];
    check_snapshot(px, sizeof px, 0, 2 + WS_SNAPSHOT_HEAD_LEN); // background need not travel
    px[3] = 1;
    check_snapshot(px, sizeof px, 0, 6 + WS_SNAPSHOT_HEAD_LEN);
    memset(px, 5, 40000);
    check_snapshot(px, sizeof px, 1, 1000);
    for (uint32_t i = 0; i < sizeof px; i++)
        px[i] = (uint8_t)mix_final(i + 1);
    check_snapshot(px, sizeof px, 0, 65536 + 10 + WS_SNAPSHOT_HEAD_LEN); // zlib would be longer
}

static void test_joins(void **state)
{
    (void)state;
    struct shared_buf *one = shared_buf_new(3), *two = shared_buf_new(2);
    memcpy(one->bytes, "abc", 3);
    memcpy(two->bytes, "de", 2);
    struct shared_buf *joined = frames_join((struct shared_buf *[]){one, NULL, two, one}, 4);
    assert_int_equal(joined->len, 8);
    assert_memory_equal(joined->bytes, "abcdeabc", 8);
    shared_buf_unref(joined);
    joined = frames_join(NULL, 0);
    assert_int_equal(joined->len, 0);
    shared_buf_unref(joined);
    assert_ptr_equal(shared_buf_ref(one), one);
    shared_buf_unref(one);
    shared_buf_unref(one);
    shared_buf_unref(two);
    shared_buf_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frame_heads),
        cmocka_unit_test(test_one_frame_per_epoch_and_8192),
        cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_joins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
