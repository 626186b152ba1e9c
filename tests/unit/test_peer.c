#include "check.h"

#include "proto/limits.h"
#include "shard/peer.h"

static const struct tile a = {1, 2}, b = {3, 4};

static void test_refused_until_it_is_known(void **state)
{
    (void)state;
    struct peer peer = {0};
    peer_open(&peer);
    assert_false(peer_must_refuse(&peer, a));
    peer_refuse(&peer, a);
    assert_true(peer_must_refuse(&peer, a));
    assert_false(peer_must_refuse(&peer, b));
    peer_flushed(&peer, 1);
    assert_int_equal(peer_set_received(&peer, 0), 0);
    assert_true(peer_must_refuse(&peer, a));
    assert_int_equal(peer_set_received(&peer, 1), 0);
    assert_false(peer_must_refuse(&peer, a));
    peer_close(&peer);
}

static void test_a_second_refusal_counts(void **state)
{
    (void)state;
    struct peer peer = {0};
    peer_open(&peer);
    peer_refuse(&peer, a);
    peer_flushed(&peer, 1);
    peer_refuse(&peer, a);
    peer_flushed(&peer, 1);
    peer_refuse(&peer, b);
    assert_int_equal(peer_set_received(&peer, 1), 0);
    assert_true(peer_must_refuse(&peer, a));
    assert_int_equal(peer_set_received(&peer, 2), 0);
    assert_false(peer_must_refuse(&peer, a));
    assert_true(peer_must_refuse(&peer, b));
    peer_close(&peer);
}

static void test_counts_that_cannot_be(void **state)
{
    (void)state;
    struct peer peer = {0};
    peer_open(&peer);
    assert_int_equal(peer_set_received(&peer, 1), ERR_MALFORMED);
    peer_refuse(&peer, a);
    peer_flushed(&peer, 2);
    assert_int_equal(peer_set_received(&peer, 2), 0);
    assert_int_equal(peer_set_received(&peer, 1), ERR_MALFORMED);
    peer_close(&peer);
}

static void test_a_new_link_starts_anew(void **state)
{
    (void)state;
    struct peer peer = {0};
    peer_open(&peer);
    peer_refuse(&peer, a);
    uint32_t generation = peer.generation;
    peer_close(&peer);
    peer_open(&peer);
    assert_int_equal(peer.generation, generation + 1);
    assert_false(peer_must_refuse(&peer, a));
    assert_int_equal(peer.sent, 0);
    peer_close(&peer);
}

static void test_bound(void **state)
{
    (void)state;
    struct peer peer = {0};
    peer_open(&peer);
    for (uint32_t i = 0; i < LIMIT_LINK_IN_FLIGHT; i++)
        peer_refuse(&peer, (struct tile){(uint16_t)i, 0});
    assert_false(peer.broken);
    peer_refuse(&peer, (struct tile){0, 0});
    assert_false(peer.broken);
    peer_refuse(&peer, (struct tile){0, 1});
    assert_true(peer.broken);
    peer_close(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_until_it_is_known),
        cmocka_unit_test(test_a_second_refusal_counts),
        cmocka_unit_test(test_counts_that_cannot_be),
        cmocka_unit_test(test_a_new_link_starts_anew),
        cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
