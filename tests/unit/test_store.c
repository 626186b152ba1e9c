// What the gateway's store reads of tiles and users, and who listens to it.
#include "tests/unit/cluster_scene.h"

struct answers {
    unsigned count;
    int err;
    struct store_snapshot snapshot;
    struct store_position position;
    struct user_record user;
    uint64_t now_ms;
    size_t entries;
    uint32_t first, last;
};

static void on_snapshot(int err, const struct store_snapshot *snapshot, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    if (err != 0)
        return;
    a->snapshot = *snapshot;
    assert_int_equal(snapshot->len, 3);
    assert_memory_equal(snapshot->px, "abc", 3);
}

static void on_position(int err, const struct store_position *position, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    if (err == 0)
        a->position = *position;
}

static void on_user(int err, const struct store_user *user, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    a->now_ms = err == 0 ? user->now_ms : 0;
    if (err == 0)
        a->user = user->record;
}

static void on_log(int err, const struct store_entry *entries, size_t count, void *arg)
{
    struct answers *a = arg;
    a->count++;
    a->err = err;
    a->entries = count;
    a->first = count > 0 ? entries[0].first : 0;
    a->last = count > 0 ? entries[count - 1].first + entries[count - 1].count - 1 : 0;
}

static void on_any_state(bool ready, void *arg)
{
    (void)ready;
    (*(unsigned *)arg)++;
}

static void test_listeners_of_the_store_are_bounded(void **state)
{
    struct scene *s = *state;
    unsigned told = 0, nobody = 0;
    scene_start_gateway(s, 0); // the cluster listens
    for (unsigned i = 1; i < STORE_LISTENERS_MAX; i++)
        assert_int_equal(store_on_state(s->store, on_any_state, &told), 0);
    assert_int_equal(store_on_state(s->store, on_any_state, &nobody), ERR_FULL);
    SCENE_UNTIL(s, store_ready(s->store));
    assert_true(told == STORE_LISTENERS_MAX - 1 && nobody == 0);
    store_abandon(s->store, &told);
    assert_int_equal(store_on_state(s->store, on_any_state, &told), 0);
}

static void test_store_reads(void **state)
{
    struct scene *s = *state;
    struct answers a = {0};
    const struct tile tile = {1, 2};
    scene_start_gateway(s, 0);
    store_snapshot(s->store, tile, on_snapshot, &a);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.err, ERR_CLOSED);
    SCENE_UNTIL(s, store_ready(s->store));
    scene_ask(s, "HSET {t:1:2}:meta p 1700000000123 s 6 k 00000000000000aa ks 5");
    scene_ask(s, "SET {t:1:2}:px abc");
    scene_ask(s, "XADD {t:1:2}:log 2-0 l 1 e 1700000000000 t 5 f 1 u abcdef");
    scene_ask(s, "XADD {t:1:2}:log 6-0 l 1 e 1700000000123 t 5 f 3 u abcdefabcdef");
    store_snapshot(s->store, tile, on_snapshot, &a);
    store_position(s->store, tile, on_position, &a);
    store_user(s->store, 7, on_user, &a);
    store_log(s->store, tile, 0, 10, on_log, &a);
    assert_int_equal(a.count, 1);
    SCENE_UNTIL(s, a.count == 5);
    assert_int_equal(a.err, 0);
    assert_true(a.snapshot.pos.epoch == 1700000000123u && a.snapshot.pos.seq == 6);
    assert_true(a.position.pos.seq == 6 && a.position.has_checksum && a.position.checksum == 0xaa);
    assert_int_equal(a.user.nonce, 0);
    assert_true(a.now_ms > 1700000000000u);
    assert_true(a.entries == 2 && a.first == 1 && a.last == 6);

    // From the entry that ends at a position, that one included; and no more than was asked for.
    store_log(s->store, tile, 2, 1, on_log, &a);
    SCENE_UNTIL(s, a.count == 6);
    assert_true(a.entries == 1 && a.first == 1 && a.last == 2);
    store_log(s->store, tile, 3, 10, on_log, &a);
    SCENE_UNTIL(s, a.count == 7);
    assert_true(a.entries == 1 && a.first == 3);

    // What Redis has is not what REDIS.md says.
    scene_ask(s, "HSET {t:1:2}:meta s x");
    store_position(s->store, tile, on_position, &a);
    SCENE_UNTIL(s, a.count == 8);
    assert_int_equal(a.err, ERR_MALFORMED);
    scene_ask(s, "SET {t:1:2}:log x");
    store_log(s->store, tile, 0, 10, on_log, &a);
    SCENE_UNTIL(s, a.count == 9);
    assert_int_equal(a.err, ERR_IO);

    // Redis goes while a question is under way; and one that nobody wants answered any more.
    struct answers gone = {0};
    redis_server_freeze(&s->redis, 1);
    store_user(s->store, 7, on_user, &a);
    store_user(s->store, 7, on_user, &gone);
    loop_run_once(s->loop, 10);
    store_abandon(s->store, &gone);
    redis_server_freeze(&s->redis, 0);
    scene_stop_redis(s);
    SCENE_UNTIL(s, a.count == 10);
    scene_start_redis(s);
    SCENE_UNTIL(s, store_ready(s->store));
    assert_int_equal(gone.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_listeners_of_the_store_are_bounded),
        SCENE(test_store_reads),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
