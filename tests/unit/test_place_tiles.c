// Tiles: taken, fenced, rewound, held for a view, given up; and what is told of them.
#include "common/core/mix.h"
#include "tests/unit/place_scene.h"

static void test_fenced_reads_the_view_and_gives_up(void **state)
{
    struct scene *s = *state;
    scene_ask(s, 1, 0, 1, 1);
    scene_take_all(s);
    fake_steal(s->redis, (struct tile){0, 0}, 0xbb, 2);
    assert_true(scene_run(s));
    scene_expect_nothing(s);
    scene_expect_no_take(s);
    scene_next_view(s, false);
    scene_expect_no_take(s);
    scene_expect_not_owner(s, 1);
    assert_int_equal(scene_tile(s)->owner, 0xbb);
    assert_true(peer_must_refuse(place_peer(s->place, SCENE_PEER), (struct tile){0, 0}));
}

static void test_fenced_takes_again_if_still_the_winner(void **state)
{
    struct scene *s = *state;
    scene_ask(s, 1, 0, 1, 1);
    scene_take_all(s);
    fake_steal(s->redis, (struct tile){0, 0}, 0xbb, 1);
    assert_true(scene_run(s));
    scene_next_view(s, true);
    scene_place(s);
    scene_expect(s, 1, VERDICT_PLACED, 1);
    assert_int_equal(place_stats(s->place)->fenced, 1);
}

static void test_a_taking_refused_for_a_newer_view(void **state)
{
    struct scene *s = *state;
    struct place_take take;
    fake_steal(s->redis, (struct tile){0, 0}, 0xbb, 9);
    scene_ask(s, 1, 0, 1, 1);
    assert_true(place_next_take(s->place, &take));
    fake_take(s->redis, s->place, s->now, SCENE_INCARNATION, &take);
    scene_expect_no_take(s);
    s->view = 8;
    scene_next_view(s, false);
    scene_expect_no_take(s);
    scene_expect_not_owner(s, 1);
}

static void test_rewound_takes_again(void **state)
{
    struct scene *s = *state;
    scene_place_first(s);
    scene_tile(s)->seq = 0;
    scene_ask(s, 1, 0, 1, 2);
    assert_true(scene_run(s));
    scene_expect_nothing(s);
    scene_next_view(s, true);
    scene_place(s);
    scene_expect(s, 2, VERDICT_PLACED, 1);
    assert_int_equal(place_stats(s->place)->rewound, 1);
}

static void test_a_view_takes_tiles_away(void **state)
{
    struct scene *s = *state;
    struct batch *batch = scene_send_first(s);
    scene_ask(s, 1, 0, 2, 2);
    assert_int_equal(place_forward(s->place, SCENE_PEER, s->view + 1, 0), 0);
    scene_next_view(s, false);
    // What is in flight is finished first, so that what waits behind it cannot overtake.
    scene_expect_no_take(s);
    scene_expect_nothing(s);
    scene_answer(s, batch);
    scene_expect_no_take(s);
    scene_expect(s, 1, VERDICT_PLACED, 1);
    scene_expect_not_owner(s, 2);
    assert_int_equal(place_stats(s->place)->owned, 0);
}

static void test_held_for_500_ms(void **state)
{
    struct scene *s = *state;
    struct place_take take;
    scene_ask(s, 1, 0, 1, 1);
    assert_true(place_next_take(s->place, &take));
    scene_pass_ms(s, PLACE_HOLD_MS - 1);
    scene_expect_nothing(s);
    scene_pass_ms(s, 1);
    scene_expect_not_owner(s, 1);
    peer_flushed(place_peer(s->place, SCENE_PEER), 1);
    assert_int_equal(scene_ask(s, 1, 0, 1, 1), PLACE_NOT_OWNER);
    peer_flushed(place_peer(s->place, SCENE_PEER), 1);
    assert_int_equal(place_forward(s->place, SCENE_PEER, 1, 2), 0);
    assert_int_equal(scene_ask(s, 1, 0, 1, 1), PLACE_QUEUED);
    fake_take(s->redis, s->place, s->now, SCENE_INCARNATION, &take);
    assert_true(scene_run(s));
    scene_expect(s, 3, VERDICT_PLACED, 1);
}

static void test_leaving(void **state)
{
    struct scene *s = *state;
    struct batch *batch = scene_send_first(s);
    scene_ask(s, 1, 0, 2, 2);
    scene_ask(s, 1, 64, 2, 3);
    place_leave(s->place);
    scene_expect_not_owner(s, 3);
    assert_int_equal(scene_ask(s, 1, 128, 2, 4), PLACE_NOT_OWNER);
    assert_false(place_is_quiet(s->place));
    scene_answer(s, batch);
    scene_expect_no_take(s);
    scene_expect(s, 1, VERDICT_PLACED, 1);
    scene_expect_not_owner(s, 2);
    assert_true(place_is_quiet(s->place));
}

static void test_the_windows_come_with_the_tile(void **state)
{
    struct scene *s = *state;
    scene_place_first(s);
    place_disconnected(s->place, s->now);
    assert_int_equal(place_stats(s->place)->windows, 0);
    place_connected(s->place);
    scene_next_view(s, true);
    scene_ask(s, 1, 0, 1, 1);
    scene_take_all(s);
    // The other hash has an earlier one of the same connection.
    struct fake_tile *tile = scene_tile(s);
    uint8_t earlier[WINDOW_LEN] = {0};
    place_taken_window(s->place, s->now, tile->tile, tile->windows[0].field, 16, earlier, sizeof earlier);
    assert_false(scene_run(s));
    scene_expect(s, 2, VERDICT_PLACED, 1);
}

static void test_windows_that_do_not_fit(void **state)
{
    struct scene *s = *state;
    struct place_take take;
    uint8_t field[16] = {1}, value[WINDOW_LEN] = {1};
    scene_ask(s, 1, 0, 1, 1);
    assert_true(place_next_take(s->place, &take));
    const struct place_taken taken = {.epoch = 5, .pos = {4, 1}, .px = value, .px_len = 1};
    place_taken(s->place, s->now, take.tile, &taken);
    for (field[1] = 0; field[1] < 3; field[1]++)
        place_taken_window(s->place, s->now, take.tile, field, sizeof field, value, sizeof value);
    // What was placed would not be recognised: nothing is, and the tile is not kept.
    scene_expect(s, 1, VERDICT_OVERLOADED, 0);
    assert_int_equal(place_stats(s->place)->owned, 0);
    assert_int_equal(place_stats(s->place)->windows, 0);
    assert_false(scene_run(s));
    assert_true(place_is_quiet(s->place));
}

static void test_a_taking_that_redis_refuses(void **state)
{
    struct scene *s = *state;
    struct place_take take;
    scene_ask(s, 1, 0, 1, 1);
    assert_true(place_next_take(s->place, &take));
    scene_ask(s, 1, 1, 1, 2);
    place_take_refused(s->place, take.tile);
    scene_expect(s, 1, VERDICT_READ_ONLY, 0);
    assert_int_equal(s->verdict.next_nonce, 1);
    scene_expect(s, 2, VERDICT_READ_ONLY, 0);
    scene_expect_no_take(s);
    assert_true(place_is_quiet(s->place));
}

static struct place_beat next_beat(struct scene *s)
{
    struct place_beat beat;
    assert_true(place_next_beat(s->place, &beat));
    return beat;
}

static void expect_no_beat(struct scene *s)
{
    struct place_beat beat;
    assert_false(place_next_beat(s->place, &beat));
}

static void test_place_and_checksum(void **state)
{
    struct scene *s = *state;
    assert_int_equal(scene_ask(s, 1, 3, 5, 1), PLACE_QUEUED);
    assert_int_equal(scene_ask(s, 2, 3, 6, 1), PLACE_QUEUED);
    assert_false(scene_run(s));
    scene_place(s);
    scene_expect(s, 1, VERDICT_PLACED, 1);
    assert_int_equal(s->verdict.next_nonce, 2);
    assert_int_equal(s->verdict.wait_ms, 0);
    scene_expect(s, 2, VERDICT_PLACED, 2);
    place_tick(s->place, s->now);
    struct place_beat beat = next_beat(s);
    assert_int_equal(beat.seq, 2);
    assert_true(beat.checksum == mix64(3, 6));
    assert_int_equal(beat.placed, 2);
    expect_no_beat(s);
    scene_pass_ms(s, PLACE_BEAT_AFTER_MS);
    expect_no_beat(s);
    assert_int_equal(place_stats(s->place)->verdicts[VERDICT_PLACED], 2);
    assert_true(place_is_quiet(s->place));
}

static void test_beats_of_many_tiles(void **state)
{
    struct scene *s = *state;
    struct place_beat beat;
    for (uint16_t tile = 0; tile < 8; tile++)
        scene_ask(s, 1, (uint16_t)(tile * FAKE_EDGE), 1, tile + 1u);
    scene_place(s);
    scene_ask(s, 1, FAKE_EDGE, 1, 100);
    struct batch *batch = scene_send(s);
    place_tick(s->place, s->now);
    uint32_t beats = 0;
    for (; place_next_beat(s->place, &beat); beats++)
        assert_int_not_equal(beat.tile.tx, 1);
    assert_int_equal(beats, 7);
    // The one that was in a batch follows.
    scene_answer(s, batch);
    beat = next_beat(s);
    assert_int_equal(beat.tile.tx, 1);
    assert_int_equal(beat.seq, 2);
    assert_int_equal(beat.placed, 2);
    expect_no_beat(s);
    // Only those placed on lately go on.
    s->now = monotime_add_ms(s->now, PLACE_BEAT_AFTER_MS - 1);
    scene_ask(s, 1, 3 * FAKE_EDGE, 1, 101);
    assert_true(scene_run(s));
    scene_pass_ms(s, 1);
    beat = next_beat(s);
    assert_int_equal(beat.tile.tx, 3);
    assert_int_equal(beat.placed, 1);
    expect_no_beat(s);
    // Told once only.
    scene_pass_ms(s, PLACE_BEAT_EVERY_MS);
    beat = next_beat(s);
    assert_int_equal(beat.placed, 0);
    // And none of a tile that was given up.
    scene_pass_ms(s, PLACE_BEAT_EVERY_MS);
    place_disconnected(s->place, s->now);
    place_connected(s->place);
    expect_no_beat(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_fenced_reads_the_view_and_gives_up),
        SCENE(test_fenced_takes_again_if_still_the_winner),
        SCENE(test_a_taking_refused_for_a_newer_view),
        SCENE(test_rewound_takes_again),
        SCENE(test_a_view_takes_tiles_away),
        SCENE(test_held_for_500_ms),
        SCENE(test_leaving),
        SCENE(test_the_windows_come_with_the_tile),
        SCENE_WITH(test_windows_that_do_not_fit, .windows_max = 1),
        SCENE(test_a_taking_that_redis_refuses),
        SCENE(test_place_and_checksum),
        SCENE(test_beats_of_many_tiles),
    };
    return cmocka_run_group_tests_name("place_tiles", tests, NULL, NULL);
}
