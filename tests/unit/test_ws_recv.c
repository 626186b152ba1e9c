#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/ws_recv.h"
#include "proto/limits.h"
#include "proto/ws_proto.h"

#define FIN 0x80
#define CONTINUATION 0
#define TEXT 1
#define BINARY 2
#define CLOSE 8
#define PING 9
#define PONG 10

// What the client sends, and what came of it.
static uint8_t wire[200000];
static size_t wire_len;

static struct seen {
    unsigned messages, pings, pongs, frames;
    size_t bytes;
    uint8_t last[LIMIT_WS_MESSAGE];
    size_t last_len;
    unsigned stop_before; // frames after which may_read says no
} seen;

static struct ws_recv_pool pool;

static void put_frame(uint8_t first, const void *payload, size_t len)
{
    const uint8_t mask[4] = {1, 2, 3, 4};
    wire[wire_len++] = first;
    if (len < 126) {
        wire[wire_len++] = (uint8_t)(0x80 | len);
    } else if (len < 65536) {
        wire[wire_len++] = 0x80 | 126;
        wire[wire_len++] = (uint8_t)(len >> 8);
        wire[wire_len++] = (uint8_t)len;
    } else {
        wire[wire_len++] = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8)
            wire[wire_len++] = (uint8_t)((uint64_t)len >> shift);
    }
    memcpy(wire + wire_len, mask, 4);
    wire_len += 4;
    for (size_t i = 0; i < len; i++)
        wire[wire_len++] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
}

static bool may_read(void *arg)
{
    (void)arg;
    if (seen.stop_before > 0 && seen.frames >= seen.stop_before)
        return false;
    seen.frames++;
    return true;
}

static void on_message(void *arg, const uint8_t *message, size_t len)
{
    (void)arg;
    seen.messages++;
    seen.bytes += len;
    assert_true(len <= sizeof seen.last);
    memcpy(seen.last, message, len);
    seen.last_len = len;
}

static void on_ping(void *arg, const uint8_t *payload, size_t len)
{
    (void)arg;
    (void)payload;
    assert_true(len <= 125);
    seen.pings++;
}

static void on_pong(void *arg)
{
    (void)arg;
    seen.pongs++;
}

// Ours and wslay's. (With a sanitizer malloc is its own: then nothing is counted.)
static unsigned allocations;
#ifdef __has_feature // clang says it in this way
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1 // NOLINT(bugprone-reserved-identifier)
#endif
#endif
#ifndef __SANITIZE_ADDRESS__
extern void *__libc_malloc(size_t size);
void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}
#endif

static const struct ws_recv_handlers handlers = {may_read, on_message, on_ping, on_pong};

static void begin(void)
{
    wire_len = 0;
    memset(&seen, 0, sizeof seen);
}

// Feeds everything in pieces of `step`; the end, or that it goes on. *recv tells whether something is in pieces.
static struct ws_recv_result feed(size_t step, bool *in_pieces)
{
    struct ws_recv *recv = NULL;
    struct ws_recv_result result = {WS_RECV_GOES_ON, 0};
    for (size_t at = 0; at < wire_len && result.end == WS_RECV_GOES_ON; at += step) {
        size_t len = wire_len - at < step ? wire_len - at : step;
        struct ws_recv_input input = {wire + at, len};
        assert_int_equal(ws_recv_feed(&recv, &pool, &handlers, NULL, &input, &result), 0);
        if (result.end == WS_RECV_GOES_ON)
            assert_int_equal(input.len, 0);
        else
            assert_null(recv);
    }
    if (in_pieces != NULL)
        *in_pieces = recv != NULL;
    ws_recv_free(recv);
    return result;
}

static const size_t steps[] = {1, 2, 5, 6, 7, 8, 100, 5000, 1000000};
#define STEPS (sizeof steps / sizeof steps[0])

static void expect_end(enum ws_recv_end end, unsigned code)
{
    for (size_t i = 0; i < STEPS; i++) {
        memset(&seen, 0, sizeof seen);
        struct ws_recv_result result = feed(steps[i], NULL);
        assert_int_equal(result.end, end);
        assert_int_equal(result.code, code);
    }
}

static void test_messages(void **state)
{
    (void)state;
    static uint8_t big[LIMIT_WS_MESSAGE];
    begin();
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (uint8_t)(i * 7);
    put_frame(FIN | BINARY, "hello", 5);
    put_frame(FIN | BINARY, "", 0);
    put_frame(FIN | BINARY, big, 126);
    put_frame(FIN | BINARY, big, 125);
    put_frame(FIN | BINARY, big, sizeof big);
    for (size_t i = 0; i < STEPS; i++) {
        bool in_pieces = true;
        memset(&seen, 0, sizeof seen);
        assert_int_equal(feed(steps[i], &in_pieces).end, WS_RECV_GOES_ON);
        assert_int_equal(seen.messages, 5);
        assert_int_equal(seen.bytes, 5 + 126 + 125 + sizeof big);
        assert_int_equal(seen.last_len, sizeof big);
        assert_memory_equal(seen.last, big, sizeof big);
        assert_false(in_pieces);
    }
}

static void test_in_pieces_at_every_truncation(void **state)
{
    (void)state;
    uint8_t payload[200] = {0};
    begin();
    put_frame(FIN | BINARY, payload, sizeof payload);
    size_t whole = wire_len;
    for (wire_len = 1; wire_len < whole; wire_len++) {
        bool in_pieces = false;
        memset(&seen, 0, sizeof seen);
        assert_int_equal(feed(wire_len, &in_pieces).end, WS_RECV_GOES_ON);
        assert_true(in_pieces);
        assert_int_equal(seen.messages, 0);
    }
}

static void test_fragments(void **state)
{
    (void)state;
    begin();
    put_frame(BINARY, "ab", 2);
    put_frame(FIN | PING, "x", 1); // between the fragments
    put_frame(CONTINUATION, "", 0);
    put_frame(FIN | CONTINUATION, "cd", 2);
    for (size_t i = 0; i < STEPS; i++) {
        bool in_pieces = true;
        memset(&seen, 0, sizeof seen);
        assert_int_equal(feed(steps[i], &in_pieces).end, WS_RECV_GOES_ON);
        assert_int_equal(seen.messages, 1);
        assert_int_equal(seen.pings, 1);
        assert_memory_equal(seen.last, "abcd", 4);
        assert_false(in_pieces);
    }
    begin();
    put_frame(BINARY, "ab", 2);
    bool in_pieces = false;
    assert_int_equal(feed(100, &in_pieces).end, WS_RECV_GOES_ON);
    assert_true(in_pieces); // at the end of a frame, but not of the message
}

static void test_whole_messages_allocate_nothing(void **state)
{
    (void)state;
    begin();
    put_frame(FIN | BINARY, "warm", 4);
    assert_int_equal(feed(1000000, NULL).end, WS_RECV_GOES_ON);
    begin();
    for (unsigned i = 0; i < 100; i++)
        put_frame(FIN | BINARY, "0123456789", 10);
    allocations = 0;
    assert_int_equal(feed(1000000, NULL).end, WS_RECV_GOES_ON);
    assert_int_equal(allocations, 0);
    assert_int_equal(seen.messages, 100);
}

static void test_frames_per_message(void **state)
{
    (void)state;
    for (unsigned frames = LIMIT_WS_FRAMES; frames <= LIMIT_WS_FRAMES + 1; frames++) {
        begin();
        put_frame(BINARY, "x", 1);
        for (unsigned i = 2; i < frames; i++)
            put_frame(CONTINUATION, "", 0);
        put_frame(FIN | CONTINUATION, "y", 1);
        if (frames == LIMIT_WS_FRAMES)
            expect_end(WS_RECV_GOES_ON, 0);
        else
            expect_end(WS_RECV_BROKEN, WS_CLOSE_MALFORMED);
    }
    assert_int_equal(seen.messages, 0);
}

static void test_too_long(void **state)
{
    (void)state;
    static uint8_t big[70000];
    begin();
    put_frame(FIN | BINARY, big, LIMIT_WS_MESSAGE + 1);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TOO_LONG);
    begin();
    put_frame(FIN | BINARY, big, sizeof big);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TOO_LONG);
    begin();
    put_frame(BINARY, big, LIMIT_WS_MESSAGE);
    put_frame(FIN | CONTINUATION, big, 1);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TOO_LONG);
    // A length that nobody could send, announced only.
    begin();
    put_frame(FIN | BINARY, big, sizeof big);
    memset(wire + 2, 0, 8);
    wire[2] = 0x7f;
    wire_len = 15;
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TOO_LONG);
    wire[2] = 0x80;
    expect_end(WS_RECV_BROKEN, WS_CLOSE_PROTOCOL);
}

static void test_text(void **state)
{
    (void)state;
    begin();
    put_frame(FIN | TEXT, "hi", 2);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TEXT);
    assert_int_equal(seen.messages, 0);
    begin();
    put_frame(TEXT, "hi", 2);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TEXT);
    begin();
    put_frame(FIN | TEXT, "", 0);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_TEXT);
}

static void test_malformed(void **state)
{
    (void)state;
    const uint8_t unmasked[] = {FIN | BINARY, 2, 'a', 'b', 0, 0, 0, 0};
    const uint8_t long_form[] = {FIN | BINARY, 0x80 | 126, 0, 5, 1, 2, 3, 4, 'a', 'b', 'c', 'd', 'e'};
    const struct {
        uint8_t first;
        const char *payload;
        size_t len;
    } frames[] = {
        {FIN | 0x40 | BINARY, "a", 1}, // reserved bit 1
        {FIN | 0x20 | BINARY, "a", 1},
        {FIN | 0x10 | BINARY, "a", 1},
        {FIN | 3, "a", 1}, // reserved opcodes
        {FIN | 7, "a", 1},
        {FIN | 11, "a", 1},
        {FIN | CONTINUATION, "a", 1}, // of nothing
        {PING, "a", 1},               // fragmented control frames
        {CLOSE, "", 0},
        {FIN | CLOSE, "x", 1},        // half a code
        {FIN | CLOSE, "\x03\xed", 2}, // 1005 must not be sent
        {FIN | CLOSE, "\x00\x01", 2},
        {FIN | CLOSE, "\xff\xff", 2},
    };
    for (size_t i = 0; i < sizeof frames / sizeof frames[0]; i++) {
        begin();
        put_frame(frames[i].first, frames[i].payload, frames[i].len);
        expect_end(WS_RECV_BROKEN, WS_CLOSE_PROTOCOL);
        assert_int_equal(seen.messages + seen.pings, 0);
    }
    begin();
    memcpy(wire, unmasked, wire_len = sizeof unmasked);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_PROTOCOL);
    begin();
    memcpy(wire, long_form, wire_len = sizeof long_form);
    expect_end(WS_RECV_BROKEN, WS_CLOSE_PROTOCOL);
    begin();
    put_frame(BINARY, "a", 1);
    put_frame(FIN | BINARY, "b", 1); // a new message inside a message
    expect_end(WS_RECV_BROKEN, WS_CLOSE_PROTOCOL);
    uint8_t payload[126] = {0};
    begin();
    put_frame(FIN | PING, payload, 126); // too long for a control frame
    expect_end(WS_RECV_BROKEN, WS_CLOSE_PROTOCOL);
    // A reason that is not UTF-8. (wslay misjudges reasons that come in pieces; the connection ends either way.)
    begin();
    put_frame(FIN | CLOSE, "\x03\xe8\xff\xfe", 4);
    memset(&seen, 0, sizeof seen);
    struct ws_recv_result result = feed(wire_len, NULL);
    assert_int_equal(result.end, WS_RECV_BROKEN);
    assert_int_equal(result.code, WS_CLOSE_PROTOCOL);
}

static void test_close(void **state)
{
    (void)state;
    begin();
    put_frame(FIN | BINARY, "a", 1);
    put_frame(FIN | CLOSE,
              "\x03\xe8"
              "bye",
              5);
    put_frame(FIN | BINARY, "late", 4);
    expect_end(WS_RECV_PEER_CLOSED, 1000);
    assert_int_equal(seen.messages, 1);
    begin();
    put_frame(FIN | CLOSE, "", 0);
    expect_end(WS_RECV_PEER_CLOSED, 1000);
    begin();
    put_frame(FIN | CLOSE, "\x0f\xa2", 2);
    expect_end(WS_RECV_PEER_CLOSED, 4002);
    begin();
    put_frame(FIN | CLOSE, "\x03\xe8\xc3\xa4", 4); // a reason that begins with two bytes of one letter
    assert_int_equal(feed(wire_len, NULL).end, WS_RECV_PEER_CLOSED);
}

static void test_stops_at_a_boundary(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 10; i++)
        put_frame(FIN | BINARY, "0123456789", 10);
    seen.stop_before = 3;
    struct ws_recv *recv = NULL;
    struct ws_recv_result result;
    struct ws_recv_input input = {wire, wire_len};
    assert_int_equal(ws_recv_feed(&recv, &pool, &handlers, NULL, &input, &result), 0);
    assert_int_equal(result.end, WS_RECV_GOES_ON);
    assert_int_equal(seen.messages, 3);
    assert_int_equal(input.len, 7 * 16);
    assert_null(recv);
    seen.stop_before = 0;
    assert_int_equal(ws_recv_feed(&recv, &pool, &handlers, NULL, &input, &result), 0);
    assert_int_equal(seen.messages, 10);
    assert_int_equal(input.len, 0);
    assert_null(recv);
}

static void test_pings(void **state)
{
    (void)state;
    begin();
    for (unsigned i = 0; i < 3000; i++)
        put_frame(FIN | PING, "ping", 4);
    put_frame(FIN | PONG, "", 0);
    for (size_t i = 0; i < STEPS; i++) {
        memset(&seen, 0, sizeof seen);
        assert_int_equal(feed(steps[i], NULL).end, WS_RECV_GOES_ON);
        assert_int_equal(seen.pings, 3000);
        assert_int_equal(seen.pongs, 1);
        assert_int_equal(seen.frames, 3001);
    }
}

static void test_pool_is_bounded_and_used(void **state)
{
    (void)state;
    struct ws_recv *recvs[2 * WS_RECV_POOL_MAX] = {NULL};
    struct ws_recv_result result;
    begin();
    put_frame(FIN | BINARY, "hello", 5);
    for (unsigned i = 0; i < 2 * WS_RECV_POOL_MAX; i++) {
        struct ws_recv_input input = {wire, 3};
        assert_int_equal(ws_recv_feed(&recvs[i], &pool, &handlers, NULL, &input, &result), 0);
        assert_non_null(recvs[i]);
    }
    for (unsigned i = 0; i < 2 * WS_RECV_POOL_MAX; i++) {
        struct ws_recv_input input = {wire + 3, wire_len - 3};
        assert_int_equal(ws_recv_feed(&recvs[i], &pool, &handlers, NULL, &input, &result), 0);
        assert_null(recvs[i]);
    }
    assert_int_equal(seen.messages, 2 * WS_RECV_POOL_MAX);
    assert_int_equal(pool.count, WS_RECV_POOL_MAX);
}

// Whatever the bytes are: the same end in one piece and byte by byte.
static void test_noise(void **state)
{
    (void)state;
    uint32_t seed = 11;
    for (unsigned round = 0; round < 20000; round++) {
        begin();
        put_frame(FIN | BINARY, "hello", 5);
        put_frame(BINARY, "a", 1);
        put_frame(FIN | PING, "p", 1);
        put_frame(FIN | CONTINUATION, "b", 1);
        for (unsigned n = 0; n < 1 + round % 3; n++) {
            seed = seed * 1664525 + 1013904223;
            size_t at = (seed >> 8) % wire_len;
            seed = seed * 1664525 + 1013904223;
            wire[at] = (uint8_t)(seed >> 16);
        }
        struct ws_recv_result whole = feed(wire_len, NULL);
        struct seen first = seen;
        memset(&seen, 0, sizeof seen);
        struct ws_recv_result bytewise = feed(1, NULL);
        assert_int_equal(whole.end == WS_RECV_GOES_ON, bytewise.end == WS_RECV_GOES_ON);
        assert_int_equal(first.messages, seen.messages);
        assert_int_equal(first.bytes, seen.bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_in_pieces_at_every_truncation),
        cmocka_unit_test(test_fragments),
        cmocka_unit_test(test_whole_messages_allocate_nothing),
        cmocka_unit_test(test_frames_per_message),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_stops_at_a_boundary),
        cmocka_unit_test(test_pings),
        cmocka_unit_test(test_pool_is_bounded_and_used),
        cmocka_unit_test(test_noise),
    };
    int result = cmocka_run_group_tests_name("ws_recv", tests, NULL, NULL);
    ws_recv_pool_fini(&pool);
    return result;
}
