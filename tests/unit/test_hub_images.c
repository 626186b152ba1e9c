// Images of whole tiles, as HTTP asks the hub for them.
#include "tests/unit/hub_steps.h"

struct images_seen {
    unsigned calls;
    int err;
    size_t count;
};

static void on_images(int err, struct tile_image *const *images, size_t count, void *arg)
{
    struct images_seen *seen = arg;
    *seen = (struct images_seen){seen->calls + 1, err, count};
    for (size_t i = 0; i < count; i++) {
        unsigned tile = images[i]->tile.ty * WORLD_ACROSS + images[i]->tile.tx;
        assert_true(position_equal(images[i]->pos, world_position(tile)));
        assert_memory_equal(images[i]->px, world_pixels(tile), WORLD_TILE_LEN);
        tile_image_unref(images[i]);
    }
}

static struct hub_request *ask_images(struct images_seen *seen)
{
    const struct tile tiles[] = {world_tile(4), world_tile(0)};
    return hub_images(world_hub(), tiles, 2, on_images, seen);
}

static void test_images(void **state)
{
    (void)state;
    struct images_seen seen = {0}, again = {0};
    world_place(0, 9);
    assert_non_null(ask_images(&seen));
    steps_work();
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.err, 0);
    assert_int_equal(seen.count, 2);
    assert_null(ask_images(&again)); // they are there
    assert_int_equal(again.calls, 1);
}

static void test_images_that_do_not_come(void **state)
{
    (void)state;
    struct images_seen late = {0}, cancelled = {0}, closed = {0}, full = {0};
    assert_non_null(ask_images(&late));
    hub_images_cancel(ask_images(&cancelled));
    world_bus(false);
    for (unsigned i = 0; i < 51; i++)
        world_turn(100000);
    assert_int_equal(late.err, ERR_TIMEOUT);
    assert_int_equal(late.calls, 1);
    assert_int_equal(cancelled.calls, 0);
    world_store(false);
    assert_null(ask_images(&closed));
    assert_int_equal(closed.err, ERR_CLOSED);
    steps_options.replica_memory = 100;
    steps_restart();
    assert_null(ask_images(&full));
    assert_int_equal(full.err, ERR_FULL);
}

static void test_few_images_wait(void **state)
{
    (void)state;
    struct images_seen seen = {0}, full = {0};
    world_bus(false);
    for (unsigned i = 0; i < 64; i++)
        assert_non_null(ask_images(&seen));
    assert_null(ask_images(&full));
    assert_int_equal(full.err, ERR_FULL);
    world_bus(true);
    steps_work();
    for (unsigned i = 0; i < 64; i++)
        world_turn(10);
    assert_int_equal(seen.calls, 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(test_images),
        STEPS(test_images_that_do_not_come),
        STEPS(test_few_images_wait),
    };
    return cmocka_run_group_tests_name("hub_images", tests, NULL, NULL);
}
