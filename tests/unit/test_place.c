// The place, scene by scene, with a Redis in memory.

#include "check.h"

#include "common/core/mix.h"
#include "common/core/palette.h"
#include "fake_redis.h"

#define ME "127.0.0.1:1"
#define INCARNATION 0xaau
#define PEER 3u

struct scene {
    struct place *place;
    struct fake_redis *redis;
    struct monotime now;
    uint64_t view;
    uint32_t id;
    uint32_t nonces;             // what is added to those of the tests: with cooldown 0 they are others
    struct link_verdict verdict; // of the last draw that was decided at once
};

static void set_config(struct scene *scene, uint32_t cooldown_ms)
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

// The view with us in it, or with another who owns everything.
static void read_view(struct scene *scene, bool with_us)
{
    struct member_view view = {.number = ++scene->view};
    assert_int_equal(member_view_add(&view, with_us ? ME : "other:1", with_us ? strlen(ME) : 7, INCARNATION), 0);
    place_view_read(scene->place, scene->now, &view);
}

static void open_scene(struct scene *scene, uint32_t cooldown_ms, uint32_t waiting_max)
{
    const struct place_options options = {.address = ME, .incarnation = INCARNATION, .waiting_max = waiting_max};
    *scene = (struct scene){.place = place_new(&options), .redis = fake_new(), .now = {1000000}};
    assert_non_null(scene->place);
    scene->nonces = cooldown_ms == 0 ? NONCE_COUNTED : 0;
    set_config(scene, cooldown_ms);
    place_peer_open(scene->place, PEER);
    place_connected(scene->place);
    assert_true(place_next_view(scene->place));
    assert_false(place_next_view(scene->place));
    read_view(scene, true);
}

static void close_scene(struct scene *scene)
{
    place_free(scene->place);
    fake_free(scene->redis);
}

static enum place_result ask(struct scene *scene, uint64_t user, uint16_t x, uint8_t color, uint32_t nonce)
{
    const struct link_draw draw = {.id = ++scene->id,
                                   .nonce = scene->nonces + nonce,
                                   .x = x,
                                   .color = color,
                                   .kind = LINK_USER_GUEST,
                                   .user = user,
                                   .connection = 7};
    enum place_result result = place_draw(scene->place, scene->now, PEER, &draw, &scene->verdict);
    scene->verdict.next_nonce -= scene->nonces;
    return result;
}

static void take_all(struct scene *scene)
{
    struct place_take take;
    while (place_next_take(scene->place, &take))
        fake_take(scene->redis, scene->place, scene->now, INCARNATION, &take);
}

// Sends the next batch and gives its answer. Returns false when there is none.
static bool run_batch(struct scene *scene)
{
    struct batch_args args;
    struct batch *batch = place_next_batch(scene->place, scene->now, &args);
    if (batch == NULL)
        return false;
    size_t count = fake_place(scene->redis, &args);
    assert_int_equal(place_batch_done(scene->place, scene->now, batch, scene->redis->results, count), 0);
    return true;
}

static void expect_verdict(struct scene *scene, uint32_t id, uint8_t code, uint32_t seq)
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

static void expect_not_owner(struct scene *scene, uint32_t id)
{
    struct draw *draw = place_next_answer(scene->place);
    assert_non_null(draw);
    assert_true(draw->not_owner);
    assert_int_equal(draw->asked.id, id);
    place_release(scene->place, draw);
}

static void expect_nothing(struct scene *scene)
{
    assert_null(place_next_answer(scene->place));
}

// ---- Placing -------------------------------------------------------------------------------------------------------

static void test_place_and_checksum(void **state)
{
    (void)state;
    struct scene scene;
    struct place_beat beat;
    open_scene(&scene, 0, 0);
    assert_int_equal(ask(&scene, 1, 3, 5, 1), PLACE_QUEUED);
    assert_int_equal(ask(&scene, 2, 3, 6, 1), PLACE_QUEUED);
    assert_false(run_batch(&scene));
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    assert_int_equal(scene.verdict.next_nonce, 2);
    assert_int_equal(scene.verdict.wait_ms, 0);
    expect_verdict(&scene, 2, VERDICT_PLACED, 2);
    place_tick(scene.place, scene.now);
    assert_true(place_next_beat(scene.place, &beat));
    assert_int_equal(beat.seq, 2);
    assert_true(beat.checksum == mix64(3, 6));
    assert_int_equal(beat.placed, 2);
    assert_false(place_next_beat(scene.place, &beat));
    scene.now = monotime_add_ms(scene.now, PLACE_BEAT_AFTER_MS);
    place_tick(scene.place, scene.now);
    assert_false(place_next_beat(scene.place, &beat));
    assert_int_equal(place_stats(scene.place)->verdicts[VERDICT_PLACED], 2);
    assert_true(place_is_quiet(scene.place));
    close_scene(&scene);
}

static void test_rules_come_first(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    assert_int_equal(ask(&scene, 1, 0, 32, 9), PLACE_DECIDED);
    assert_int_equal(scene.verdict.code, VERDICT_BAD_COLOR);
    assert_int_equal(ask(&scene, 1, 512, 1, 9), PLACE_DECIDED);
    assert_int_equal(scene.verdict.code, VERDICT_OUT_OF_BOUNDS);
    place_set_pressure(scene.place, true);
    assert_int_equal(ask(&scene, 1, 0, 1, 9), PLACE_DECIDED);
    assert_int_equal(scene.verdict.code, VERDICT_READ_ONLY);
    take_all(&scene);
    assert_int_equal(scene.redis->scripts, 0);
    close_scene(&scene);
}

static void test_with_a_cooldown(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 1000, 0);
    ask(&scene, 1, 0, 1, 1);
    ask(&scene, 1, 1, 1, 2);
    ask(&scene, 2, 2, 1, 7);
    ask(&scene, 3, 3, 1, 1);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    assert_int_equal(scene.verdict.wait_ms, 1000);
    expect_verdict(&scene, 2, VERDICT_COOLDOWN, 0);
    assert_int_equal(scene.verdict.next_nonce, 2);
    expect_verdict(&scene, 3, VERDICT_STALE, 0);
    assert_int_equal(scene.verdict.next_nonce, 1);
    expect_verdict(&scene, 4, VERDICT_PLACED, 2);
    expect_verdict(&scene, 5, VERDICT_PLACED, 1);
    assert_int_equal(fake_tile(scene.redis, (struct tile){0, 0})->seq, 2);
    close_scene(&scene);
}

static void test_repetitions(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    ask(&scene, 1, 0, 1, 1);
    ask(&scene, 1, 1, 1, 3);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    expect_verdict(&scene, 2, VERDICT_PLACED, 1);
    expect_verdict(&scene, 3, VERDICT_PLACED, 2);
    ask(&scene, 1, 0, 1, 1);
    ask(&scene, 1, 1, 1, 3);
    assert_false(run_batch(&scene));
    expect_verdict(&scene, 4, VERDICT_PLACED, 2);
    expect_verdict(&scene, 5, VERDICT_PLACED, 2);
    assert_int_equal(scene.verdict.next_nonce, 4);
    // The one that is missing is new; one too old is nobody's.
    ask(&scene, 1, 2, 1, 2);
    ask(&scene, 1, 2, 1, 300);
    ask(&scene, 1, 2, 1, 44);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 6, VERDICT_PLACED, 3);
    expect_verdict(&scene, 7, VERDICT_PLACED, 4);
    expect_verdict(&scene, 8, VERDICT_STALE, 0);
    close_scene(&scene);
}

static void test_batches_are_bounded(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    struct batch *batches[PLACE_BATCHES_MAX];
    open_scene(&scene, 0, 0);
    for (uint32_t i = 0; i < 8u * 700u; i++)
        ask(&scene, 1, (uint16_t)(i / 700 * FAKE_EDGE + i % 64), 1, i + 1);
    take_all(&scene);
    for (size_t i = 0; i < PLACE_BATCHES_MAX; i++) {
        batches[i] = place_next_batch(scene.place, scene.now, &args);
        assert_non_null(batches[i]);
        size_t count = fake_place(scene.redis, &args);
        assert_int_equal(count, batch_tiles(batches[i]));
        assert_int_equal(count, 1);
    }
    assert_null(place_next_batch(scene.place, scene.now, &args));
    for (size_t i = 0; i < PLACE_BATCHES_MAX; i++)
        place_batch_unknown(scene.place, scene.now, batches[i]);
    assert_int_equal(fake_tile(scene.redis, (struct tile){0, 0})->seq, LIMIT_BATCH_DRAWS);
    close_scene(&scene);
}

static void test_small_batches_wait_for_the_one_in_flight(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 0, 0);
    for (uint16_t tile = 0; tile < 8; tile++)
        ask(&scene, 1, (uint16_t)(tile * FAKE_EDGE), 1, tile + 1u);
    take_all(&scene);
    assert_true(run_batch(&scene));
    ask(&scene, 1, 0, 1, 100);
    struct batch *first = place_next_batch(scene.place, scene.now, &args);
    assert_non_null(first);
    ask(&scene, 1, FAKE_EDGE, 1, 101);
    assert_null(place_next_batch(scene.place, scene.now, &args));
    for (uint32_t i = 0; i < 128; i++)
        ask(&scene, 1, FAKE_EDGE, 1, 102 + i);
    struct batch *second = place_next_batch(scene.place, scene.now, &args);
    assert_non_null(second);
    place_batch_unknown(scene.place, scene.now, first);
    place_batch_unknown(scene.place, scene.now, second);
    close_scene(&scene);
}

// Every draw with a tile, a user and an address of its own.
static void test_the_worst_batch_fits(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 1000, 0);
    const struct canvas_config config = {
        .version = 2,
        .geom = {65536, 65536, FAKE_EDGE},
        .cooldown_ms = 86400000,
        .guests_per_address = 1024,
        .palette = *palette_default(),
    };
    place_set_config(scene.place, &config);
    for (uint16_t i = 0; i < LIMIT_BATCH_DRAWS; i++) {
        struct link_draw draw = {.id = i,
                                 .nonce = INT32_MAX,
                                 .x = (uint16_t)(65535 - FAKE_EDGE * i),
                                 .y = 65535,
                                 .color = 31,
                                 .kind = LINK_USER_GUEST,
                                 .user = UINT64_MAX - i};
        memset(draw.address.bytes, 0xee, sizeof draw.address.bytes);
        draw.address.bytes[0] = (uint8_t)i;
        draw.address.bytes[1] = (uint8_t)(0x20 + (i >> 8));
        assert_int_equal(place_draw(scene.place, scene.now, PEER, &draw, &scene.verdict), PLACE_QUEUED);
    }
    struct place_take take;
    uint32_t taken_count = 0;
    while (place_next_take(scene.place, &take)) {
        const struct place_taken taken = {.epoch = UINT64_MAX, .pos = {1, UINT32_MAX - LIMIT_BATCH_DRAWS}};
        place_taken(scene.place, scene.now, take.tile, &taken);
        taken_count++;
    }
    assert_int_equal(taken_count, LIMIT_BATCH_DRAWS);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    assert_int_equal(batch_tiles(batch), LIMIT_BATCH_DRAWS);
    assert_int_equal(args.key_count, BATCH_KEYS_MAX);
    assert_int_equal(args.arg_count, 5 + LIMIT_BATCH_DRAWS * 11);
    place_batch_unknown(scene.place, scene.now, batch);
    close_scene(&scene);
}

static void test_overload(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 10);
    for (uint32_t i = 1; i <= 10; i++)
        assert_int_equal(ask(&scene, 1, 0, 1, i), PLACE_QUEUED);
    assert_int_equal(ask(&scene, 1, 0, 1, 11), PLACE_DECIDED);
    assert_int_equal(scene.verdict.code, VERDICT_OVERLOADED);
    assert_true(scene.verdict.wait_ms > 0);
    take_all(&scene);
    assert_true(run_batch(&scene));
    for (uint32_t i = 1; i <= 10; i++)
        expect_verdict(&scene, i, VERDICT_PLACED, i);
    // It was refused; it is not taken for placed because later ones were.
    ask(&scene, 1, 0, 1, 12);
    ask(&scene, 1, 0, 1, 11);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 12, VERDICT_PLACED, 11);
    expect_verdict(&scene, 13, VERDICT_PLACED, 12);
    close_scene(&scene);
}

static void test_redis_may_not_write(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    place_batch_refused(scene.place, scene.now, place_next_batch(scene.place, scene.now, &args));
    expect_verdict(&scene, 1, VERDICT_READ_ONLY, 0);
    expect_verdict(&scene, 2, VERDICT_READ_ONLY, 0);
    ask(&scene, 1, 0, 1, 1);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 3, VERDICT_PLACED, 1);
    close_scene(&scene);
}

static void test_malformed_replies_do_nothing(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    static const uint8_t bytes[64] = {0};
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    const struct batch_result bad[] = {
        {.status = 3},
        {.status = 0, .colors = bytes, .colors_len = 2},
        {.status = 0, .colors = bytes, .colors_len = 1, .verdicts = bytes, .verdicts_len = 14},
        {.status = 0, .colors = bytes, .colors_len = 0, .verdicts = bytes, .verdicts_len = 13},
        {.status = 0, .verdicts = (const uint8_t *)"\2\0\0\0\0\0\0\0\0\0\0\0\0", .verdicts_len = 14},
        {.status = 0, .verdicts = (const uint8_t *)"\0\x0b\0\0\0\0\0\0\0\0\0\0\0", .verdicts_len = 14},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(place_batch_done(scene.place, scene.now, batch, &bad[i], 1), ERR_MALFORMED);
    assert_int_equal(place_batch_done(scene.place, scene.now, batch, bad, 0), ERR_MALFORMED);
    expect_nothing(&scene);
    place_batch_unknown(scene.place, scene.now, batch);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    close_scene(&scene);
}

// ---- Ownership -----------------------------------------------------------------------------------------------------

static void test_unknown_outcome_done(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    fake_place(scene.redis, &args);
    ask(&scene, 1, 0, 2, 2);
    place_batch_unknown(scene.place, scene.now, batch);
    place_disconnected(scene.place, scene.now);
    expect_nothing(&scene);
    struct place_take take;
    assert_false(place_next_take(scene.place, &take));
    place_connected(scene.place);
    assert_false(place_next_take(scene.place, &take));
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    expect_verdict(&scene, 2, VERDICT_PLACED, 2);
    assert_int_equal(fake_tile(scene.redis, (struct tile){0, 0})->seq, 2);
    close_scene(&scene);
}

// It may have been placed by the first attempt: "not placed" would be a lie.
static void test_unknown_outcome_then_refused(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    fake_place(scene.redis, &args);
    place_batch_unknown(scene.place, scene.now, batch);
    place_disconnected(scene.place, scene.now);
    place_connected(scene.place);
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    ask(&scene, 2, 0, 2, 1);
    struct place_take take;
    assert_true(place_next_take(scene.place, &take));
    place_take_refused(scene.place, take.tile);
    expect_verdict(&scene, 1, VERDICT_UNAVAILABLE, 0);
    expect_verdict(&scene, 2, VERDICT_READ_ONLY, 0);
    close_scene(&scene);
}

static void test_a_late_script_of_the_old_connection_is_fenced(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args old_args;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &old_args);
    place_batch_unknown(scene.place, scene.now, batch);
    place_disconnected(scene.place, scene.now);
    place_connected(scene.place);
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    take_all(&scene);
    assert_int_equal(fake_place(scene.redis, &old_args), 1);
    assert_int_equal(scene.redis->results[0].status, 1);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    close_scene(&scene);
}

static void test_fenced_reads_the_view_and_gives_up(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    fake_steal(scene.redis, (struct tile){0, 0}, 0xbb, 2);
    assert_true(run_batch(&scene));
    expect_nothing(&scene);
    struct place_take take;
    assert_false(place_next_take(scene.place, &take));
    assert_true(place_next_view(scene.place));
    read_view(&scene, false);
    assert_false(place_next_take(scene.place, &take));
    expect_not_owner(&scene, 1);
    assert_int_equal(fake_tile(scene.redis, (struct tile){0, 0})->owner, 0xbb);
    assert_true(peer_must_refuse(place_peer(scene.place, PEER), (struct tile){0, 0}));
    close_scene(&scene);
}

static void test_fenced_takes_again_if_still_the_winner(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    fake_steal(scene.redis, (struct tile){0, 0}, 0xbb, 1);
    assert_true(run_batch(&scene));
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    assert_int_equal(place_stats(scene.place)->fenced, 1);
    close_scene(&scene);
}

static void test_a_taking_refused_for_a_newer_view(void **state)
{
    (void)state;
    struct scene scene;
    struct place_take take;
    open_scene(&scene, 0, 0);
    fake_steal(scene.redis, (struct tile){0, 0}, 0xbb, 9);
    ask(&scene, 1, 0, 1, 1);
    assert_true(place_next_take(scene.place, &take));
    fake_take(scene.redis, scene.place, scene.now, INCARNATION, &take);
    assert_false(place_next_take(scene.place, &take));
    assert_true(place_next_view(scene.place));
    scene.view = 8;
    read_view(&scene, false);
    assert_false(place_next_take(scene.place, &take));
    expect_not_owner(&scene, 1);
    close_scene(&scene);
}

static void test_rewound_takes_again(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    fake_tile(scene.redis, (struct tile){0, 0})->seq = 0;
    ask(&scene, 1, 0, 1, 2);
    assert_true(run_batch(&scene));
    expect_nothing(&scene);
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 2, VERDICT_PLACED, 1);
    assert_int_equal(place_stats(scene.place)->rewound, 1);
    close_scene(&scene);
}

static void test_a_view_takes_tiles_away(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    struct place_take take;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    ask(&scene, 1, 0, 2, 2);
    assert_int_equal(place_forward(scene.place, PEER, scene.view + 1, 0), 0);
    assert_true(place_next_view(scene.place));
    read_view(&scene, false);
    // What is in flight is finished first, so that what waits behind it cannot overtake.
    assert_false(place_next_take(scene.place, &take));
    expect_nothing(&scene);
    size_t count = fake_place(scene.redis, &args);
    assert_int_equal(place_batch_done(scene.place, scene.now, batch, scene.redis->results, count), 0);
    assert_false(place_next_take(scene.place, &take));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    expect_not_owner(&scene, 2);
    assert_int_equal(place_stats(scene.place)->owned, 0);
    close_scene(&scene);
}

static void test_held_for_500_ms(void **state)
{
    (void)state;
    struct scene scene;
    struct place_take take;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    assert_true(place_next_take(scene.place, &take));
    scene.now = monotime_add_ms(scene.now, PLACE_HOLD_MS - 1);
    place_tick(scene.place, scene.now);
    expect_nothing(&scene);
    scene.now = monotime_add_ms(scene.now, 1);
    place_tick(scene.place, scene.now);
    expect_not_owner(&scene, 1);
    peer_flushed(place_peer(scene.place, PEER), 1);
    assert_int_equal(ask(&scene, 1, 0, 1, 1), PLACE_NOT_OWNER);
    peer_flushed(place_peer(scene.place, PEER), 1);
    assert_int_equal(place_forward(scene.place, PEER, 1, 2), 0);
    assert_int_equal(ask(&scene, 1, 0, 1, 1), PLACE_QUEUED);
    fake_take(scene.redis, scene.place, scene.now, INCARNATION, &take);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 3, VERDICT_PLACED, 1);
    close_scene(&scene);
}

static void test_a_closed_link_takes_its_draws_along(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    place_peer_close(scene.place, PEER);
    place_peer_open(scene.place, PEER);
    ask(&scene, 1, 0, 2, 2);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 2, VERDICT_PLACED, 1);
    assert_int_equal(place_peer(scene.place, PEER)->in_flight, 0);
    assert_true(place_is_quiet(scene.place));
    close_scene(&scene);
}

// It was recognised as a repetition of a draw in the same batch, which then was not placed after all.
static void test_a_repetition_of_what_was_not_placed(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    const struct link_draw again = {
        .id = 77, .nonce = NONCE_COUNTED_FIRST, .color = 1, .kind = LINK_USER_GUEST, .user = 1, .connection = 7};
    open_scene(&scene, 0, 0);
    place_peer_open(scene.place, PEER + 1);
    ask(&scene, 1, 0, 1, 1);
    assert_int_equal(place_draw(scene.place, scene.now, PEER + 1, &again, &scene.verdict), PLACE_QUEUED);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    place_batch_unknown(scene.place, scene.now, batch);
    place_peer_close(scene.place, PEER);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 77, VERDICT_PLACED, 1);
    assert_int_equal(fake_tile(scene.redis, (struct tile){0, 0})->seq, 1);
    close_scene(&scene);
}

// The cooldown becomes more, and 0 again, while draws are under way of which nobody knows what became. Repeated, each
// is judged by the rule that it was made under: PLACED once, wherever it was placed.
static void test_the_rule_changes_under_draws(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    scene.nonces = 0; // as they are
    ask(&scene, 1, 0, 1, NONCE_COUNTED_FIRST);
    ask(&scene, 1, 1, 1, NONCE_COUNTED_FIRST + 1);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    expect_verdict(&scene, 2, VERDICT_PLACED, 2);

    set_config(&scene, 1000);
    ask(&scene, 1, 0, 1, NONCE_COUNTED_FIRST);     // its verdict was lost
    ask(&scene, 1, 2, 1, NONCE_COUNTED_FIRST + 2); // it never arrived
    ask(&scene, 1, 2, 1, 1);                       // the first of the other rule
    ask(&scene, 1, 0, 1, NONCE_COUNTED_FIRST);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 3, VERDICT_PLACED, 2);
    expect_verdict(&scene, 4, VERDICT_STALE, 0);
    assert_int_equal(scene.verdict.next_nonce, 1);
    expect_verdict(&scene, 5, VERDICT_PLACED, 3);
    expect_verdict(&scene, 6, VERDICT_PLACED, 2);

    // Another owner knows it from Redis.
    place_disconnected(scene.place, scene.now);
    place_connected(scene.place);
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    ask(&scene, 1, 1, 1, NONCE_COUNTED_FIRST + 1);
    take_all(&scene);
    assert_false(run_batch(&scene));
    expect_verdict(&scene, 7, VERDICT_PLACED, 2);

    set_config(&scene, 0);
    ask(&scene, 1, 2, 1, 1);                       // its verdict was lost
    ask(&scene, 1, 3, 1, NONCE_COUNTED_FIRST + 3); // new, in the same batch
    ask(&scene, 1, 4, 1, 2);                       // never arrived
    ask(&scene, 1, 5, 1, NONCE_COUNTED_FIRST + 4);
    ask(&scene, 1, 2, 1, 1);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 8, VERDICT_PLACED, 3);
    expect_verdict(&scene, 9, VERDICT_PLACED, 4);
    expect_verdict(&scene, 10, VERDICT_STALE, 0);
    assert_int_equal(scene.verdict.next_nonce, NONCE_COUNTED_FIRST);
    expect_verdict(&scene, 11, VERDICT_PLACED, 5);
    expect_verdict(&scene, 12, VERDICT_PLACED, 3);
    // And what the windows say of where they are is right, though the batch had others among them.
    ask(&scene, 1, 5, 1, NONCE_COUNTED_FIRST + 4);
    assert_false(run_batch(&scene));
    expect_verdict(&scene, 13, VERDICT_PLACED, 5);
    assert_int_equal(fake_tile(scene.redis, (struct tile){0, 0})->seq, 5);
    close_scene(&scene);
}

static void test_leaving(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    ask(&scene, 1, 0, 2, 2);
    ask(&scene, 1, 64, 2, 3);
    place_leave(scene.place);
    expect_not_owner(&scene, 3);
    assert_int_equal(ask(&scene, 1, 128, 2, 4), PLACE_NOT_OWNER);
    assert_false(place_is_quiet(scene.place));
    size_t count = fake_place(scene.redis, &args);
    assert_int_equal(place_batch_done(scene.place, scene.now, batch, scene.redis->results, count), 0);
    struct place_take take;
    assert_false(place_next_take(scene.place, &take));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    expect_not_owner(&scene, 2);
    assert_true(place_is_quiet(scene.place));
    close_scene(&scene);
}

static void test_the_windows_come_with_the_tile(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    assert_true(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_PLACED, 1);
    place_disconnected(scene.place, scene.now);
    assert_int_equal(place_stats(scene.place)->windows, 0);
    place_connected(scene.place);
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    // The other hash has an earlier one of the same connection.
    struct fake_tile *tile = fake_tile(scene.redis, (struct tile){0, 0});
    uint8_t earlier[WINDOW_LEN] = {0};
    place_taken_window(scene.place, scene.now, tile->tile, tile->windows[0].field, 16, earlier, sizeof earlier);
    assert_false(run_batch(&scene));
    expect_verdict(&scene, 2, VERDICT_PLACED, 1);
    close_scene(&scene);
}

static void test_windows_that_do_not_fit(void **state)
{
    (void)state;
    const struct place_options options = {.address = ME, .incarnation = INCARNATION, .windows_max = 1};
    struct scene scene = {.place = place_new(&options), .redis = fake_new(), .now = {1000000}};
    struct place_take take;
    uint8_t field[16] = {1}, value[WINDOW_LEN] = {1};
    set_config(&scene, 0);
    place_peer_open(scene.place, PEER);
    place_connected(scene.place);
    assert_true(place_next_view(scene.place));
    read_view(&scene, true);
    ask(&scene, 1, 0, 1, 1);
    assert_true(place_next_take(scene.place, &take));
    const struct place_taken taken = {.epoch = 5, .pos = {4, 1}, .px = value, .px_len = 1};
    place_taken(scene.place, scene.now, take.tile, &taken);
    for (field[1] = 0; field[1] < 3; field[1]++)
        place_taken_window(scene.place, scene.now, take.tile, field, sizeof field, value, sizeof value);
    // What was placed would not be recognised: nothing is, and the tile is not kept.
    expect_verdict(&scene, 1, VERDICT_OVERLOADED, 0);
    assert_int_equal(place_stats(scene.place)->owned, 0);
    assert_int_equal(place_stats(scene.place)->windows, 0);
    assert_false(run_batch(&scene));
    assert_true(place_is_quiet(scene.place));
    close_scene(&scene);
}

static void test_a_taking_that_redis_refuses(void **state)
{
    (void)state;
    struct scene scene;
    struct place_take take;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    assert_true(place_next_take(scene.place, &take));
    ask(&scene, 1, 1, 1, 2);
    place_take_refused(scene.place, take.tile);
    expect_verdict(&scene, 1, VERDICT_READ_ONLY, 0);
    assert_int_equal(scene.verdict.next_nonce, 1);
    expect_verdict(&scene, 2, VERDICT_READ_ONLY, 0);
    assert_false(place_next_take(scene.place, &take));
    assert_true(place_is_quiet(scene.place));
    close_scene(&scene);
}

// A batch that breaks every connection must not do so for ever.
static void test_nothing_is_tried_for_ever(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    open_scene(&scene, 0, 0);
    ask(&scene, 1, 0, 1, 1);
    uint32_t tries = 0;
    while (!place_is_quiet(scene.place)) {
        take_all(&scene);
        struct batch *batch = place_next_batch(scene.place, scene.now, &args);
        assert_non_null(batch);
        scene.now = monotime_add_ms(scene.now, 300);
        place_batch_unknown(scene.place, scene.now, batch);
        place_disconnected(scene.place, scene.now);
        place_tick(scene.place, scene.now);
        assert_true(++tries <= PLACE_TRY_MS / 300);
        struct draw *draw = place_next_answer(scene.place);
        if (draw != NULL) {
            assert_true(draw->not_owner);
            place_release(scene.place, draw);
        }
        place_connected(scene.place);
        assert_true(place_next_view(scene.place));
        read_view(&scene, true);
    }
    assert_int_equal(tries, PLACE_TRY_MS / 300);
    close_scene(&scene);
}

static void test_before_the_configuration_is_known(void **state)
{
    (void)state;
    const struct place_options options = {.address = ME, .incarnation = INCARNATION};
    struct scene scene = {.place = place_new(&options), .redis = fake_new(), .now = {1000000}};
    place_peer_open(scene.place, PEER);
    assert_int_equal(ask(&scene, 1, 64, 1, 1), PLACE_NOT_OWNER);
    // Another of that tile may be under way and would overtake it: the link has to go.
    assert_true(place_peer(scene.place, PEER)->broken);
    close_scene(&scene);
}

static void test_beats_of_many_tiles(void **state)
{
    (void)state;
    struct scene scene;
    struct batch_args args;
    struct place_beat beat;
    open_scene(&scene, 0, 0);
    for (uint16_t tile = 0; tile < 8; tile++)
        ask(&scene, 1, (uint16_t)(tile * FAKE_EDGE), 1, tile + 1u);
    take_all(&scene);
    assert_true(run_batch(&scene));
    ask(&scene, 1, FAKE_EDGE, 1, 100);
    struct batch *batch = place_next_batch(scene.place, scene.now, &args);
    place_tick(scene.place, scene.now);
    uint32_t beats = 0;
    for (; place_next_beat(scene.place, &beat); beats++)
        assert_int_not_equal(beat.tile.tx, 1);
    assert_int_equal(beats, 7);
    // The one that was in a batch follows.
    size_t count = fake_place(scene.redis, &args);
    assert_int_equal(place_batch_done(scene.place, scene.now, batch, scene.redis->results, count), 0);
    assert_true(place_next_beat(scene.place, &beat));
    assert_int_equal(beat.tile.tx, 1);
    assert_int_equal(beat.seq, 2);
    assert_int_equal(beat.placed, 2);
    assert_false(place_next_beat(scene.place, &beat));
    // Only those placed on lately go on.
    scene.now = monotime_add_ms(scene.now, PLACE_BEAT_AFTER_MS - 1);
    ask(&scene, 1, 3 * FAKE_EDGE, 1, 101);
    assert_true(run_batch(&scene));
    scene.now = monotime_add_ms(scene.now, 1);
    place_tick(scene.place, scene.now);
    assert_true(place_next_beat(scene.place, &beat));
    assert_int_equal(beat.tile.tx, 3);
    assert_int_equal(beat.placed, 1);
    assert_false(place_next_beat(scene.place, &beat));
    // Told once only.
    scene.now = monotime_add_ms(scene.now, PLACE_BEAT_EVERY_MS);
    place_tick(scene.place, scene.now);
    assert_true(place_next_beat(scene.place, &beat));
    assert_int_equal(beat.placed, 0);
    // And none of a tile that was given up.
    scene.now = monotime_add_ms(scene.now, PLACE_BEAT_EVERY_MS);
    place_tick(scene.place, scene.now);
    place_disconnected(scene.place, scene.now);
    place_connected(scene.place);
    assert_false(place_next_beat(scene.place, &beat));
    close_scene(&scene);
}

static void test_a_tile_without_numbers_left(void **state)
{
    (void)state;
    struct scene scene;
    open_scene(&scene, 0, 0);
    fake_tile(scene.redis, (struct tile){0, 0})->seq = UINT32_MAX - 5;
    ask(&scene, 1, 0, 1, 1);
    take_all(&scene);
    assert_false(run_batch(&scene));
    expect_verdict(&scene, 1, VERDICT_READ_ONLY, 0);
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_place_and_checksum),
        cmocka_unit_test(test_rules_come_first),
        cmocka_unit_test(test_with_a_cooldown),
        cmocka_unit_test(test_repetitions),
        cmocka_unit_test(test_batches_are_bounded),
        cmocka_unit_test(test_small_batches_wait_for_the_one_in_flight),
        cmocka_unit_test(test_the_worst_batch_fits),
        cmocka_unit_test(test_overload),
        cmocka_unit_test(test_redis_may_not_write),
        cmocka_unit_test(test_malformed_replies_do_nothing),
        cmocka_unit_test(test_unknown_outcome_done),
        cmocka_unit_test(test_unknown_outcome_then_refused),
        cmocka_unit_test(test_a_late_script_of_the_old_connection_is_fenced),
        cmocka_unit_test(test_fenced_reads_the_view_and_gives_up),
        cmocka_unit_test(test_fenced_takes_again_if_still_the_winner),
        cmocka_unit_test(test_a_taking_refused_for_a_newer_view),
        cmocka_unit_test(test_rewound_takes_again),
        cmocka_unit_test(test_a_view_takes_tiles_away),
        cmocka_unit_test(test_held_for_500_ms),
        cmocka_unit_test(test_a_closed_link_takes_its_draws_along),
        cmocka_unit_test(test_a_repetition_of_what_was_not_placed),
        cmocka_unit_test(test_the_rule_changes_under_draws),
        cmocka_unit_test(test_leaving),
        cmocka_unit_test(test_the_windows_come_with_the_tile),
        cmocka_unit_test(test_windows_that_do_not_fit),
        cmocka_unit_test(test_a_taking_that_redis_refuses),
        cmocka_unit_test(test_nothing_is_tried_for_ever),
        cmocka_unit_test(test_before_the_configuration_is_known),
        cmocka_unit_test(test_beats_of_many_tiles),
        cmocka_unit_test(test_a_tile_without_numbers_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
