// Draws on their way, one scene after the other.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/bytes.h"
#include "gateway/route.h"
#include "proto/verdict.h"

#define A "10.0.0.1:7000"
#define B "10.0.0.2:7000"

struct scene {
    struct route *route;
    struct monotime now;
    struct member_view view;
    struct cluster_client client;
    uint32_t next_nonce;
};

static int setup(void **state)
{
    static struct scene scene;
    scene = (struct scene){.route = route_new(), .now = {1000000}};
    assert_non_null(scene.route);
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    route_free(((struct scene *)*state)->route);
    return 0;
}

static void pass_ms(struct scene *s, int64_t ms)
{
    s->now = monotime_add_ms(s->now, ms);
    route_tick(s->route, s->now);
}

static void set_view(struct scene *s, uint64_t number, const char *first, const char *second)
{
    s->view = (struct member_view){.number = number};
    const char *all[] = {first, second};
    for (int i = 0; i < 2; i++) {
        if (all[i] != NULL)
            assert_int_equal(member_view_add(&s->view, all[i], strlen(all[i]), 1), 0);
    }
    route_set_view(s->route, &s->view, s->now);
}

// Opens what is to be opened and says that it is up; closing is looked at by the scenes themselves.
static uint16_t open_one(struct scene *s, const char *address)
{
    struct route_link_change change;
    assert_true(route_next_link(s->route, s->now, &change));
    assert_true(change.open);
    assert_string_equal(change.address, address);
    route_link_up(s->route, change.slot, s->now);
    return change.slot;
}

// A tile that this member owns in the scene's view.
static struct tile tile_of(const struct scene *s, const char *address)
{
    for (uint16_t tx = 0;; tx++) {
        struct tile tile = {tx, 0};
        if (strcmp(member_owner(&s->view, tile)->address, address) == 0)
            return tile;
    }
}

static int submit_for(struct scene *s, struct cluster_client *client, struct tile tile)
{
    struct link_draw draw = {.nonce = ++s->next_nonce, .x = 3, .y = 4, .color = 5, .kind = LINK_USER_GUEST, .user = 7};
    return route_submit(s->route, client, tile, &draw, s->now);
}

static void submit(struct scene *s, struct tile tile)
{
    assert_int_equal(submit_for(s, &s->client, tile), 0);
}

// The next FORWARD holds exactly these nonces; gives their ids.
static void expect_forward(struct scene *s, uint16_t slot, uint32_t refusals, const uint32_t *nonces, uint32_t count,
                           uint8_t *ids)
{
    struct route_forward forward;
    assert_true(route_next_forward(s->route, &forward));
    assert_int_equal(forward.slot, slot);
    assert_int_equal(forward.view, s->view.number);
    assert_int_equal(forward.refusals, refusals);
    assert_int_equal(forward.count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct link_draw draw;
        assert_int_equal(link_draw_at(forward.draws, i, &draw), 0);
        assert_int_equal(draw.nonce, nonces[i]);
        assert_int_equal(draw.user, 7);
        link_put_id(ids + i * LINK_ID_LEN, draw.id);
    }
    assert_false(route_has_forward(s->route));
}

static void answer(struct scene *s, uint16_t slot, const uint8_t *ids, uint32_t i, uint8_t code)
{
    uint8_t record[LINK_VERDICT_LEN];
    struct link_verdict verdict = {
        .id = link_id_at(ids, i), .code = code, .seq = 40 + i, .next_nonce = 9, .wait_ms = 11};
    link_put_verdict(record, &verdict);
    assert_int_equal(route_verdicts(s->route, slot, record, 1, s->now), 0);
}

static void expect_verdict(struct scene *s, uint32_t nonce, uint8_t code)
{
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    assert_true(route_next_verdict(s->route, &client, &verdict, &submitted));
    assert_ptr_equal(client, &s->client);
    assert_int_equal(verdict.nonce, nonce);
    assert_int_equal(verdict.code, code);
    assert_int_equal(verdict.x, 3);
    assert_int_equal(verdict.y, 4);
}

static void expect_no_verdict(struct scene *s)
{
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    assert_false(route_next_verdict(s->route, &client, &verdict, &submitted));
}

// ---- Scenes --------------------------------------------------------------------------------------------------------

static void test_there_and_back(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    submit(s, (struct tile){1, 1});
    submit(s, (struct tile){2, 1});
    assert_int_equal(s->client.in_flight, 2);

    uint8_t ids[2 * LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1, 2}, 2, ids);
    expect_no_verdict(s);
    answer(s, a, ids, 1, VERDICT_PLACED);
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    assert_true(route_next_verdict(s->route, &client, &verdict, &submitted));
    assert_int_equal(verdict.nonce, 2);
    assert_int_equal(verdict.seq, 41);
    assert_int_equal(verdict.next_nonce, 9);
    assert_int_equal(verdict.wait_ms, 11);
    answer(s, a, ids, 0, VERDICT_COOLDOWN);
    expect_verdict(s, 1, VERDICT_COOLDOWN);
    assert_int_equal(s->client.in_flight, 0);
    assert_null(s->client.draws);
    assert_int_equal(route_stats(s->route)->tiles, 0);
    assert_true(route_deadline(s->route).us == MONOTIME_NEVER.us);
}

static void test_nobody_there(void **state)
{
    struct scene *s = *state;
    submit(s, (struct tile){0, 0});
    assert_false(route_has_forward(s->route));
    assert_true(route_deadline(s->route).us == s->now.us + 3000000);
    pass_ms(s, 2999);
    expect_no_verdict(s);
    pass_ms(s, 1);
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    assert_true(route_next_verdict(s->route, &client, &verdict, &submitted));
    assert_int_equal(verdict.code, VERDICT_UNAVAILABLE);
    assert_int_equal(verdict.next_nonce, 1);
    assert_int_equal(verdict.wait_ms, 1000);
    assert_int_equal(verdict.seq, 0);
    assert_int_equal(s->client.in_flight, 0);
}

static void test_waits_for_the_link(void **state)
{
    struct scene *s = *state;
    submit(s, (struct tile){0, 0});
    set_view(s, 1, A, NULL);
    assert_false(route_has_forward(s->route));
    uint16_t a = open_one(s, A);
    uint8_t ids[LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
}

static void test_refused_keeps_order(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    struct tile tile = {5, 5};
    uint8_t ids[4 * LINK_ID_LEN];
    submit(s, tile);
    submit(s, tile);
    submit(s, tile);
    expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);

    // The first two come back; the third is still there, so nothing may leave, however long that takes.
    assert_int_equal(route_not_owner(s->route, a, 1, ids, 2, s->now), 0);
    submit(s, tile);
    pass_ms(s, 1000);
    assert_false(route_has_forward(s->route));

    assert_int_equal(route_not_owner(s->route, a, 1, ids + 2 * LINK_ID_LEN, 1, s->now), 0);
    pass_ms(s, 10);
    expect_forward(s, a, 2, (uint32_t[]){1, 2, 3, 4}, 4, ids);
    assert_int_equal(route_stats(s->route)->refused, 3);
}

static void test_retries_slow_down(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    submit(s, (struct tile){5, 5});
    uint8_t ids[LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    const int64_t delays[] = {10, 20, 40, 80, 160, 320, 500, 500, 500};
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(route_not_owner(s->route, a, 1, ids, 1, s->now), 0);
        assert_true(route_deadline(s->route).us == s->now.us + delays[i] * 1000);
        pass_ms(s, delays[i] - 1);
        assert_false(route_has_forward(s->route));
        pass_ms(s, 1);
        expect_forward(s, a, i + 1, (uint32_t[]){1}, 1, ids);
    }
    answer(s, a, ids, 0, VERDICT_PLACED);
    // A success starts over.
    submit(s, (struct tile){5, 5});
    expect_forward(s, a, 9, (uint32_t[]){2}, 1, ids);
    assert_int_equal(route_not_owner(s->route, a, 1, ids, 1, s->now), 0);
    assert_true(route_deadline(s->route).us == s->now.us + 10000);
}

static void test_newer_view_is_read_first(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    submit(s, (struct tile){0, 0});
    uint8_t ids[LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    assert_int_equal(route_not_owner(s->route, a, 2, ids, 1, s->now), 0);
    assert_true(route_wants_view(s->route));
    pass_ms(s, 100);
    assert_false(route_has_forward(s->route));

    set_view(s, 2, B, NULL);
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
    expect_forward(s, b, 0, (uint32_t[]){1}, 1, ids);
    route_hint_view(s->route, 2);
    assert_false(route_wants_view(s->route));
}

static void test_a_new_owner_needs_no_waiting(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, B);
    uint16_t a = open_one(s, A);
    uint16_t b = open_one(s, B);
    struct tile tile = tile_of(s, A);
    submit(s, tile);
    uint8_t ids[LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    assert_int_equal(route_not_owner(s->route, a, 2, ids, 1, s->now), 0);
    set_view(s, 2, B, NULL);
    expect_forward(s, b, 0, (uint32_t[]){1}, 1, ids);
}

static void test_lost_link(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    struct tile tile = {0, 0};
    uint8_t ids[3 * LINK_ID_LEN];
    submit(s, tile);
    submit(s, tile);
    expect_forward(s, a, 0, (uint32_t[]){1, 2}, 2, ids);
    route_link_down(s->route, a, s->now);
    route_link_down(s->route, a, s->now);
    submit(s, tile);
    assert_int_equal(route_stats(s->route)->lost, 2);
    assert_int_equal(route_stats(s->route)->in_flight, 0);

    uint8_t record[LINK_VERDICT_LEN];
    link_put_verdict(record, &(struct link_verdict){.id = link_id_at(ids, 0)});
    assert_int_equal(route_verdicts(s->route, a, record, 1, s->now), ERR_MALFORMED);

    route_link_up(s->route, a, s->now);
    assert_false(route_has_forward(s->route));
    pass_ms(s, 10);
    expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
}

// A refusal that does not look at earlier attempts says nothing of them: the client has to ask again.
static void test_lost_link_then_refused(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    struct tile tile = {0, 0};
    uint8_t ids[4 * LINK_ID_LEN];
    for (int i = 0; i < 3; i++)
        submit(s, tile);
    expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
    route_link_down(s->route, a, s->now);
    route_link_up(s->route, a, s->now);
    pass_ms(s, 10);
    submit(s, tile);
    expect_forward(s, a, 0, (uint32_t[]){1, 2, 3, 4}, 4, ids);
    answer(s, a, ids, 0, VERDICT_STALE);
    answer(s, a, ids, 1, VERDICT_OVERLOADED);
    answer(s, a, ids, 2, VERDICT_COOLDOWN);
    answer(s, a, ids, 3, VERDICT_STALE);
    expect_verdict(s, 1, VERDICT_UNAVAILABLE);
    expect_verdict(s, 2, VERDICT_UNAVAILABLE);
    expect_verdict(s, 3, VERDICT_COOLDOWN);
    expect_verdict(s, 4, VERDICT_STALE);
}

static void test_never_in_two_places(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    set_view(s, 2, A, B);
    uint16_t b = open_one(s, B);
    struct tile moving = tile_of(s, B);
    set_view(s, 3, A, NULL);
    struct route_link_change change;
    assert_true(route_next_link(s->route, s->now, &change));
    assert_false(change.open);
    assert_int_equal(change.slot, b);

    submit(s, moving);
    uint8_t ids[2 * LINK_ID_LEN], later[LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    set_view(s, 4, A, B);
    b = open_one(s, B);
    submit(s, moving);
    pass_ms(s, 100);
    assert_false(route_has_forward(s->route));
    answer(s, a, ids, 0, VERDICT_PLACED);
    expect_verdict(s, 1, VERDICT_PLACED);
    expect_forward(s, b, 0, (uint32_t[]){2}, 1, later);
}

static void test_leaving_link_finishes(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    submit(s, (struct tile){0, 0});
    uint8_t ids[2 * LINK_ID_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    set_view(s, 2, B, NULL);
    uint16_t b = open_one(s, B);
    struct route_link_change change;
    assert_false(route_next_link(s->route, s->now, &change));
    pass_ms(s, 499);
    assert_false(route_next_link(s->route, s->now, &change));
    submit(s, (struct tile){0, 0});

    // It said nothing for half a second: the draws go to the new owner.
    assert_true(route_deadline(s->route).us == s->now.us + 1000);
    pass_ms(s, 1);
    assert_true(route_next_link(s->route, s->now, &change));
    assert_false(change.open);
    assert_int_equal(change.slot, a);
    assert_false(route_next_link(s->route, s->now, &change));
    pass_ms(s, 10);
    expect_forward(s, b, 0, (uint32_t[]){1, 2}, 2, ids);

    // One that comes back in time stays.
    set_view(s, 3, A, NULL);
    a = open_one(s, A);
    set_view(s, 4, A, B);
    assert_false(route_next_link(s->route, s->now, &change));
    assert_true(route_is_up(s->route, b));
}

static void test_too_late(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    uint8_t ids[3 * LINK_ID_LEN];
    submit(s, (struct tile){0, 0});
    submit(s, (struct tile){0, 0});
    submit(s, (struct tile){9, 9});
    expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
    pass_ms(s, 3000);
    expect_verdict(s, 1, VERDICT_UNAVAILABLE);
    expect_verdict(s, 2, VERDICT_UNAVAILABLE);
    expect_verdict(s, 3, VERDICT_UNAVAILABLE);
    expect_no_verdict(s);
    assert_int_equal(s->client.in_flight, 0);
    assert_int_equal(route_stats(s->route)->in_flight, 3);

    // What comes for them now is dropped, and they are not sent again.
    answer(s, a, ids, 0, VERDICT_PLACED);
    assert_int_equal(route_not_owner(s->route, a, 1, ids + LINK_ID_LEN, 1, s->now), 0);
    route_link_down(s->route, a, s->now);
    expect_no_verdict(s);
    assert_int_equal(route_stats(s->route)->tiles, 0);
    route_link_up(s->route, a, s->now);
    pass_ms(s, 1000);
    assert_false(route_has_forward(s->route));
    assert_true(route_deadline(s->route).us == MONOTIME_NEVER.us);
}

static void test_answer_between_telling_and_taking(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    uint8_t ids[LINK_ID_LEN];
    submit(s, (struct tile){0, 0});
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
    pass_ms(s, 3000);
    answer(s, a, ids, 0, VERDICT_PLACED);
    expect_verdict(s, 1, VERDICT_UNAVAILABLE);
    expect_no_verdict(s);
    submit(s, (struct tile){0, 0});
    expect_forward(s, a, 0, (uint32_t[]){2}, 1, ids);
    answer(s, a, ids, 0, VERDICT_PLACED);
    expect_verdict(s, 2, VERDICT_PLACED);
}

static void test_forget(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    uint8_t ids[3 * LINK_ID_LEN];
    submit(s, (struct tile){0, 0});
    submit(s, (struct tile){0, 0});
    submit(s, (struct tile){1, 0});
    expect_forward(s, a, 0, (uint32_t[]){1, 2, 3}, 3, ids);
    answer(s, a, ids, 0, VERDICT_PLACED);
    route_forget(s->route, &s->client);
    assert_int_equal(s->client.in_flight, 0);
    expect_no_verdict(s);

    // They go on, also over a refusal.
    assert_int_equal(route_not_owner(s->route, a, 1, ids + LINK_ID_LEN, 1, s->now), 0);
    pass_ms(s, 10);
    expect_forward(s, a, 1, (uint32_t[]){2}, 1, ids + LINK_ID_LEN);
    answer(s, a, ids, 1, VERDICT_PLACED);
    pass_ms(s, 3000);
    answer(s, a, ids, 2, VERDICT_PLACED);
    expect_no_verdict(s);
    assert_int_equal(route_stats(s->route)->tiles, 0);
}

static void test_bounds(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    static struct cluster_client clients[100];
    memset(clients, 0, sizeof clients);
    uint32_t taken = 0;
    while (submit_for(s, &clients[taken % 100], (struct tile){(uint16_t)(taken % 7), 0}) == 0)
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
    while (submit_for(s, &clients[taken % 100], (struct tile){(uint16_t)(taken % 7), 0}) == 0)
        taken++;
    route_link_down(s->route, a, s->now);
    assert_int_equal(submit_for(s, &clients[0], (struct tile){0, 0}), ERR_FULL);
    assert_int_equal(route_stats(s->route)->waiting, LIMIT_GATEWAY_WAITING + LIMIT_LINK_IN_FLIGHT);
    pass_ms(s, 3000);
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
    set_view(s, 1, A, B);
    uint16_t a = open_one(s, A);
    uint16_t b = open_one(s, B);
    submit(s, tile_of(s, A));
    uint8_t ids[LINK_ID_LEN], record[LINK_VERDICT_LEN];
    expect_forward(s, a, 0, (uint32_t[]){1}, 1, ids);
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
    expect_no_verdict(s);
}

static void test_steady_state_reuses(void **state)
{
    struct scene *s = *state;
    set_view(s, 1, A, NULL);
    uint16_t a = open_one(s, A);
    for (uint32_t i = 1; i <= 20000; i++) {
        submit(s, (struct tile){(uint16_t)i, (uint16_t)(i / 7)});
        uint8_t ids[LINK_ID_LEN];
        expect_forward(s, a, 0, &i, 1, ids);
        assert_true(link_id_at(ids, 0) < 1024);
        answer(s, a, ids, 0, VERDICT_PLACED);
        expect_verdict(s, i, VERDICT_PLACED);
    }
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
        cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_for_the_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_keeps_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retries_slow_down, setup, teardown),
        cmocka_unit_test_setup_teardown(test_newer_view_is_read_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_new_owner_needs_no_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lost_link_then_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_in_two_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_leaving_link_finishes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_answer_between_telling_and_taking, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forget, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steady_state_reuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_views, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
