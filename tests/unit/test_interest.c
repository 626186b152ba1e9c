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

static struct audience *intern(unsigned tiles)
{
    struct held *list[TILES];
    struct audience *audience;
    uint32_t count = 0;
    for (unsigned i = 0; i < TILES; i++) {
        if (tiles & 1u << i)
            list[count++] = &helds[i];
    }
    assert_int_equal(interest_intern(&interest, list, count, &audience), 0);
    return audience;
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

static void check_slots(void)
{
    for (unsigned tile = 0; tile < TILES; tile++) {
        for (uint32_t slot = 0; slot < helds[tile].watchers.count; slot++) {
            struct interest_slot at = helds[tile].watchers.slots[slot];
            assert_ptr_equal(at.audience->watches[at.watch].held, &helds[tile]);
            assert_int_equal(at.audience->watches[at.watch].slot, slot);
        }
    }
}

static void test_random_moves(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < 20000; i++) {
        struct hub_client *client = &clients[(unsigned)rand() % CLIENTS];
        struct audience *audience = intern((unsigned)rand() % (1u << TILES));
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
        cmocka_unit_test_setup_teardown(test_random_moves, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
