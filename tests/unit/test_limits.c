#include "check.h"

#include "gateway/limits.h"

static struct addr v4(uint8_t last)
{
    return (struct addr){{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, last}};
}

static struct addr v6(uint8_t network, uint8_t host)
{
    return (struct addr){{0x20, 1, 0x0d, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host}};
}

static struct monotime at_s(int64_t s)
{
    return (struct monotime){s * 1000000};
}

static void test_connections(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.connections_per_address = 2, .idle_entries_max = 10});
    struct addr a = v4(1), b = v4(2);
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), ERR_FULL);
    assert_int_equal(limits_open(limits, LIMITS_HTTP, &a), 0); // counted apart
    assert_int_equal(limits_open(limits, LIMITS_WS, &b), 0);   // another address
    limits_close(limits, LIMITS_WS, &a);
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), ERR_FULL);
    limits_free(limits);
}

static void test_v6_by_network(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.connections_per_address = 2, .idle_entries_max = 10});
    struct addr a = v6(1, 1), b = v6(1, 2), c = v6(1, 3), d = v6(2, 1);
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &b), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &c), ERR_FULL);
    assert_int_equal(limits_open(limits, LIMITS_WS, &d), 0);
    assert_int_equal(limits_addresses(limits), 2);
    limits_free(limits);
}

static void test_off(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.idle_entries_max = 10});
    struct addr a = v4(1);
    uint32_t retry;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(limits_open(limits, LIMITS_WS, &a), 0);
        assert_int_equal(limits_session(limits, &a, at_s(0), &retry), 0);
    }
    limits_free(limits);
}

static void test_sessions(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.sessions_per_minute = 3, .idle_entries_max = 10});
    struct addr a = v4(1), b = v4(2);
    uint32_t retry = 0;
    for (int i = 0; i < 3; i++)
        assert_int_equal(limits_session(limits, &a, at_s(100 + i), &retry), 0);
    assert_int_equal(limits_session(limits, &a, at_s(110), &retry), ERR_FULL);
    assert_int_equal(retry, 50);
    assert_int_equal(limits_session(limits, &b, at_s(110), &retry), 0);
    assert_int_equal(limits_session(limits, &a, at_s(159), &retry), ERR_FULL);
    assert_int_equal(retry, 1);
    assert_int_equal(limits_session(limits, &a, at_s(160), &retry), 0);
    limits_free(limits);
}

static void test_names(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.names_per_hour = 2, .idle_entries_max = 10});
    struct addr a = v4(1), b = v4(2);
    uint32_t retry = 0;
    assert_int_equal(limits_name(limits, &a, at_s(100), &retry), 0);
    assert_int_equal(limits_name(limits, &a, at_s(3000), &retry), 0);
    assert_int_equal(limits_name(limits, &a, at_s(3100), &retry), ERR_FULL);
    assert_int_equal(retry, 600);
    assert_int_equal(limits_name(limits, &b, at_s(3100), &retry), 0);
    assert_int_equal(limits_name(limits, &a, at_s(3699), &retry), ERR_FULL);
    assert_int_equal(limits_name(limits, &a, at_s(3700), &retry), 0);
    // What has become of none does not count; nor is there more than all of it to be had back.
    for (unsigned i = 0; i < 5; i++)
        limits_name_back(limits, &a);
    assert_int_equal(limits_name(limits, &a, at_s(3701), &retry), 0);
    assert_int_equal(limits_name(limits, &a, at_s(3702), &retry), 0);
    assert_int_equal(limits_name(limits, &a, at_s(3703), &retry), ERR_FULL);
    limits_free(limits);
}

static void test_arrivals(void **state)
{
    (void)state;
    struct limits *limits =
        limits_new(&(struct limits_options){.new_connections_per_minute = 3, .idle_entries_max = 10});
    struct addr a = v6(1, 1), neighbour = v6(1, 2), other = v6(2, 1);
    assert_int_equal(limits_arrival(limits, &a, at_s(5)), 0);
    assert_int_equal(limits_arrival(limits, &neighbour, at_s(6)), 0);
    assert_int_equal(limits_arrival(limits, &a, at_s(7)), 0);
    assert_int_equal(limits_arrival(limits, &neighbour, at_s(64)), ERR_FULL);
    assert_int_equal(limits_arrival(limits, &other, at_s(64)), 0);
    assert_int_equal(limits_arrival(limits, &a, at_s(65)), 0);
    assert_int_equal(limits_addresses(limits), 2);
    limits_free(limits);
}

static void test_what_is_shared_by_a_network(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.idle_entries_max = 10});
    struct addr a = v6(1, 1), neighbour = v6(1, 2), other = v6(2, 1);
    assert_null(limits_shared(limits, &a)); // no connection, nothing shared
    assert_int_equal(limits_open(limits, LIMITS_WS, &a), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &neighbour), 0);
    assert_int_equal(limits_open(limits, LIMITS_WS, &other), 0);
    assert_non_null(limits_shared(limits, &a));
    assert_ptr_equal(limits_shared(limits, &a), limits_shared(limits, &neighbour));
    assert_ptr_not_equal(limits_shared(limits, &a), limits_shared(limits, &other));
    limits_close(limits, LIMITS_WS, &a);
    assert_non_null(limits_shared(limits, &neighbour));
    limits_close(limits, LIMITS_WS, &neighbour);
    assert_null(limits_shared(limits, &neighbour));
    limits_free(limits);
}

static void test_lookups(void **state)
{
    (void)state;
    struct limits *limits = limits_new(&(struct limits_options){.lookups_per_second = 2, .idle_entries_max = 10});
    struct addr a = v4(1), b = v4(2);
    uint32_t retry = 0;
    for (unsigned i = 0; i < 2 * LIMITS_LOOKUP_BURST; i++)
        assert_int_equal(limits_lookup(limits, &a, 1, at_s(100), &retry), 0);
    assert_int_equal(limits_lookup(limits, &a, 1, at_s(100), &retry), ERR_FULL);
    assert_int_equal(retry, 1);
    assert_int_equal(limits_lookup(limits, &a, 10, at_s(100), &retry), ERR_FULL);
    assert_int_equal(retry, 5);
    assert_int_equal(limits_lookup(limits, &b, 10, at_s(100), &retry), 0);
    assert_int_equal(limits_lookup(limits, &a, 2, at_s(101), &retry), 0);
    assert_int_equal(limits_lookup(limits, &a, 1, at_s(101), &retry), ERR_FULL);
    limits_free(limits);

    // The dearest question is answered whatever the rate.
    limits = limits_new(&(struct limits_options){.lookups_per_second = 1, .idle_entries_max = 10});
    assert_int_equal(limits_lookup(limits, &a, LIMITS_LOOKUP_MAX, at_s(0), &retry), 0);
    assert_int_equal(limits_lookup(limits, &a, LIMITS_LOOKUP_MAX, at_s(1), &retry), ERR_FULL);
    assert_int_equal(retry, 15);
    limits_free(limits);

    limits = limits_new(&(struct limits_options){.idle_entries_max = 10});
    for (int i = 0; i < 1000; i++)
        assert_int_equal(limits_lookup(limits, &a, 10, at_s(0), &retry), 0);
    assert_int_equal(limits_addresses(limits), 0);
    limits_free(limits);
}

static void test_table_is_bounded(void **state)
{
    (void)state;
    struct limits *limits = limits_new(
        &(struct limits_options){.connections_per_address = 5, .sessions_per_minute = 1, .idle_entries_max = 4});
    uint32_t retry;
    struct addr held = v4(200);
    assert_int_equal(limits_open(limits, LIMITS_WS, &held), 0);
    assert_int_equal(limits_session(limits, &held, at_s(0), &retry), 0);
    for (uint8_t i = 0; i < 100; i++) {
        struct addr a = v4(i);
        assert_int_equal(limits_session(limits, &a, at_s(0), &retry), 0);
        assert_true(limits_addresses(limits) <= 5);
    }
    // The one that holds a connection was not forgotten, nor the last ones; the first ones were.
    assert_int_equal(limits_session(limits, &held, at_s(1), &retry), ERR_FULL);
    struct addr last = v4(99), first = v4(0);
    assert_int_equal(limits_session(limits, &last, at_s(1), &retry), ERR_FULL);
    assert_int_equal(limits_session(limits, &first, at_s(1), &retry), 0);
    limits_close(limits, LIMITS_WS, &held);
    assert_int_equal(limits_addresses(limits), 4);
    limits_close(limits, LIMITS_WS, &held); // one too many: harmless
    limits_free(limits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_v6_by_network),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_what_is_shared_by_a_network),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_table_is_bounded),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
