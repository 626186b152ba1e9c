#include "check.h"

#include "shard/window.h"

static void test_empty(void **state)
{
    (void)state;
    struct window window = {0};
    assert_int_equal(window_ask(&window, 1), WINDOW_NEW);
    assert_int_equal(window_ask(&window, UINT32_MAX), WINDOW_NEW);
}

static void test_gaps_are_new(void **state)
{
    (void)state;
    struct window window = {0};
    window_add(&window, 5, 1);
    window_add(&window, 8, 2);
    assert_int_equal(window_ask(&window, 5), WINDOW_PLACED);
    assert_int_equal(window_ask(&window, 8), WINDOW_PLACED);
    for (uint32_t nonce = 6; nonce <= 7; nonce++)
        assert_int_equal(window_ask(&window, nonce), WINDOW_NEW);
    assert_int_equal(window_ask(&window, 4), WINDOW_NEW);
    window_add(&window, 6, 3);
    assert_int_equal(window_ask(&window, 6), WINDOW_PLACED);
    assert_int_equal(window_ask(&window, 7), WINDOW_NEW);
    assert_int_equal(window.newest, 8);
    assert_int_equal(window.seq, 3);
}

static void test_the_edge(void **state)
{
    (void)state;
    struct window window = {0};
    window_add(&window, 1, 1);
    window_add(&window, 256, 2);
    assert_int_equal(window_ask(&window, 1), WINDOW_PLACED);
    window_add(&window, 257, 3);
    assert_int_equal(window_ask(&window, 1), WINDOW_STALE);
    assert_int_equal(window_ask(&window, 2), WINDOW_NEW);
    window_add(&window, 257 + 256, 4);
    assert_int_equal(window_ask(&window, 257), WINDOW_STALE);
    assert_int_equal(window_ask(&window, 258), WINDOW_NEW);
    window_add(&window, UINT32_MAX, 5);
    assert_int_equal(window_ask(&window, UINT32_MAX - 1), WINDOW_NEW);
    assert_int_equal(window_ask(&window, UINT32_MAX - 256), WINDOW_STALE);
}

// Against an array of what was placed.
static void test_model(void **state)
{
    (void)state;
    static uint8_t placed[20000];
    struct window window = {0};
    uint32_t random = 7;
    for (uint32_t seq = 1; seq < 5000; seq++) {
        random = random * 1664525u + 1013904223u;
        uint32_t step = random >> 16;
        uint32_t low = window.newest > 300 ? window.newest - 300 : 1;
        uint32_t nonce =
            step % 4 == 0 ? low + step / 4 % 300 : window.newest + 1 + step / 4 % (step % 32 == 1 ? 90 : 3);
        if (nonce >= sizeof placed)
            break;
        enum window_answer right = placed[nonce] ? WINDOW_PLACED : WINDOW_NEW;
        if (nonce <= window.newest && window.newest - nonce >= WINDOW_NONCES)
            right = WINDOW_STALE;
        assert_int_equal(window_ask(&window, nonce), right);
        if (right != WINDOW_NEW)
            continue;
        window_add(&window, nonce, seq);
        placed[nonce] = 1;
    }
    assert_true(window.newest > 1000);
}

static void test_bytes(void **state)
{
    (void)state;
    struct window window = {0}, again;
    uint8_t bytes[WINDOW_LEN + 1] = {0};
    window_add(&window, 0x01020304, 9);
    window_add(&window, 0x01020304 + 9, 10);
    window_encode(bytes, &window);
    static const uint8_t right[12] = {0x0d, 3, 2, 1, 10, 0, 0, 0, 0x01, 0x02, 0, 0};
    assert_memory_equal(bytes, right, sizeof right);
    assert_int_equal(window_decode(&again, check_guarded(bytes, WINDOW_LEN), WINDOW_LEN), 0);
    assert_memory_equal(&again, &window, sizeof window);
    for (size_t len = 0; len < WINDOW_LEN; len++)
        assert_int_equal(window_decode(&again, check_guarded(bytes, len), len), ERR_MALFORMED);
    assert_int_equal(window_decode(&again, bytes, WINDOW_LEN + 1), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty), cmocka_unit_test(test_gaps_are_new), cmocka_unit_test(test_the_edge),
        cmocka_unit_test(test_model), cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
