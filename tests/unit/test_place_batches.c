// Batches: how large, how many at once, and what happens when Redis refuses one, answers nonsense, or nobody knows what
// became of it.
#include "tests/unit/place_scene.h"

static void test_batches_are_bounded(void **state)
{
    struct scene *s = *state;
    struct batch *batches[PLACE_BATCHES_MAX];
    for (uint32_t i = 0; i < 8u * 700u; i++)
        scene_ask(s, 1, (uint16_t)(i / 700 * FAKE_EDGE + i % 64), 1, i + 1);
    scene_take_all(s);
    for (size_t i = 0; i < PLACE_BATCHES_MAX; i++) {
        batches[i] = scene_send(s);
        assert_non_null(batches[i]);
        size_t count = fake_place(s->redis, &s->args);
        assert_int_equal(count, batch_tiles(batches[i]));
        assert_int_equal(count, 1);
    }
    assert_null(scene_send(s));
    for (size_t i = 0; i < PLACE_BATCHES_MAX; i++)
        place_batch_unknown(s->place, s->now, batches[i]);
    assert_int_equal(scene_tile(s)->seq, LIMIT_BATCH_DRAWS);
}

static void test_small_batches_wait_for_the_one_in_flight(void **state)
{
    struct scene *s = *state;
    for (uint16_t tile = 0; tile < 8; tile++)
        scene_ask(s, 1, (uint16_t)(tile * FAKE_EDGE), 1, tile + 1u);
    scene_place(s);
    scene_ask(s, 1, 0, 1, 100);
    struct batch *first = scene_send(s);
    assert_non_null(first);
    scene_ask(s, 1, FAKE_EDGE, 1, 101);
    assert_null(scene_send(s));
    for (uint32_t i = 0; i < 128; i++)
        scene_ask(s, 1, FAKE_EDGE, 1, 102 + i);
    struct batch *second = scene_send(s);
    assert_non_null(second);
    place_batch_unknown(s->place, s->now, first);
    place_batch_unknown(s->place, s->now, second);
}

// Every draw with a tile, a user and an address of its own.
static void test_the_worst_batch_fits(void **state)
{
    struct scene *s = *state;
    const struct canvas_config config = {
        .version = 2,
        .geom = {65536, 65536, FAKE_EDGE},
        .cooldown_ms = 86400000,
        .guests_per_address = 1024,
        .palette = *palette_default(),
    };
    place_set_config(s->place, &config);
    for (uint16_t i = 0; i < LIMIT_BATCH_DRAWS; i++) {
        struct link_draw draw = {.id = i,
                                 .nonce = INT32_MAX,
                                 .x = (uint16_t)(65535 - FAKE_EDGE * i),
                                 .y = 65535,
                                 .color = 31,
                                 .kind = LINK_USER_GUEST,
                                 .user = UINT64_MAX - i};
        memset(draw.address.bytes, 0xee, sizeof draw.address.bytes);
        draw.address.bytes[0] = (uint8_t)i;
        draw.address.bytes[1] = (uint8_t)(0x20 + (i >> 8));
        assert_int_equal(place_draw(s->place, s->now, SCENE_PEER, &draw, &s->verdict), PLACE_QUEUED);
    }
    struct place_take take;
    uint32_t taken_count = 0;
    while (place_next_take(s->place, &take)) {
        const struct place_taken taken = {.epoch = UINT64_MAX, .pos = {1, UINT32_MAX - LIMIT_BATCH_DRAWS}};
        place_taken(s->place, s->now, take.tile, &taken);
        taken_count++;
    }
    assert_int_equal(taken_count, LIMIT_BATCH_DRAWS);
    struct batch *batch = scene_send(s);
    assert_int_equal(batch_tiles(batch), LIMIT_BATCH_DRAWS);
    assert_int_equal(s->args.key_count, BATCH_KEYS_MAX);
    assert_int_equal(s->args.arg_count, 5 + LIMIT_BATCH_DRAWS * 11);
    place_batch_unknown(s->place, s->now, batch);
}

static void test_redis_may_not_write(void **state)
{
    struct scene *s = *state;
    scene_ask(s, 1, 0, 1, 1);
    scene_ask(s, 1, 0, 1, 1);
    scene_take_all(s);
    place_batch_refused(s->place, s->now, scene_send(s));
    scene_expect(s, 1, VERDICT_READ_ONLY, 0);
    scene_expect(s, 2, VERDICT_READ_ONLY, 0);
    scene_ask(s, 1, 0, 1, 1);
    assert_true(scene_run(s));
    scene_expect(s, 3, VERDICT_PLACED, 1);
}

static void test_malformed_replies_do_nothing(void **state)
{
    struct scene *s = *state;
    static const uint8_t bytes[64] = {0};
    struct batch *batch = scene_send_first(s);
    const struct batch_result bad[] = {
        {.status = 3},
        {.status = 0, .colors = bytes, .colors_len = 2},
        {.status = 0, .colors = bytes, .colors_len = 1, .verdicts = bytes, .verdicts_len = 14},
        {.status = 0, .colors = bytes, .colors_len = 0, .verdicts = bytes, .verdicts_len = 13},
        {.status = 0, .verdicts = (const uint8_t *)"\2\0\0\0\0\0\0\0\0\0\0\0\0", .verdicts_len = 14},
        {.status = 0, .verdicts = (const uint8_t *)"\0\x0b\0\0\0\0\0\0\0\0\0\0\0", .verdicts_len = 14},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(place_batch_done(s->place, s->now, batch, &bad[i], 1), ERR_MALFORMED);
    assert_int_equal(place_batch_done(s->place, s->now, batch, bad, 0), ERR_MALFORMED);
    scene_expect_nothing(s);
    place_batch_unknown(s->place, s->now, batch);
    scene_place(s);
    scene_expect(s, 1, VERDICT_PLACED, 1);
}

static void test_unknown_outcome_done(void **state)
{
    struct scene *s = *state;
    struct batch *batch = scene_send_first(s);
    fake_place(s->redis, &s->args);
    scene_ask(s, 1, 0, 2, 2);
    place_batch_unknown(s->place, s->now, batch);
    place_disconnected(s->place, s->now);
    scene_expect_nothing(s);
    scene_expect_no_take(s);
    place_connected(s->place);
    scene_expect_no_take(s);
    scene_next_view(s, true);
    scene_place(s);
    scene_expect(s, 1, VERDICT_PLACED, 1);
    scene_expect(s, 2, VERDICT_PLACED, 2);
    assert_int_equal(scene_tile(s)->seq, 2);
}

// It may have been placed by the first attempt: "not placed" would be a lie.
static void test_unknown_outcome_then_refused(void **state)
{
    struct scene *s = *state;
    struct batch *batch = scene_send_first(s);
    fake_place(s->redis, &s->args);
    place_batch_unknown(s->place, s->now, batch);
    scene_reconnect(s);
    scene_ask(s, 2, 0, 2, 1);
    struct place_take take;
    assert_true(place_next_take(s->place, &take));
    place_take_refused(s->place, take.tile);
    scene_expect(s, 1, VERDICT_UNAVAILABLE, 0);
    scene_expect(s, 2, VERDICT_READ_ONLY, 0);
}

static void test_a_late_script_of_the_old_connection_is_fenced(void **state)
{
    struct scene *s = *state;
    struct batch *batch = scene_send_first(s);
    place_batch_unknown(s->place, s->now, batch);
    scene_reconnect(s);
    scene_take_all(s);
    assert_int_equal(fake_place(s->redis, &s->args), 1); // still those of the old one
    assert_int_equal(s->redis->results[0].status, 1);
    assert_true(scene_run(s));
    scene_expect(s, 1, VERDICT_PLACED, 1);
}

// A batch that breaks every connection must not do so for ever.
static void test_nothing_is_tried_for_ever(void **state)
{
    struct scene *s = *state;
    scene_ask(s, 1, 0, 1, 1);
    uint32_t tries = 0;
    while (!place_is_quiet(s->place)) {
        scene_take_all(s);
        struct batch *batch = scene_send(s);
        assert_non_null(batch);
        s->now = monotime_add_ms(s->now, 300);
        place_batch_unknown(s->place, s->now, batch);
        place_disconnected(s->place, s->now);
        place_tick(s->place, s->now);
        assert_true(++tries <= PLACE_TRY_MS / 300);
        struct draw *draw = place_next_answer(s->place);
        if (draw != NULL) {
            assert_true(draw->not_owner);
            place_release(s->place, draw);
        }
        place_connected(s->place);
        scene_next_view(s, true);
    }
    assert_int_equal(tries, PLACE_TRY_MS / 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_batches_are_bounded),
        SCENE(test_small_batches_wait_for_the_one_in_flight),
        SCENE_WITH(test_the_worst_batch_fits, .cooldown_ms = 1000),
        SCENE(test_redis_may_not_write),
        SCENE(test_malformed_replies_do_nothing),
        SCENE(test_unknown_outcome_done),
        SCENE(test_unknown_outcome_then_refused),
        SCENE(test_a_late_script_of_the_old_connection_is_fenced),
        SCENE(test_nothing_is_tried_for_ever),
    };
    return cmocka_run_group_tests_name("place_batches", tests, NULL, NULL);
}
