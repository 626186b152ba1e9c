#include "tests/unit/place_scene.h"

#define ME "127.0.0.1:1"

void scene_set_config(struct scene *scene, uint32_t cooldown_ms)
{
    const struct canvas_config config = {
        .version = 1,
        .geom = {512, 512, FAKE_EDGE},
        .cooldown_ms = cooldown_ms,
        .guests_per_address = 16,
        .palette = *palette_default(),
    };
    place_set_config(scene->place, &config);
}

void scene_next_view(struct scene *scene, bool with_us)
{
    assert_true(place_next_view(scene->place));
    struct member_view view = {.number = ++scene->view};
    const char *owner = with_us ? ME : "other:1";
    assert_int_equal(member_view_add(&view, owner, strlen(owner), SCENE_INCARNATION), 0);
    place_view_read(scene->place, scene->now, &view);
}

void scene_reconnect(struct scene *scene)
{
    place_disconnected(scene->place, scene->now);
    place_connected(scene->place);
    scene_next_view(scene, true);
}

void scene_pass_ms(struct scene *scene, int64_t ms)
{
    scene->now = monotime_add_ms(scene->now, ms);
    place_tick(scene->place, scene->now);
}

int scene_begin(void **state)
{
    static const struct scene_options usual;
    static struct scene one;
    const struct scene_options *wanted = *state != NULL ? *state : &usual;
    const struct place_options options = {.address = ME,
                                          .incarnation = SCENE_INCARNATION,
                                          .waiting_max = wanted->waiting_max,
                                          .windows_max = wanted->windows_max};
    one = (struct scene){.place = place_new(&options), .redis = fake_new(), .now = {1000000}};
    *state = &one;
    assert_non_null(one.place);
    one.nonces = wanted->cooldown_ms == 0 ? NONCE_COUNTED : 0;
    place_peer_open(one.place, SCENE_PEER);
    if (wanted->unknown)
        return 0;
    scene_set_config(&one, wanted->cooldown_ms);
    place_connected(one.place);
    scene_next_view(&one, true);
    assert_false(place_next_view(one.place));
    return 0;
}

int scene_end(void **state)
{
    struct scene *scene = *state;
    place_free(scene->place);
    fake_free(scene->redis);
    return 0;
}

// ---- Draws and batches
// -----------------------------------------------------------------------------------------------

enum place_result scene_ask(struct scene *scene, uint64_t user, uint16_t x, uint8_t color, uint32_t nonce)
{
    const struct link_draw draw = {.id = ++scene->id,
                                   .nonce = scene->nonces + nonce,
                                   .x = x,
                                   .color = color,
                                   .kind = LINK_USER_GUEST,
                                   .user = user,
                                   .connection = 7};
    enum place_result result = place_draw(scene->place, scene->now, SCENE_PEER, &draw, &scene->verdict);
    scene->verdict.next_nonce -= scene->nonces;
    return result;
}

void scene_take_all(struct scene *scene)
{
    struct place_take take;
    while (place_next_take(scene->place, &take))
        fake_take(scene->redis, scene->place, scene->now, SCENE_INCARNATION, &take);
}

struct batch *scene_send(struct scene *scene)
{
    return place_next_batch(scene->place, scene->now, &scene->args);
}

void scene_answer(struct scene *scene, struct batch *batch)
{
    size_t count = fake_place(scene->redis, &scene->args);
    assert_int_equal(place_batch_done(scene->place, scene->now, batch, scene->redis->results, count), 0);
}

bool scene_run(struct scene *scene)
{
    struct batch *batch = scene_send(scene);
    if (batch == NULL)
        return false;
    scene_answer(scene, batch);
    return true;
}

void scene_place(struct scene *scene)
{
    scene_take_all(scene);
    assert_true(scene_run(scene));
}

struct batch *scene_send_first(struct scene *scene)
{
    assert_int_equal(scene_ask(scene, 1, 0, 1, 1), PLACE_QUEUED);
    scene_take_all(scene);
    struct batch *batch = scene_send(scene);
    assert_non_null(batch);
    return batch;
}

void scene_place_first(struct scene *scene)
{
    scene_answer(scene, scene_send_first(scene));
    scene_expect(scene, 1, VERDICT_PLACED, 1);
}

// ---- Answers
// ---------------------------------------------------------------------------------------------------------

void scene_expect(struct scene *scene, uint32_t id, uint8_t code, uint32_t seq)
{
    struct draw *draw = place_next_answer(scene->place);
    assert_non_null(draw);
    assert_false(draw->not_owner);
    assert_int_equal(draw->verdict.id, id);
    assert_int_equal(draw->verdict.code, code);
    assert_int_equal(draw->verdict.seq, seq);
    scene->verdict = draw->verdict;
    scene->verdict.next_nonce -= scene->nonces;
    place_release(scene->place, draw);
}

void scene_expect_not_owner(struct scene *scene, uint32_t id)
{
    struct draw *draw = place_next_answer(scene->place);
    assert_non_null(draw);
    assert_true(draw->not_owner);
    assert_int_equal(draw->asked.id, id);
    place_release(scene->place, draw);
}

void scene_expect_nothing(struct scene *scene)
{
    assert_null(place_next_answer(scene->place));
}

void scene_expect_no_take(struct scene *scene)
{
    struct place_take take;
    assert_false(place_next_take(scene->place, &take));
}

void scene_expect_all(struct scene *scene, bool batch, const struct scene_draw *draws, size_t count)
{
    uint32_t before = scene->id;
    for (size_t i = 0; i < count; i++)
        scene_ask(scene, draws[i].user, draws[i].x, draws[i].color, draws[i].nonce);
    scene_take_all(scene);
    assert_int_equal(scene_run(scene), batch);
    for (size_t i = 0; i < count; i++) {
        scene_expect(scene, before + 1 + (uint32_t)i, draws[i].code, draws[i].seq);
        if (draws[i].next != 0)
            assert_int_equal(scene->verdict.next_nonce, draws[i].next);
        if (draws[i].wait_ms != 0)
            assert_int_equal(scene->verdict.wait_ms, draws[i].wait_ms);
    }
}

struct fake_tile *scene_tile(struct scene *scene)
{
    return fake_tile(scene->redis, (struct tile){0, 0});
}
