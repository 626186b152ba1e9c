#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/load_frame.h"

static struct load_framer framer;

static int set_up(void **state)
{
    (void)state;
    return load_framer_init(&framer, 42);
}

static int tear_down(void **state)
{
    (void)state;
    load_framer_fini(&framer);
    return 0;
}

static void test_writes_masked_frames(void **state)
{
    (void)state;
    static const size_t lens[] = {0, 1, 10, 125, 126, 4112, 65536};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        size_t len = lens[i];
        uint8_t *payload = malloc(len + 1);
        uint8_t *frame = malloc(len + LOAD_FRAME_OVERHEAD);
        assert_non_null(payload);
        assert_non_null(frame);
        memset(payload, 0x5a, len);
        size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
        assert_int_equal(load_framer_put(&framer, frame, WSLAY_BINARY_FRAME, payload, len), head + 4 + len);
        assert_int_equal(frame[0], 0x82);
        assert_int_equal(frame[1] & 0x80, 0x80);
        for (size_t at = 0; at < len; at++)
            assert_int_equal(frame[head + 4 + at] ^ frame[head + at % 4], 0x5a);
        free(payload);
        free(frame);
    }
}

// A gateway's frame: not masked.
static size_t put_plain(uint8_t *to, uint8_t first, size_t len)
{
    size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;
    to[0] = first;
    to[1] = len < 126 ? (uint8_t)len : len < 65536 ? 126 : 127;
    for (size_t i = 2; i < head; i++)
        to[i] = (uint8_t)((uint64_t)len >> 8 * (head - 1 - i));
    for (size_t i = 0; i < len; i++)
        to[head + i] = (uint8_t)(i * 31 + len);
    return head + len;
}

// However the bytes are cut, the same frames come out, and what is left over is the beginning of the next.
static void test_reads_frames_however_they_are_cut(void **state)
{
    (void)state;
    static const size_t lens[] = {24, 0, 125, 126, 5000, 8, 65536, 200};
    enum { COUNT = sizeof lens / sizeof lens[0] };
    static const size_t steps[] = {1, 7, 1000, 4096, 100000};
    static uint8_t stream[100000];
    size_t total = 0;
    for (size_t i = 0; i < COUNT; i++)
        total += put_plain(stream + total, 0x82, lens[i]);

    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        size_t begin = 0;
        size_t frames = 0;
        // One byte at a time is done up to the large frame: the rest of it would be read 65,536 times.
        size_t stop = steps[s] == 1 ? 6000 : total;
        for (size_t end = steps[s]; begin < total; end = end + steps[s] < stop ? end + steps[s] : total) {
            struct load_frame frame;
            size_t used;
            load_framer_begin(&framer, stream + begin, (end < total ? end : total) - begin);
            while (load_framer_next(&framer, &frame) == 1) {
                assert_int_equal(frame.opcode, WSLAY_BINARY_FRAME);
                assert_int_equal(frame.len, lens[frames]);
                for (size_t i = 0; i < frame.len; i++)
                    assert_int_equal(frame.payload[i], (uint8_t)(i * 31 + frame.len));
                frames++;
            }
            assert_int_equal(load_framer_end(&framer, &used), 0);
            begin += used;
        }
        assert_int_equal(frames, COUNT);
        assert_int_equal(begin, total);
    }
}

static void assert_refused(const uint8_t *bytes, size_t len)
{
    struct load_frame frame;
    size_t used;
    load_framer_begin(&framer, bytes, len);
    assert_int_equal(load_framer_next(&framer, &frame), ERR_MALFORMED);
    assert_int_equal(load_framer_end(&framer, &used), 0);
    assert_int_equal(used, 0);
}

static void test_refuses_what_gateways_do_not_send(void **state)
{
    (void)state;
    static const uint8_t masked[] = {0x82, 0x81, 1, 2, 3, 4, 5};
    static const uint8_t first_piece[] = {0x02, 1, 0};
    static const uint8_t next_piece[] = {0x80, 1, 0};
    static const uint8_t reserved_bit[] = {0xc2, 1, 0};
    static const uint8_t huge[] = {0x82, 127, 0, 0, 0, 1, 0, 0, 0, 0, 0};
    assert_refused(masked, sizeof masked);
    assert_refused(first_piece, sizeof first_piece);
    assert_refused(next_piece, sizeof next_piece);
    assert_refused(reserved_bit, sizeof reserved_bit);
    assert_refused(huge, sizeof huge);

    // And the next connection is not bothered.
    uint8_t good[8];
    struct load_frame frame;
    size_t used;
    load_framer_begin(&framer, good, put_plain(good, 0x82, 6));
    assert_int_equal(load_framer_next(&framer, &frame), 1);
    assert_int_equal(load_framer_next(&framer, &frame), 0);
    assert_int_equal(load_framer_end(&framer, &used), 0);
    assert_int_equal(used, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_writes_masked_frames, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reads_frames_however_they_are_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_what_gateways_do_not_send, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
