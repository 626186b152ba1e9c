// What a place decides, by which rules, and what repetitions are told.
#include "tests/unit/place_scene.h"

static void test_rules_come_first(void **state)
{
    struct scene *s = *state;
    static const struct {
        bool full;
        uint16_t x;
        uint8_t color, code;
    } cases[] = {
        {false, 0, 32, VERDICT_BAD_COLOR}, {false, 512, 1, VERDICT_OUT_OF_BOUNDS}, {true, 0, 1, VERDICT_READ_ONLY}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        place_set_pressure(s->place, cases[i].full);
        assert_int_equal(scene_ask(s, 1, cases[i].x, cases[i].color, 9), PLACE_DECIDED);
        assert_int_equal(s->verdict.code, cases[i].code);
    }
    scene_take_all(s);
    assert_int_equal(s->redis->scripts, 0);
}

static void test_with_a_cooldown(void **state)
{
    struct scene *s = *state;
    const struct scene_draw draws[] = {
        SCENE_DRAW(1, 0, 1, 1, .code = VERDICT_PLACED, .seq = 1, .wait_ms = 1000),
        SCENE_DRAW(1, 1, 1, 2, .code = VERDICT_COOLDOWN, .next = 2),
        SCENE_DRAW(2, 2, 1, 7, .code = VERDICT_STALE, .next = 1),
        SCENE_DRAW(3, 3, 1, 1, .code = VERDICT_PLACED, .seq = 2),
        SCENE_DRAW(1, 0, 1, 1, .code = VERDICT_PLACED, .seq = 1),
    };
    SCENE_EXPECT_ALL(s, true, draws);
    assert_int_equal(scene_tile(s)->seq, 2);
}

static void test_repetitions(void **state)
{
    struct scene *s = *state;
    const struct scene_draw first[] = {
        SCENE_DRAW(1, 0, 1, 1, .code = VERDICT_PLACED, .seq = 1),
        SCENE_DRAW(1, 0, 1, 1, .code = VERDICT_PLACED, .seq = 1),
        SCENE_DRAW(1, 1, 1, 3, .code = VERDICT_PLACED, .seq = 2),
    };
    SCENE_EXPECT_ALL(s, true, first);
    const struct scene_draw again[] = {
        SCENE_DRAW(1, 0, 1, 1, .code = VERDICT_PLACED, .seq = 2),
        SCENE_DRAW(1, 1, 1, 3, .code = VERDICT_PLACED, .seq = 2, .next = 4),
    };
    SCENE_EXPECT_ALL(s, false, again);
    // The one that is missing is new; one too old is nobody's.
    const struct scene_draw late[] = {
        SCENE_DRAW(1, 2, 1, 2, .code = VERDICT_PLACED, .seq = 3),
        SCENE_DRAW(1, 2, 1, 300, .code = VERDICT_PLACED, .seq = 4),
        SCENE_DRAW(1, 2, 1, 44, .code = VERDICT_STALE),
    };
    SCENE_EXPECT_ALL(s, true, late);
}

// It was recognised as a repetition of a draw in the same batch, which then was not placed after all.
static void test_a_repetition_of_what_was_not_placed(void **state)
{
    struct scene *s = *state;
    const struct link_draw again = {
        .id = 77, .nonce = NONCE_COUNTED_FIRST, .color = 1, .kind = LINK_USER_GUEST, .user = 1, .connection = 7};
    place_peer_open(s->place, SCENE_PEER + 1);
    scene_ask(s, 1, 0, 1, 1);
    assert_int_equal(place_draw(s->place, s->now, SCENE_PEER + 1, &again, &s->verdict), PLACE_QUEUED);
    scene_take_all(s);
    struct batch *batch = scene_send(s);
    place_batch_unknown(s->place, s->now, batch);
    place_peer_close(s->place, SCENE_PEER);
    scene_place(s);
    scene_expect(s, 77, VERDICT_PLACED, 1);
    assert_int_equal(scene_tile(s)->seq, 1);
}

// The cooldown becomes more, and 0 again, while draws are under way of which nobody knows what became. Repeated, each
// is judged by the rule that it was made under: PLACED once, wherever it was placed.
static void test_the_rule_changes_under_draws(void **state)
{
    struct scene *s = *state;
    const uint32_t counted = NONCE_COUNTED_FIRST;
    s->nonces = 0; // as they are
    const struct scene_draw counting[] = {
        SCENE_DRAW(1, 0, 1, counted, .code = VERDICT_PLACED, .seq = 1),
        SCENE_DRAW(1, 1, 1, counted + 1, .code = VERDICT_PLACED, .seq = 2),
    };
    SCENE_EXPECT_ALL(s, true, counting);

    scene_set_config(s, 1000);
    const struct scene_draw with_a_cooldown[] = {
        SCENE_DRAW(1, 0, 1, counted, .code = VERDICT_PLACED, .seq = 2),     // its verdict was lost
        SCENE_DRAW(1, 2, 1, counted + 2, .code = VERDICT_STALE, .next = 1), // it never arrived
        SCENE_DRAW(1, 2, 1, 1, .code = VERDICT_PLACED, .seq = 3),           // the first of the other rule
        SCENE_DRAW(1, 0, 1, counted, .code = VERDICT_PLACED, .seq = 2),
    };
    SCENE_EXPECT_ALL(s, true, with_a_cooldown);

    // Another owner knows it from Redis.
    scene_reconnect(s);
    const struct scene_draw another_owner[] = {
        SCENE_DRAW(1, 1, 1, counted + 1, .code = VERDICT_PLACED, .seq = 2),
    };
    SCENE_EXPECT_ALL(s, false, another_owner);

    scene_set_config(s, 0);
    const struct scene_draw counting_again[] = {
        SCENE_DRAW(1, 2, 1, 1, .code = VERDICT_PLACED, .seq = 3),           // its verdict was lost
        SCENE_DRAW(1, 3, 1, counted + 3, .code = VERDICT_PLACED, .seq = 4), // new, in the same batch
        SCENE_DRAW(1, 4, 1, 2, .code = VERDICT_STALE, .next = counted),     // never arrived
        SCENE_DRAW(1, 5, 1, counted + 4, .code = VERDICT_PLACED, .seq = 5),
        SCENE_DRAW(1, 2, 1, 1, .code = VERDICT_PLACED, .seq = 3),
    };
    SCENE_EXPECT_ALL(s, true, counting_again);
    // And what the windows say of where they are is right, though the batch had others among them.
    const struct scene_draw windows[] = {
        SCENE_DRAW(1, 5, 1, counted + 4, .code = VERDICT_PLACED, .seq = 5),
    };
    SCENE_EXPECT_ALL(s, false, windows);
    assert_int_equal(scene_tile(s)->seq, 5);
}

static void test_overload(void **state)
{
    struct scene *s = *state;
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(scene_ask(s, 1, 0, 1, i), PLACE_QUEUED);
    assert_int_equal(scene_ask(s, 1, 0, 1, 11), PLACE_DECIDED);
    assert_int_equal(s->verdict.code, VERDICT_OVERLOADED);
    assert_true(s->verdict.wait_ms > 0);
    scene_place(s);
    for (uint32_t i = 1; i <= 10; i++)
        scene_expect(s, i, VERDICT_PLACED, i);
    // It was refused; it is not taken for placed because later ones were.
    scene_ask(s, 1, 0, 1, 12);
    scene_ask(s, 1, 0, 1, 11);
    assert_true(scene_run(s));
    scene_expect(s, 12, VERDICT_PLACED, 11);
    scene_expect(s, 13, VERDICT_PLACED, 12);
}

static void test_a_closed_link_takes_its_draws_along(void **state)
{
    struct scene *s = *state;
    scene_ask(s, 1, 0, 1, 1);
    place_peer_close(s->place, SCENE_PEER);
    place_peer_open(s->place, SCENE_PEER);
    scene_ask(s, 1, 0, 2, 2);
    scene_place(s);
    scene_expect(s, 2, VERDICT_PLACED, 1);
    assert_int_equal(place_peer(s->place, SCENE_PEER)->in_flight, 0);
    assert_true(place_is_quiet(s->place));
}

static void test_before_the_configuration_is_known(void **state)
{
    struct scene *s = *state;
    assert_int_equal(scene_ask(s, 1, 64, 1, 1), PLACE_NOT_OWNER);
    // Another of that tile may be under way and would overtake it: the link has to go.
    assert_true(place_peer(s->place, SCENE_PEER)->broken);
}

static void test_a_tile_without_numbers_left(void **state)
{
    struct scene *s = *state;
    scene_tile(s)->seq = UINT32_MAX - 5;
    scene_ask(s, 1, 0, 1, 1);
    scene_take_all(s);
    assert_false(scene_run(s));
    scene_expect(s, 1, VERDICT_READ_ONLY, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_rules_come_first),
        SCENE_WITH(test_with_a_cooldown, .cooldown_ms = 1000),
        SCENE(test_repetitions),
        SCENE(test_a_repetition_of_what_was_not_placed),
        SCENE(test_the_rule_changes_under_draws),
        SCENE_WITH(test_overload, .waiting_max = 10),
        SCENE(test_a_closed_link_takes_its_draws_along),
        SCENE_WITH(test_before_the_configuration_is_known, .unknown = true),
        SCENE(test_a_tile_without_numbers_left),
    };
    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
