#include <stdlib.h>

#include "check.h"
#include "gateway/held.h"
#include "gateway/hub.h"
#include "gateway/interest.h"

#define TILES 8u
#define CLIENTS 300u

static struct held helds[TILES];
static struct hub_client clients[CLIENTS];
static struct interest interest;
static unsigned unwatched;

static void on_unwatched(struct held *held, void *arg)
{
    (void)arg;
    assert_int_equal(held->watchers.count, 0);
    unwatched++;
}

static int begin(void **state)
{
    (void)state;
    memset(helds, 0, sizeof helds);
    memset(clients, 0, sizeof clients);
    unwatched = 0;
    for (unsigned i = 0; i < TILES; i++)
        helds[i].key = 100 + 7 * i;
    interest_init(&interest, on_unwatched, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    interest_fini(&interest);
    assert_int_equal(interest.count, 0);
    for (unsigned i = 0; i < TILES; i++)
        interest_tile_fini(&helds[i].watchers);
    return 0;
}

static struct audience *intern_in(uint32_t lane, unsigned tiles)
{
    struct held *list[TILES];
    struct audience *audience;
    uint32_t count = 0;
    for (unsigned i = 0; i < TILES; i++) {
        if (tiles & 1u << i)
            list[count++] = &helds[i];
    }
    assert_int_equal(interest_intern(&interest, lane, list, count, &audience), 0);
    return audience;
}

static struct audience *intern(unsigned tiles)
{
    return intern_in(0, tiles);
}

static void join(unsigned client, unsigned tiles)
{
    assert_int_equal(interest_add(&interest, intern(tiles), &clients[client]), 0);
}

static void test_one_audience_for_one_set(void **state)
{
    (void)state;
    join(0, 5);
    join(1, 5);
    join(2, 6);
    join(3, 0);
    assert_ptr_equal(clients[0].audience, clients[1].audience);
    assert_ptr_not_equal(clients[0].audience, clients[2].audience);
    assert_int_equal(interest.count, 3);
    assert_int_equal(helds[2].watchers.count, 2);
    assert_int_equal(interest_find(clients[0].audience, 100), 0);
    assert_int_equal(interest_find(clients[0].audience, 114), 1);
    assert_int_equal(interest_find(clients[0].audience, 107), -1);
    assert_int_equal(interest_find(clients[3].audience, 107), -1);
    interest_remove(&interest, &clients[0]);
    assert_int_equal(helds[0].watchers.count, 1);
    interest_remove(&interest, &clients[1]);
    assert_int_equal(unwatched, 1); // tile 2 still has the other audience
    assert_int_equal(interest.count, 2);
    interest_remove(&interest, &clients[2]);
    interest_remove(&interest, &clients[3]);
}

static void test_order_of_acceptance_survives(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CLIENTS; i++)
        join(i, 3);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (i % 5 != 0)
            interest_remove(&interest, &clients[i]);
    }
    const struct audience *audience = clients[0].audience;
    const struct hub_client *last = NULL;
    assert_true(audience->used - audience->members <= audience->members + 17);
    for (uint32_t i = 0; i < audience->used; i++) {
        const struct hub_client *client = audience->clients[i];
        if (client == NULL)
            continue;
        assert_int_equal(client->index, i);
        assert_true(last == NULL || last < client);
        last = client;
    }
    for (unsigned i = 0; i < CLIENTS; i += 5)
        interest_remove(&interest, &clients[i]);
}

static void test_pinned_stays(void **state)
{
    (void)state;
    join(0, 1);
    join(1, 1);
    struct audience *audience = clients[0].audience;
    audience->pinned = true;
    interest_remove(&interest, &clients[0]);
    interest_remove(&interest, &clients[1]);
    assert_int_equal(interest.count, 1);
    join(2, 1);
    assert_ptr_equal(clients[2].audience, audience);
    assert_int_equal(clients[2].index, 2); // no hole was closed
    interest_remove(&interest, &clients[2]);
    audience->pinned = false;
    interest_settle(&interest, audience);
    assert_int_equal(interest.count, 0);
}

// The same set in another lane is another audience, and each tile knows its audiences by lane.
static void test_lanes_are_apart(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(interest_add(&interest, intern_in(i % 2, 3), &clients[i]), 0);
    assert_int_equal(interest.count, 2);
    assert_ptr_not_equal(clients[0].audience, clients[1].audience);
    assert_int_equal(clients[1].audience->lane, 1);
    assert_int_equal(helds[0].watchers.count, 2);
    for (unsigned lane = 0; lane < 2; lane++) {
        assert_int_equal(interest.lane_members[lane], 3);
        assert_int_equal(helds[1].watchers.lanes[lane].count, 1);
        assert_ptr_equal(helds[1].watchers.lanes[lane].slots[0].audience, clients[lane].audience);
    }
    for (unsigned i = 0; i < 6; i += 2)
        interest_remove(&interest, &clients[i]);
    assert_int_equal(interest.lane_members[0], 0);
    assert_int_equal(helds[0].watchers.lanes[0].count, 0);
    assert_int_equal(helds[0].watchers.count, 1);
    assert_int_equal(unwatched, 0);
    for (unsigned i = 1; i < 6; i += 2)
        interest_remove(&interest, &clients[i]);
    assert_int_equal(unwatched, 2);
}

static void check_slots(void)
{
    for (unsigned tile = 0; tile < TILES; tile++) {
        uint32_t count = 0;
        for (uint32_t lane = 0; lane < INTEREST_LANES; lane++) {
            const struct interest_slots *slots = &helds[tile].watchers.lanes[lane];
            count += slots->count;
            for (uint32_t slot = 0; slot < slots->count; slot++) {
                struct interest_slot at = slots->slots[slot];
                assert_int_equal(at.audience->lane, lane);
                assert_ptr_equal(at.audience->watches[at.watch].held, &helds[tile]);
                assert_int_equal(at.audience->watches[at.watch].slot, slot);
            }
        }
        assert_int_equal(helds[tile].watchers.count, count);
    }
}

static void test_random_moves(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        struct hub_client *client = &clients[(unsigned)rand() % CLIENTS];
        struct audience *audience = intern_in((unsigned)rand() % INTEREST_LANES, (unsigned)rand() % (1u << TILES));
        if (client->audience == audience)
            interest_remove(&interest, client);
        else
            assert_int_equal(interest_add(&interest, audience, client), 0);
        if (i % 500 == 0)
            check_slots();
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (clients[i].audience != NULL)
            interest_remove(&interest, &clients[i]);
    }
    assert_int_equal(interest.members, 0);
    assert_int_equal(interest.count, 0);
    for (unsigned i = 0; i < TILES; i++)
        assert_int_equal(helds[i].watchers.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_audience_for_one_set, begin, end),
        cmocka_unit_test_setup_teardown(test_order_of_acceptance_survives, begin, end),
        cmocka_unit_test_setup_teardown(test_pinned_stays, begin, end),
        cmocka_unit_test_setup_teardown(test_lanes_are_apart, begin, end),
        cmocka_unit_test_setup_teardown(test_random_moves, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
