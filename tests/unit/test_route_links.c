// Draws on their way while views change, and links break, come back and close.
#include "tests/unit/route_scene.h"

#include <stdio.h>

static void test_newer_view_is_read_first(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    scene_submit(s, (struct tile){0, 0});
    uint8_t ids[LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    assert_int_equal(route_not_owner(s->route, a, 2, ids, 1, s->now), 0);
    assert_true(route_wants_view(s->route));
    scene_pass_ms(s, 100);
    assert_false(route_has_forward(s->route));

    scene_set_view(s, 2, SCENE_B, NULL);
    assert_false(route_wants_view(s->route));
    uint16_t b = UINT16_MAX;
    struct route_link_change change;
    while (route_next_link(s->route, s->now, &change)) {
        if (change.open)
            b = change.slot;
        else
            assert_int_equal(change.slot, a);
    }
    route_link_up(s->route, b, s->now);
    scene_expect_forward(s, b, 0, (uint32_t[]){1}, 1, ids);
    route_hint_view(s->route, 2);
    assert_false(route_wants_view(s->route));
}

static void test_a_new_owner_needs_no_waiting(void **state)
{
    struct scene *s = *state;
    scene_set_view(s, 1, SCENE_A, SCENE_B);
    uint16_t a = scene_open(s, SCENE_A);
    uint16_t b = scene_open(s, SCENE_B);
    struct tile tile = scene_tile_of(s, SCENE_A);
    scene_submit(s, tile);
    uint8_t ids[LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    assert_int_equal(route_not_owner(s->route, a, 2, ids, 1, s->now), 0);
    scene_set_view(s, 2, SCENE_B, NULL);
    scene_expect_forward(s, b, 0, (uint32_t[]){1}, 1, ids);
}

static void test_lost_link(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    struct tile tile = {0, 0};
    uint8_t ids[3 * LINK_ID_LEN];
    scene_submit_all(s, tile, 2);
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2}, 2, ids);
    route_link_down(s->route, a, s->now);
    route_link_down(s->route, a, s->now);
    scene_submit(s, tile);
    assert_int_equal(route_stats(s->route)->lost, 2);
    assert_int_equal(route_stats(s->route)->in_flight, 0);

    uint8_t record[LINK_VERDICT_LEN];
    link_put_verdict(record, &(struct link_verdict){.id = link_id_at(ids, 0)});
    assert_int_equal(route_verdicts(s->route, a, record, 1, s->now), ERR_MALFORMED);

    route_link_up(s->route, a, s->now);
    assert_false(route_has_forward(s->route));
    scene_pass_ms(s, 10);
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
}

// A refusal that does not look at earlier attempts says nothing of them: the client has to ask again.
static void test_lost_link_then_refused(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    struct tile tile = {0, 0};
    uint8_t ids[4 * LINK_ID_LEN];
    scene_submit_all(s, tile, 3);
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
    route_link_down(s->route, a, s->now);
    route_link_up(s->route, a, s->now);
    scene_pass_ms(s, 10);
    scene_submit(s, tile);
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2, 3, 4}, 4, ids);
    scene_answer(s, a, ids, 0, VERDICT_STALE);
    scene_answer(s, a, ids, 1, VERDICT_OVERLOADED);
    scene_answer(s, a, ids, 2, VERDICT_COOLDOWN);
    scene_answer(s, a, ids, 3, VERDICT_STALE);
    scene_expect_verdict(s, 1, VERDICT_UNAVAILABLE);
    scene_expect_verdict(s, 2, VERDICT_UNAVAILABLE);
    scene_expect_verdict(s, 3, VERDICT_COOLDOWN);
    scene_expect_verdict(s, 4, VERDICT_STALE);
}

static void test_never_in_two_places(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    scene_set_view(s, 2, SCENE_A, SCENE_B);
    uint16_t b = scene_open(s, SCENE_B);
    struct tile moving = scene_tile_of(s, SCENE_B);
    scene_set_view(s, 3, SCENE_A, NULL);
    scene_expect_close(s, b);

    scene_submit(s, moving);
    uint8_t ids[2 * LINK_ID_LEN], later[LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    scene_set_view(s, 4, SCENE_A, SCENE_B);
    b = scene_open(s, SCENE_B);
    scene_submit(s, moving);
    scene_pass_ms(s, 100);
    assert_false(route_has_forward(s->route));
    scene_answer(s, a, ids, 0, VERDICT_PLACED);
    scene_expect_verdict(s, 1, VERDICT_PLACED);
    scene_expect_forward(s, b, 0, (uint32_t[]){2}, 1, later);
}

static void test_leaving_link_finishes(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    scene_submit(s, (struct tile){0, 0});
    uint8_t ids[2 * LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    scene_set_view(s, 2, SCENE_B, NULL);
    uint16_t b = scene_open(s, SCENE_B);
    scene_expect_no_change(s);
    scene_pass_ms(s, 499);
    scene_expect_no_change(s);
    scene_submit(s, (struct tile){0, 0});

    // It said nothing for half a second: the draws go to the new owner.
    assert_true(route_deadline(s->route).us == s->now.us + 1000);
    scene_pass_ms(s, 1);
    scene_expect_close(s, a);
    scene_expect_no_change(s);
    scene_pass_ms(s, 10);
    scene_expect_forward(s, b, 0, (uint32_t[]){1, 2}, 2, ids);

    // One that comes back in time stays.
    scene_set_view(s, 3, SCENE_A, NULL);
    a = scene_open(s, SCENE_A);
    scene_set_view(s, 4, SCENE_A, SCENE_B);
    scene_expect_no_change(s);
    scene_submit(s, scene_tile_of(s, SCENE_B));
    scene_expect_forward(s, b, 0, (uint32_t[]){3}, 1, ids);
}

static void test_many_views(void **state)
{
    struct scene *s = *state;
    // Whole memberships are replaced faster than their links may be closed.
    uint32_t open = 0;
    struct route_link_change change;
    for (uint64_t number = 1; number <= 5; number++) {
        struct member_view view = {.number = number};
        for (int i = 0; i < MEMBER_MAX; i++) {
            char address[32];
            int len = snprintf(address, sizeof address, "10.%d.%d.%d:7", (int)number, i / 256, i % 256);
            assert_int_equal(member_view_add(&view, address, (size_t)len, 1), 0);
        }
        route_set_view(s->route, &view, s->now);
        while (route_next_link(s->route, s->now, &change))
            open += change.open ? 1u : UINT32_MAX;
        while (route_wants_view(s->route)) {
            route_set_view(s->route, &view, s->now);
            while (route_next_link(s->route, s->now, &change))
                open += change.open ? 1u : UINT32_MAX;
        }
        assert_in_range(open, MEMBER_MAX, ROUTE_LINKS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_newer_view_is_read_first),
        SCENE(test_a_new_owner_needs_no_waiting),
        SCENE(test_lost_link),
        SCENE(test_lost_link_then_refused),
        SCENE(test_never_in_two_places),
        SCENE(test_leaving_link_finishes),
        SCENE(test_many_views),
    };
    return cmocka_run_group_tests_name("route_links", tests, NULL, NULL);
}
