// A place with a Redis in memory, one step after the other: what the scenes of test_place*.c are made of.
#pragma once

#include "check.h"

#include "common/core/palette.h"
#include "fake_redis.h"

#define SCENE_PEER 3u
#define SCENE_INCARNATION 0xaau

struct scene {
    struct place *place;
    struct fake_redis *redis;
    struct monotime now;
    uint64_t view;
    uint32_t id;                 // of the last draw: they count from 1
    uint32_t nonces;             // what is added to those of the tests: with cooldown 0 they are others
    struct link_verdict verdict; // of the last draw that was decided at once or answered
    struct batch_args args;      // of the last batch that was sent
};

// Each test has a scene in *state: we own every tile, cooldown 0. Another is had by SCENE_WITH(test, .cooldown_ms = 9).
struct scene_options {
    uint32_t cooldown_ms, waiting_max, windows_max;
    bool unknown; // nothing is known yet, neither a canvas nor a view
};
int scene_begin(void **state);
int scene_end(void **state);
#define SCENE(test_) cmocka_unit_test_setup_teardown(test_, scene_begin, scene_end)
#define SCENE_WITH(test_, ...)                                                                                         \
    cmocka_unit_test_prestate_setup_teardown(test_, scene_begin, scene_end, &(struct scene_options){__VA_ARGS__})

void scene_set_config(struct scene *scene, uint32_t cooldown_ms);
// The next view, with us in it, or with another who owns everything; the place asks for it.
void scene_next_view(struct scene *scene, bool with_us);
// The connection to Redis breaks, and comes back; we are in the view still.
void scene_reconnect(struct scene *scene);
// Time passes, and is noticed.
void scene_pass_ms(struct scene *scene, int64_t ms);

// A guest's draw at (x, 0), over the link of SCENE_PEER.
enum place_result scene_ask(struct scene *scene, uint64_t user, uint16_t x, uint8_t color, uint32_t nonce);
// Redis gives us all tiles that we want to take.
void scene_take_all(struct scene *scene);
// The next batch leaves; NULL: there is none. Redis does what it says with the first, and answers it with the second.
struct batch *scene_send(struct scene *scene);
void scene_answer(struct scene *scene, struct batch *batch);
// Sends the next batch and answers it. Returns false when there is none.
bool scene_run(struct scene *scene);
// Takes, then runs a batch, which has to be there.
void scene_place(struct scene *scene);
// The very first draw of a scene: user 1, (0, 0), color 1, nonce 1. In flight; or placed and told.
struct batch *scene_send_first(struct scene *scene);
void scene_place_first(struct scene *scene);

// The next answer, and that there is none.
void scene_expect(struct scene *scene, uint32_t id, uint8_t code, uint32_t seq);
void scene_expect_not_owner(struct scene *scene, uint32_t id);
void scene_expect_nothing(struct scene *scene);
// Nothing is wanted from Redis.
void scene_expect_no_take(struct scene *scene);

// A draw of a table, and what becomes of it. The next nonce and the wait are only looked at where they are not 0.
struct scene_draw {
    uint64_t user;
    uint16_t x;
    uint8_t color;
    uint32_t nonce;
    uint8_t code;
    uint32_t seq, next, wait_ms;
};
#define SCENE_DRAW(user_, x_, color_, nonce_, ...)                                                                     \
    {                                                                                                                  \
        .user = user_, .x = x_, .color = color_, .nonce = nonce_, __VA_ARGS__                                          \
    }
// Asks all of them, has one batch for them (`batch`) or none, and expects their answers in order.
void scene_expect_all(struct scene *scene, bool batch, const struct scene_draw *draws, size_t count);
#define SCENE_EXPECT_ALL(scene_, batch_, draws_)                                                                       \
    scene_expect_all(scene_, batch_, draws_, sizeof(draws_) / sizeof((draws_)[0]))

// What Redis has of the tile at (0, 0).
struct fake_tile *scene_tile(struct scene *scene);
