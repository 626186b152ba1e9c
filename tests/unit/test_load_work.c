#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/tools/load_work.h"

#define WIDTH 10u
#define HEIGHT 5u
#define PIXELS (WIDTH * HEIGHT)

static const struct load_canvas canvas = {.geom = {WIDTH, HEIGHT, 64}, .colors = 7};
static uint16_t px[PIXELS];
static const struct load_image image = {WIDTH, HEIGHT, px};

static struct monotime ms(int64_t value)
{
    return (struct monotime){value * 1000};
}

static int set_up(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < PIXELS; i++)
        px[i] = (uint16_t)(i % 7);
    return 0;
}

static void start(struct load_work *work, const struct load_options *options, uint32_t *changes, unsigned part)
{
    for (uint32_t i = 0; changes != NULL && i < PIXELS; i++)
        changes[i] = i;
    load_work_init(work, options, &canvas, part, (unsigned)options->processes, ms(0));
    if (changes != NULL)
        load_work_image(work, options, &image, changes, PIXELS, part, (unsigned)options->processes);
}

// Whatever the order, the shares of all processes are the whole image, each pixel once with its color.
static void test_shares_cover_the_image(void **state)
{
    (void)state;
    for (int order = LOAD_ROWS; order <= LOAD_SHUFFLE; order++) {
        struct load_options options = {.processes = 3, .order = order, .seed = 5};
        unsigned seen[PIXELS] = {0};
        bool in_rows = true;
        for (unsigned part = 0; part < 3; part++) {
            uint32_t changes[PIXELS];
            struct load_work work;
            struct load_pixel pixel;
            uint32_t last = 0;
            start(&work, &options, changes, part);
            assert_false(load_work_done(&work));
            while (load_work_take(&work, ms(0), &pixel)) {
                uint32_t place = pixel.y * WIDTH + pixel.x;
                assert_int_equal(pixel.color, px[place]);
                in_rows &= place >= last;
                last = place;
                seen[place]++;
            }
            assert_true(load_work_done(&work));
            load_work_fini(&work);
        }
        for (uint32_t i = 0; i < PIXELS; i++)
            assert_int_equal(seen[i], 1);
        assert_int_equal(in_rows, order == LOAD_ROWS);
    }
}

static void test_returned_pixels_come_again_when_due(void **state)
{
    (void)state;
    const struct load_options options = {.processes = 1};
    uint32_t changes[PIXELS];
    struct load_work work;
    struct load_pixel pixel;
    start(&work, &options, changes, 0);
    for (uint32_t i = 0; i < PIXELS; i++)
        assert_true(load_work_take(&work, ms(0), &pixel));
    // Many at once, so that the ring grows while it wraps.
    for (uint32_t i = 0; i < 3000; i++) {
        pixel = (struct load_pixel){.x = (uint16_t)(i % WIDTH), .y = 1, .color = 3};
        assert_int_equal(load_work_return(&work, &pixel, ms(10 + i)), 0);
        if (i % 3 == 0)
            assert_true(load_work_take(&work, ms(5000), &pixel));
    }
    assert_int_equal(load_work_left(&work), 2000);
    assert_false(load_work_done(&work));
    assert_false(load_work_ready(&work, ms(9)));
    uint32_t count = 0;
    while (load_work_take(&work, ms(5000), &pixel))
        count++;
    assert_int_equal(count, 2000);
    assert_true(load_work_done(&work));
    load_work_fini(&work);
}

static void test_random_pixels_are_on_the_canvas_until_stopped(void **state)
{
    (void)state;
    const struct load_options options = {.processes = 1, .seed = 9};
    struct load_work work;
    struct load_pixel pixel;
    unsigned colors = 0;
    start(&work, &options, NULL, 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(load_work_take(&work, ms(0), &pixel));
        assert_true(pixel.x < WIDTH && pixel.y < HEIGHT && pixel.color < 7);
        colors |= 1u << pixel.color;
    }
    assert_int_equal(colors, 0x7f);
    assert_int_equal(load_work_return(&work, &pixel, ms(0)), 0); // others take its place
    assert_int_equal(work.again_count, 0);
    load_work_stop(&work);
    assert_true(load_work_done(&work));
    assert_false(load_work_take(&work, ms(0), &pixel));
    load_work_fini(&work);
}

static uint32_t take_all(struct load_work *work, int64_t now_ms)
{
    struct load_pixel pixel;
    uint32_t count = 0;
    while (load_work_take(work, ms(now_ms), &pixel))
        count++;
    return count;
}

static void test_rate_is_kept_and_shared(void **state)
{
    (void)state;
    const struct load_options options = {.processes = 3, .rate = 1000};
    uint32_t sum = 0;
    for (unsigned part = 0; part < 3; part++) {
        struct load_work work;
        start(&work, &options, NULL, part);
        for (int64_t now = 0; now < 1000; now += 5)
            sum += take_all(&work, now);
        load_work_fini(&work);
    }
    assert_in_range(sum, 990, 1003);

    // What was not used in time is lost: no storm after a pause.
    struct load_work work;
    start(&work, &options, NULL, 0);
    (void)take_all(&work, 0);
    assert_in_range(take_all(&work, 60000), 30, 40);
    load_work_fini(&work);
}

static void test_share_of_a_small_rate_may_be_nothing(void **state)
{
    (void)state;
    const struct load_options options = {.processes = 3, .rate = 2};
    struct load_work work;
    start(&work, &options, NULL, 2);
    assert_true(load_work_done(&work));
    assert_int_equal(take_all(&work, 100000), 0);
    load_work_fini(&work);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_shares_cover_the_image, set_up),
        cmocka_unit_test_setup(test_returned_pixels_come_again_when_due, set_up),
        cmocka_unit_test(test_random_pixels_are_on_the_canvas_until_stopped),
        cmocka_unit_test(test_rate_is_kept_and_shared),
        cmocka_unit_test(test_share_of_a_small_rate_may_be_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
