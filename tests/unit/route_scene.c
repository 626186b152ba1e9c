#include "tests/unit/route_scene.h"

int scene_begin(void **state)
{
    static struct scene scene;
    scene = (struct scene){.route = route_new(), .now = {1000000}};
    assert_non_null(scene.route);
    *state = &scene;
    return 0;
}

int scene_end(void **state)
{
    route_free(((struct scene *)*state)->route);
    return 0;
}

void scene_pass_ms(struct scene *scene, int64_t ms)
{
    scene->now = monotime_add_ms(scene->now, ms);
    route_tick(scene->route, scene->now);
}

// ---- Views and links
// -------------------------------------------------------------------------------------------------

void scene_set_view(struct scene *scene, uint64_t number, const char *first, const char *second)
{
    scene->view = (struct member_view){.number = number};
    const char *all[] = {first, second};
    for (int i = 0; i < 2; i++) {
        if (all[i] != NULL)
            assert_int_equal(member_view_add(&scene->view, all[i], strlen(all[i]), 1), 0);
    }
    route_set_view(scene->route, &scene->view, scene->now);
}

uint16_t scene_open(struct scene *scene, const char *address)
{
    struct route_link_change change;
    assert_true(route_next_link(scene->route, scene->now, &change));
    assert_true(change.open);
    assert_string_equal(change.address, address);
    route_link_up(scene->route, change.slot, scene->now);
    return change.slot;
}

uint16_t scene_open_a(struct scene *scene)
{
    scene_set_view(scene, 1, SCENE_A, NULL);
    return scene_open(scene, SCENE_A);
}

void scene_expect_close(struct scene *scene, uint16_t slot)
{
    struct route_link_change change;
    assert_true(route_next_link(scene->route, scene->now, &change));
    assert_false(change.open);
    assert_int_equal(change.slot, slot);
}

void scene_expect_no_change(struct scene *scene)
{
    struct route_link_change change;
    assert_false(route_next_link(scene->route, scene->now, &change));
}

struct tile scene_tile_of(const struct scene *scene, const char *address)
{
    for (uint16_t tx = 0;; tx++) {
        struct tile tile = {tx, 0};
        if (strcmp(member_owner(&scene->view, tile)->address, address) == 0)
            return tile;
    }
}

// ---- Draws
// -----------------------------------------------------------------------------------------------------------

int scene_submit_for(struct scene *scene, struct cluster_client *client, struct tile tile)
{
    struct link_draw draw = {
        .nonce = ++scene->next_nonce, .x = 3, .y = 4, .color = 5, .kind = LINK_USER_GUEST, .user = 7};
    return route_submit(scene->route, client, tile, &draw, scene->now);
}

void scene_submit(struct scene *scene, struct tile tile)
{
    assert_int_equal(scene_submit_for(scene, &scene->client, tile), 0);
}

void scene_submit_all(struct scene *scene, struct tile tile, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        scene_submit(scene, tile);
}

void scene_expect_forward(struct scene *scene, uint16_t slot, uint32_t refusals, const uint32_t *nonces, uint32_t count,
                          uint8_t *ids)
{
    struct route_forward forward;
    assert_true(route_next_forward(scene->route, &forward));
    assert_int_equal(forward.slot, slot);
    assert_int_equal(forward.view, scene->view.number);
    assert_int_equal(forward.refusals, refusals);
    assert_int_equal(forward.count, count);
    for (uint32_t i = 0; i < count; i++) {
        struct link_draw draw;
        assert_int_equal(link_draw_at(forward.draws, i, &draw), 0);
        assert_int_equal(draw.nonce, nonces[i]);
        assert_int_equal(draw.user, 7);
        link_put_id(ids + i * LINK_ID_LEN, draw.id);
    }
    assert_false(route_has_forward(scene->route));
}

void scene_answer(struct scene *scene, uint16_t slot, const uint8_t *ids, uint32_t i, uint8_t code)
{
    uint8_t record[LINK_VERDICT_LEN];
    struct link_verdict verdict = {
        .id = link_id_at(ids, i), .code = code, .seq = 40 + i, .next_nonce = 9, .wait_ms = 11};
    link_put_verdict(record, &verdict);
    assert_int_equal(route_verdicts(scene->route, slot, record, 1, scene->now), 0);
}

struct ws_verdict scene_verdict(struct scene *scene)
{
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    assert_true(route_next_verdict(scene->route, &client, &verdict, &submitted));
    assert_ptr_equal(client, &scene->client);
    return verdict;
}

void scene_expect_verdict(struct scene *scene, uint32_t nonce, uint8_t code)
{
    struct ws_verdict verdict = scene_verdict(scene);
    assert_int_equal(verdict.nonce, nonce);
    assert_int_equal(verdict.code, code);
    assert_int_equal(verdict.x, 3);
    assert_int_equal(verdict.y, 4);
}

void scene_expect_no_verdict(struct scene *scene)
{
    struct cluster_client *client;
    struct ws_verdict verdict;
    struct monotime submitted;
    assert_false(route_next_verdict(scene->route, &client, &verdict, &submitted));
}
