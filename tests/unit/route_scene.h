// A route, its shards and one client, one step after the other: what the scenes of test_route*.c are made of.
#pragma once

#include "check.h"

#include "gateway/route.h"
#include "proto/verdict.h"

#define SCENE_A "10.0.0.1:7000"
#define SCENE_B "10.0.0.2:7000"

struct scene {
    struct route *route;
    struct monotime now;
    struct member_view view;
    struct cluster_client client;
    uint32_t next_nonce;
};

// Each test has a scene in *state: no view yet.
int scene_begin(void **state);
int scene_end(void **state);
#define SCENE(test_) cmocka_unit_test_setup_teardown(test_, scene_begin, scene_end)

void scene_pass_ms(struct scene *scene, int64_t ms);

// The view of these one or two (`second` NULL) members.
void scene_set_view(struct scene *scene, uint64_t number, const char *first, const char *second);
// The next link that is to be opened is this one's; it comes up. Its slot.
uint16_t scene_open(struct scene *scene, const char *address);
// View 1, of A alone, and its link is up.
uint16_t scene_open_a(struct scene *scene);
// The next link that is to be closed, and that there is none to be opened or closed.
void scene_expect_close(struct scene *scene, uint16_t slot);
void scene_expect_no_change(struct scene *scene);
// A tile that this member owns in the scene's view.
struct tile scene_tile_of(const struct scene *scene, const char *address);

// Draws at (3, 4) in color 5 by user 7, with nonces from 1 on. What route_submit says; the client's, which has to be
// taken; and so many of those.
int scene_submit_for(struct scene *scene, struct cluster_client *client, struct tile tile);
void scene_submit(struct scene *scene, struct tile tile);
void scene_submit_all(struct scene *scene, struct tile tile, uint32_t count);
// The next FORWARD, after so many NOT_OWNER, holds exactly these nonces, and nothing else is to be sent; gives their
// ids.
void scene_expect_forward(struct scene *scene, uint16_t slot, uint32_t refusals, const uint32_t *nonces, uint32_t count,
                          uint8_t *ids);
// What the shard says of the i-th of those ids.
void scene_answer(struct scene *scene, uint16_t slot, const uint8_t *ids, uint32_t i, uint8_t code);

// The next verdict of the client.
struct ws_verdict scene_verdict(struct scene *scene);
void scene_expect_verdict(struct scene *scene, uint32_t nonce, uint8_t code);
void scene_expect_no_verdict(struct scene *scene);
