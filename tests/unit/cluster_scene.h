// The whole cluster side of a gateway, against a Redis of its own and a shard that places everything.
#pragma once

#include "check.h"

#include <hiredis/hiredis.h>

#include "gateway/cluster.h"
#include "redis_server.h"
#include "tests/unit/fake_shard.h"

struct scene {
    struct loop *loop;
    struct metrics metrics;
    struct redis_server redis;
    redisContext *admin;

    struct fake_shard shard;
    bool hold; // the shard answers nothing
    unsigned forwards, forwarded;
    struct link_draw last;

    struct store *store;
    struct cluster *cluster;
    struct cluster_client client;
    unsigned configs, statuses, verdicts;
    uint64_t erased;
    struct ws_verdict verdict;
    uint32_t online;
    bool read_only;
};

// Each test has Redis and a shard that is no member yet, but no gateway.
int scene_begin(void **state);
int scene_end(void **state);
#define SCENE(test_) cmocka_unit_test_setup_teardown(test_, scene_begin, scene_end)

// Turns the loop until the condition holds; fails after 20 s.
#define SCENE_UNTIL(s, condition)                                                                                      \
    do {                                                                                                               \
        struct monotime end_ = monotime_add_ms(loop_now_exact(), 20000);                                               \
        while (!(condition) && !monotime_reached(end_, loop_now_exact()))                                              \
            loop_run_once((s)->loop, 10);                                                                              \
        assert_true(condition);                                                                                        \
    } while (0)

// Redis; and a command to it, which has to be done.
void scene_start_redis(struct scene *s);
void scene_stop_redis(struct scene *s);
void scene_ask(struct scene *s, const char *command);
// Store and cluster of the gateway; the shard joins the view; both, until the gateway is ready.
void scene_start_gateway(struct scene *s, uint32_t cooldown_ms);
void scene_join_shard(struct scene *s, uint64_t view);
void scene_make_ready(struct scene *s, uint32_t cooldown_ms);
// The client draws; what comes of it is in the scene.
void scene_draw(struct scene *s, uint16_t x, uint16_t y, uint8_t color, uint32_t nonce);
