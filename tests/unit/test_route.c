// Draws on their way: forwarded, answered, refused, in time or too late, and never more than may wait.
#include "tests/unit/route_scene.h"

static void test_there_and_back(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    scene_submit(s, (struct tile){1, 1});
    scene_submit(s, (struct tile){2, 1});
    assert_int_equal(s->client.in_flight, 2);

    uint8_t ids[2 * LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2}, 2, ids);
    scene_expect_no_verdict(s);
    scene_answer(s, a, ids, 1, VERDICT_PLACED);
    struct ws_verdict verdict = scene_verdict(s);
    assert_int_equal(verdict.nonce, 2);
    assert_int_equal(verdict.seq, 41);
    assert_int_equal(verdict.next_nonce, 9);
    assert_int_equal(verdict.wait_ms, 11);
    scene_answer(s, a, ids, 0, VERDICT_COOLDOWN);
    scene_expect_verdict(s, 1, VERDICT_COOLDOWN);
    assert_int_equal(s->client.in_flight, 0);
    assert_null(s->client.draws);
    assert_int_equal(route_stats(s->route)->tiles, 0);
    assert_true(route_deadline(s->route).us == MONOTIME_NEVER.us);
}

static void test_nobody_there(void **state)
{
    struct scene *s = *state;
    scene_submit(s, (struct tile){0, 0});
    assert_false(route_has_forward(s->route));
    assert_true(route_deadline(s->route).us == s->now.us + 3000000);
    scene_pass_ms(s, 2999);
    scene_expect_no_verdict(s);
    scene_pass_ms(s, 1);
    struct ws_verdict verdict = scene_verdict(s);
    assert_int_equal(verdict.code, VERDICT_UNAVAILABLE);
    assert_int_equal(verdict.next_nonce, 1);
    assert_int_equal(verdict.wait_ms, 1000);
    assert_int_equal(verdict.seq, 0);
    assert_int_equal(s->client.in_flight, 0);
}

static void test_waits_for_the_link(void **state)
{
    struct scene *s = *state;
    scene_submit(s, (struct tile){0, 0});
    scene_set_view(s, 1, SCENE_A, NULL);
    assert_false(route_has_forward(s->route));
    uint16_t a = scene_open(s, SCENE_A);
    uint8_t ids[LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
}

static void test_refused_keeps_order(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    struct tile tile = {5, 5};
    uint8_t ids[4 * LINK_ID_LEN];
    scene_submit_all(s, tile, 3);
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);

    // The first two come back; the third is still there, so nothing may leave, however long that takes.
    assert_int_equal(route_not_owner(s->route, a, 1, ids, 2, s->now), 0);
    scene_submit(s, tile);
    scene_pass_ms(s, 1000);
    assert_false(route_has_forward(s->route));

    assert_int_equal(route_not_owner(s->route, a, 1, ids + 2 * LINK_ID_LEN, 1, s->now), 0);
    scene_pass_ms(s, 10);
    scene_expect_forward(s, a, 2, (uint32_t[]){1, 2, 3, 4}, 4, ids);
    assert_int_equal(route_stats(s->route)->refused, 3);
}

static void test_retries_slow_down(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    scene_submit(s, (struct tile){5, 5});
    uint8_t ids[LINK_ID_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    const int64_t delays[] = {10, 20, 40, 80, 160, 320, 500, 500, 500};
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(route_not_owner(s->route, a, 1, ids, 1, s->now), 0);
        assert_true(route_deadline(s->route).us == s->now.us + delays[i] * 1000);
        scene_pass_ms(s, delays[i] - 1);
        assert_false(route_has_forward(s->route));
        scene_pass_ms(s, 1);
        scene_expect_forward(s, a, i + 1, (uint32_t[]){1}, 1, ids);
    }
    scene_answer(s, a, ids, 0, VERDICT_PLACED);
    // A success starts over.
    scene_submit(s, (struct tile){5, 5});
    scene_expect_forward(s, a, 9, (uint32_t[]){2}, 1, ids);
    assert_int_equal(route_not_owner(s->route, a, 1, ids, 1, s->now), 0);
    assert_true(route_deadline(s->route).us == s->now.us + 10000);
}

static void test_too_late(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    uint8_t ids[3 * LINK_ID_LEN];
    scene_submit_all(s, (struct tile){0, 0}, 2);
    scene_submit(s, (struct tile){9, 9});
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
    scene_pass_ms(s, 3000);
    scene_expect_verdict(s, 1, VERDICT_UNAVAILABLE);
    scene_expect_verdict(s, 2, VERDICT_UNAVAILABLE);
    scene_expect_verdict(s, 3, VERDICT_UNAVAILABLE);
    scene_expect_no_verdict(s);
    assert_int_equal(s->client.in_flight, 0);
    assert_int_equal(route_stats(s->route)->in_flight, 3);

    // What comes for them now is dropped, and they are not sent again.
    scene_answer(s, a, ids, 0, VERDICT_PLACED);
    assert_int_equal(route_not_owner(s->route, a, 1, ids + LINK_ID_LEN, 1, s->now), 0);
    route_link_down(s->route, a, s->now);
    scene_expect_no_verdict(s);
    assert_int_equal(route_stats(s->route)->tiles, 0);
    route_link_up(s->route, a, s->now);
    scene_pass_ms(s, 1000);
    assert_false(route_has_forward(s->route));
    assert_true(route_deadline(s->route).us == MONOTIME_NEVER.us);
}

static void test_answer_between_telling_and_taking(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    uint8_t ids[LINK_ID_LEN];
    scene_submit(s, (struct tile){0, 0});
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    scene_pass_ms(s, 3000);
    scene_answer(s, a, ids, 0, VERDICT_PLACED);
    scene_expect_verdict(s, 1, VERDICT_UNAVAILABLE);
    scene_expect_no_verdict(s);
    scene_submit(s, (struct tile){0, 0});
    scene_expect_forward(s, a, 0, (uint32_t[]){2}, 1, ids);
    scene_answer(s, a, ids, 0, VERDICT_PLACED);
    scene_expect_verdict(s, 2, VERDICT_PLACED);
}

static void test_forget(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    uint8_t ids[3 * LINK_ID_LEN];
    scene_submit_all(s, (struct tile){0, 0}, 2);
    scene_submit(s, (struct tile){1, 0});
    scene_expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
    scene_answer(s, a, ids, 0, VERDICT_PLACED);
    route_forget(s->route, &s->client);
    assert_int_equal(s->client.in_flight, 0);
    scene_expect_no_verdict(s);

    // They go on, also over a refusal.
    assert_int_equal(route_not_owner(s->route, a, 1, ids + LINK_ID_LEN, 1, s->now), 0);
    scene_pass_ms(s, 10);
    scene_expect_forward(s, a, 1, (uint32_t[]){2}, 1, ids + LINK_ID_LEN);
    scene_answer(s, a, ids, 1, VERDICT_PLACED);
    scene_pass_ms(s, 3000);
    scene_answer(s, a, ids, 2, VERDICT_PLACED);
    scene_expect_no_verdict(s);
    assert_int_equal(route_stats(s->route)->tiles, 0);
}

static void test_bounds(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    static struct cluster_client clients[100];
    memset(clients, 0, sizeof clients);
    uint32_t taken = 0;
    while (scene_submit_for(s, &clients[taken % 100], (struct tile){(uint16_t)(taken % 7), 0}) == 0)
        taken++;
    assert_int_equal(taken, LIMIT_GATEWAY_WAITING);

    static uint8_t verdicts[LIMIT_LINK_IN_FLIGHT * LINK_VERDICT_LEN];
    uint32_t sent = 0;
    struct route_forward forward;
    while (route_next_forward(s->route, &forward)) {
        assert_in_range(forward.count, 1, LIMIT_BATCH_DRAWS);
        for (uint32_t i = 0; i < forward.count; i++) {
            struct link_draw draw;
            assert_int_equal(link_draw_at(forward.draws, i, &draw), 0);
            assert_true(sent < LIMIT_LINK_IN_FLIGHT);
            link_put_verdict(verdicts + sent++ * LINK_VERDICT_LEN, &(struct link_verdict){.id = draw.id});
        }
    }
    assert_int_equal(sent, LIMIT_LINK_IN_FLIGHT);
    assert_int_equal(route_stats(s->route)->waiting, LIMIT_GATEWAY_WAITING - LIMIT_LINK_IN_FLIGHT);

    // Each answer makes room for one.
    assert_int_equal(route_verdicts(s->route, a, verdicts, 3, s->now), 0);
    assert_true(route_next_forward(s->route, &forward));
    assert_int_equal(forward.count, 3);
    assert_false(route_has_forward(s->route));

    // A lost link may bring back more than may wait; then nothing new is taken.
    while (scene_submit_for(s, &clients[taken % 100], (struct tile){(uint16_t)(taken % 7), 0}) == 0)
        taken++;
    route_link_down(s->route, a, s->now);
    assert_int_equal(scene_submit_for(s, &clients[0], (struct tile){0, 0}), ERR_FULL);
    assert_int_equal(route_stats(s->route)->waiting, LIMIT_GATEWAY_WAITING + LIMIT_LINK_IN_FLIGHT);
    scene_pass_ms(s, 3000);
    uint32_t verdict_count = 0;
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    while (route_next_verdict(s->route, &client, &verdict, &submitted))
        verdict_count++;
    assert_int_equal(verdict_count, taken);
}

static void test_malformed(void **state)
{
    struct scene *s = *state;
    scene_set_view(s, 1, SCENE_A, SCENE_B);
    uint16_t a = scene_open(s, SCENE_A);
    uint16_t b = scene_open(s, SCENE_B);
    scene_submit(s, scene_tile_of(s, SCENE_A));
    uint8_t ids[LINK_ID_LEN], record[LINK_VERDICT_LEN];
    scene_expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    struct link_verdict verdict = {.id = link_id_at(ids, 0)};
    link_put_verdict(record, &verdict);
    assert_int_equal(route_verdicts(s->route, b, record, 1, s->now), ERR_MALFORMED);
    assert_int_equal(route_not_owner(s->route, b, 1, ids, 1, s->now), ERR_MALFORMED);
    verdict.code = VERDICT_COUNT;
    link_put_verdict(record, &verdict);
    assert_int_equal(route_verdicts(s->route, a, record, 1, s->now), ERR_MALFORMED);
    for (unsigned shift = 0; shift < 32; shift++) {
        verdict = (struct link_verdict){.id = verdict.id ^ 1u << shift};
        link_put_verdict(record, &verdict);
        assert_int_equal(route_verdicts(s->route, a, record, 1, s->now), ERR_MALFORMED);
    }
    scene_expect_no_verdict(s);
}

static void test_steady_state_reuses(void **state)
{
    struct scene *s = *state;
    uint16_t a = scene_open_a(s);
    for (uint32_t i = 1; i <= 20000; i++) {
        scene_submit(s, (struct tile){(uint16_t)i, (uint16_t)(i / 7)});
        uint8_t ids[LINK_ID_LEN];
        scene_expect_forward(s, a, 0, &i, 1, ids);
        assert_true(link_id_at(ids, 0) < 1024);
        scene_answer(s, a, ids, 0, VERDICT_PLACED);
        scene_expect_verdict(s, i, VERDICT_PLACED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_there_and_back),
        SCENE(test_nobody_there),
        SCENE(test_waits_for_the_link),
        SCENE(test_refused_keeps_order),
        SCENE(test_retries_slow_down),
        SCENE(test_too_late),
        SCENE(test_answer_between_telling_and_taking),
        SCENE(test_forget),
        SCENE(test_bounds),
        SCENE(test_malformed),
        SCENE(test_steady_state_reuses),
    };
    return cmocka_run_group_tests_name("route", tests, NULL, NULL);
}
