// The cluster side of a gateway: draws, what it refuses by itself, its beat, and a Redis that goes and comes.
#include <stdio.h>

#include "common/core/pressure.h"
#include "proto/verdict.h"
#include "tests/unit/cluster_scene.h"

static void test_draws(void **state)
{
    struct scene *s = *state;
    scene_make_ready(s, 300000);
    assert_int_equal(cluster_config(s->cluster)->version, 1);
    scene_draw(s, 700, 400, 3, 1);
    assert_int_equal(s->client.in_flight, 1);
    SCENE_UNTIL(s, s->verdicts == 1);
    assert_int_equal(s->client.in_flight, 0);
    assert_int_equal(s->verdict.code, VERDICT_PLACED);
    assert_int_equal(s->verdict.x, 700);
    assert_int_equal(s->verdict.y, 400);
    assert_int_equal(s->verdict.seq, 5);
    assert_int_equal(s->verdict.next_nonce, 2);
    assert_int_equal(s->verdict.wait_ms, 300000);
    assert_true(s->last.user == 0xabcd);
    assert_true(s->last.connection == 0x1234);
    assert_int_equal(s->last.kind, LINK_USER_GUEST);
    assert_int_equal(s->last.color, 3);
    assert_int_equal(s->last.address.bytes[15], 7);

    // One turn, one message.
    for (uint32_t i = 0; i < 100; i++)
        scene_draw(s, (uint16_t)(i * 9), (uint16_t)(i * 4), 3, 2 + i);
    SCENE_UNTIL(s, s->verdicts == 101);
    assert_int_equal(s->forwards, 2);
    assert_int_equal(s->forwarded, 101);

    // The link breaks under a draw: it is sent again.
    s->hold = true;
    scene_draw(s, 0, 0, 3, 1);
    SCENE_UNTIL(s, s->forwards == 3);
    s->hold = false;
    fake_shard_hang_up(&s->shard);
    SCENE_UNTIL(s, s->verdicts == 102);
    assert_int_equal(s->forwards, 4);

    // Its client has left: nothing comes.
    scene_draw(s, 0, 0, 3, 1);
    cluster_forget(s->cluster, &s->client);
    SCENE_UNTIL(s, s->forwards == 5);
    loop_run_once(s->loop, 50);
    assert_int_equal(s->verdicts, 102);
}

static void expect_refusal(struct scene *s, uint8_t code, uint32_t next_nonce, uint32_t wait_ms)
{
    assert_int_equal(s->verdict.code, code);
    assert_int_equal(s->verdict.next_nonce, next_nonce);
    assert_int_equal(s->verdict.wait_ms, wait_ms);
    assert_int_equal(s->verdict.seq, 0);
    assert_int_equal(s->client.in_flight, 0);
}

static void test_refuses_by_itself(void **state)
{
    struct scene *s = *state;
    scene_make_ready(s, 5000);
    scene_draw(s, 0, 0, 32, 4);
    expect_refusal(s, VERDICT_BAD_COLOR, 4, 0);
    scene_draw(s, 1000, 0, 31, 4);
    expect_refusal(s, VERDICT_OUT_OF_BOUNDS, 4, 0);
    scene_draw(s, 0, 500, 31, 4);
    expect_refusal(s, VERDICT_OUT_OF_BOUNDS, 4, 0);
    scene_ask(s, "HSET {cluster}:config read_only 1 version 2");
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_ERASED, .user = 99});
    assert_int_equal(s->erased, 99);
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_CONFIG, .version = 2});
    SCENE_UNTIL(s, s->configs == 2);
    assert_true(s->read_only);
    assert_true(cluster_read_only(s->cluster));
    scene_draw(s, 0, 0, 31, 4);
    expect_refusal(s, VERDICT_READ_ONLY, 4, 5000);
    scene_ask(s, "HSET {cluster}:config read_only 0 version 3 cooldown_ms 0");
    cluster_on_bus(s->cluster, NULL);
    SCENE_UNTIL(s, s->configs == 3);
    assert_false(s->read_only);
    scene_draw(s, 0, 0, 32, 4);
    expect_refusal(s, VERDICT_BAD_COLOR, 4, 0);
    assert_int_equal(s->verdicts, 5);
    assert_int_equal(s->forwards, 0);
}

static void test_beat(void **state)
{
    struct scene *s = *state;
    scene_make_ready(s, 0);
    cluster_set_connections(s->cluster, 12);
    scene_ask(s, "HSET {cluster}:config version 9");
    SCENE_UNTIL(s, s->online == 12);
    assert_int_equal(cluster_online(s->cluster), 12);
    // The beat also says that there is a newer configuration.
    SCENE_UNTIL(s, s->configs == 2);
    assert_int_equal(cluster_config(s->cluster)->version, 9);

    redisReply *info = redisCommand(s->admin, "INFO memory");
    struct pressure pressure;
    assert_int_equal(pressure_parse(&pressure, info->str, info->len), 0);
    freeReplyObject(info);
    char command[64];
    snprintf(command, sizeof command, "CONFIG SET maxmemory %u", (unsigned)(pressure.used_bytes / 9 * 10));
    scene_ask(s, command);
    SCENE_UNTIL(s, s->read_only);
    scene_ask(s, "CONFIG SET maxmemory 0");
    SCENE_UNTIL(s, !s->read_only);

    // So full that only the beat is taken.
    scene_ask(s, "CONFIG SET maxmemory 1");
    SCENE_UNTIL(s, s->read_only);
    scene_ask(s, "CONFIG SET maxmemory 0");
    SCENE_UNTIL(s, !s->read_only);
}

static void test_redis_goes_and_comes(void **state)
{
    struct scene *s = *state;
    scene_make_ready(s, 0);
    scene_stop_redis(s);
    SCENE_UNTIL(s, cluster_not_ready(s->cluster) != NULL);
    assert_string_equal(cluster_not_ready(s->cluster), "no redis");
    scene_draw(s, 0, 0, 1, 1);
    SCENE_UNTIL(s, s->verdicts == 1);
    scene_start_redis(s);
    SCENE_UNTIL(s, store_ready(s->store));
    scene_join_shard(s, 1);
    SCENE_UNTIL(s, cluster_not_ready(s->cluster) == NULL);
    scene_ask(s, "HSET {cluster}:config version 2");
    cluster_on_bus(s->cluster, NULL);
    SCENE_UNTIL(s, s->configs == 2);
}

static void test_freed_at_any_time(void **state)
{
    struct scene *s = *state;
    scene_start_gateway(s, 0);
    SCENE_UNTIL(s, store_ready(s->store));
    // Questions are under way.
    cluster_on_bus(s->cluster, NULL);
    cluster_free(s->cluster);
    s->cluster = NULL;
    for (int i = 0; i < 10; i++)
        loop_run_once(s->loop, 10);
    assert_int_equal(s->configs, 0);
}

// What is held is as long as the tiles were, and would not fit: the images of a whole canvas were written beyond their
// end when a Redis had been emptied and given tiles of another edge.
static void test_another_tile_edge_is_not_taken(void **state)
{
    struct scene *s = *state;
    scene_make_ready(s, 5000);
    scene_ask(s, "HSET {cluster}:config edge 64 version 2");
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_CONFIG, .version = 2});
    SCENE_UNTIL(s, cluster_not_ready(s->cluster) != NULL);
    assert_string_equal(cluster_not_ready(s->cluster), "another canvas");
    assert_true(cluster_read_only(s->cluster));
    assert_int_equal(s->configs, 1);
    assert_int_equal(cluster_config(s->cluster)->geom.edge, 256);
    scene_ask(s, "HSET {cluster}:config edge 256 version 3");
    cluster_on_bus(s->cluster, &(struct bus_message){.type = BUS_CONFIG, .version = 3});
    SCENE_UNTIL(s, s->configs == 2);
    assert_null(cluster_not_ready(s->cluster));
    assert_false(cluster_read_only(s->cluster));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(test_draws),
        SCENE(test_refuses_by_itself),
        SCENE(test_beat),
        SCENE(test_redis_goes_and_comes),
        SCENE(test_another_tile_edge_is_not_taken),
        SCENE(test_freed_at_any_time),
    };
    return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
