// Who is answered with what, when: content.c with a made-up hub and worker, on virtual time.

#include <stdlib.h>

#include "check.h"
#include "common/io/metrics.h"
#include "fake_loop.h"
#include "gateway/content.h"

#define EDGE 64u
#define LEN (EDGE * EDGE)

static struct content *content;
static struct canvas_config config;
static uint32_t seq; // of every tile
static uint8_t color;

// ---- The hub and the worker ----------------------------------------------------------------------------------------

static struct {
    hub_images_cb cb;
    void *arg;
    size_t count;
    unsigned asked, cancelled;
    int at_once; // answer within hub_images with this, if below 1
    struct worker_job *job;
    bool worker_full;
} made_up;

struct tile_image *tile_image_ref(struct tile_image *image)
{
    image->refs++;
    return image;
}

void tile_image_unref(struct tile_image *image)
{
    if (--image->refs == 0)
        free(image);
}

static void answer_images(int err)
{
    struct tile_image *images[4096];
    hub_images_cb cb = made_up.cb;
    made_up.cb = NULL;
    size_t count = err == 0 ? made_up.count : 0;
    for (size_t i = 0; i < count; i++) {
        images[i] = calloc(1, sizeof *images[i] + LEN);
        *images[i] = (struct tile_image){.refs = 1, .pos = {5, seq}, .len = LEN};
        memset(images[i]->px, color, LEN);
    }
    cb(err, images, count, made_up.arg);
}

struct hub_request *hub_images(struct hub *hub, const struct tile *tiles, size_t count, hub_images_cb cb, void *arg)
{
    (void)hub;
    (void)tiles;
    assert_null(made_up.cb);
    made_up.cb = cb;
    made_up.arg = arg;
    made_up.count = count;
    made_up.asked++;
    if (made_up.at_once > 0)
        return (struct hub_request *)&made_up;
    answer_images(made_up.at_once);
    return NULL;
}

void hub_images_cancel(struct hub_request *request)
{
    if (request == NULL)
        return;
    made_up.cb = NULL;
    made_up.cancelled++;
}

int worker_submit(struct worker *worker, struct worker_job *job)
{
    (void)worker;
    if (made_up.worker_full)
        return ERR_FULL;
    assert_null(made_up.job);
    made_up.job = job;
    return 0;
}

static void work(void)
{
    struct worker_job *job = made_up.job;
    assert_non_null(job);
    made_up.job = NULL;
    job->run(job);
    job->done(job);
}

int metrics_add(struct metrics *metrics, const struct metrics_row *rows, size_t count)
{
    (void)metrics;
    (void)rows;
    (void)count;
    return 0;
}

// ---- Who asks ------------------------------------------------------------------------------------------------------

struct asker {
    unsigned calls;
    int err;
    char etag[64];
    bool gzip, has_position;
    size_t len;
    bool asks_again;
};

static void on_content(int err, const struct content_body *body, void *arg)
{
    struct asker *asker = arg;
    asker->calls++;
    asker->err = err;
    if (err == 0) {
        strncpy(asker->etag, body->etag, sizeof asker->etag - 1);
        asker->gzip = body->gzip;
        asker->has_position = body->position != NULL;
        asker->len = body->bytes->len;
    } else {
        assert_null(body);
    }
    if (asker->asks_again)
        content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {0, 0}}, on_content, asker);
}

static struct content_request *get_tile(struct asker *asker)
{
    return content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {1, 1}}, on_content, asker);
}

static int begin(void **state)
{
    (void)state;
    fake_loop_reset();
    memset(&made_up, 0, sizeof made_up);
    made_up.at_once = 1;
    seq = 1;
    config = (struct canvas_config){.version = 1, .geom = {128, 128, EDGE}, .palette = *palette_default()};
    content = content_new(fake_loop(), NULL, NULL, NULL);
    content_configure(content, &config);
    return 0;
}

static int end(void **state)
{
    (void)state;
    content_free(content);
    return 0;
}

static void test_made_once_for_all(void **state)
{
    (void)state;
    struct asker askers[5] = {0};
    for (unsigned i = 0; i < 5; i++) {
        assert_non_null(get_tile(&askers[i]));
        fake_loop_turn(1000);
    }
    assert_int_equal(made_up.asked, 1);
    answer_images(0);
    work();
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(askers[i].calls, 1);
        assert_int_equal(askers[i].err, 0);
        assert_string_equal(askers[i].etag, "\"5-1-raw\"");
        assert_true(askers[i].has_position);
        assert_int_equal(askers[i].len, LEN);
    }
}

static void test_fresh_for_a_second(void **state)
{
    (void)state;
    struct asker asker = {0};
    get_tile(&asker);
    fake_loop_turn(0);
    answer_images(0);
    work();
    seq = 2;
    fake_loop_turn(900000);
    assert_null(get_tile(&asker)); // at once
    assert_string_equal(asker.etag, "\"5-1-raw\"");
    fake_loop_turn(200000);
    assert_non_null(get_tile(&asker));
    fake_loop_turn(0);
    answer_images(0);
    work();
    assert_string_equal(asker.etag, "\"5-2-raw\"");
    // The same position again needs no work.
    fake_loop_turn(1100000);
    assert_non_null(get_tile(&asker));
    fake_loop_turn(0);
    answer_images(0);
    assert_null(made_up.job);
    assert_int_equal(asker.calls, 4);
}

static void test_forms(void **state)
{
    (void)state;
    struct asker gzip = {0}, tiles = {0}, png = {0};
    made_up.at_once = 0;
    content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {1, 1}, .gzip = true}, on_content, &gzip);
    fake_loop_turn(0);
    work();
    assert_true(gzip.gzip && gzip.len < LEN);
    content_get(content, &(struct content_part){.kind = CONTENT_TILES, .tile = {0, 0}}, on_content, &tiles);
    fake_loop_turn(0);
    assert_int_equal(made_up.count, 4);
    work();
    assert_false(tiles.has_position);
    assert_int_equal(tiles.len, 4 * (LEN + 16));
    content_get(content, &(struct content_part){.kind = CONTENT_PNG, .tile = {0, 0}, .gzip = true}, on_content, &png);
    fake_loop_turn(0);
    work();
    assert_false(png.gzip);
}

static void test_refusals(void **state)
{
    (void)state;
    struct asker outside = {0}, large = {0}, early = {0};
    content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {2, 0}}, on_content, &outside);
    assert_int_equal(outside.err, ERR_RANGE);
    config.geom.width = 4097;
    content_configure(content, &config);
    content_get(content, &(struct content_part){.kind = CONTENT_TILES, .tile = {0, 0}}, on_content, &large);
    content_get(content, &(struct content_part){.kind = CONTENT_PNG, .tile = {0, 0}}, on_content, &large);
    assert_int_equal(large.calls, 2);
    assert_int_equal(large.err, ERR_RANGE);
    config.version = 0;
    content_configure(content, &config);
    get_tile(&early);
    assert_int_equal(early.err, ERR_CLOSED);
}

static void test_errors_reach_all(void **state)
{
    (void)state;
    struct asker one = {.asks_again = true}, two = {0}, full = {0};
    get_tile(&one);
    get_tile(&two);
    fake_loop_turn(0);
    answer_images(ERR_TIMEOUT);
    assert_int_equal(one.err, ERR_TIMEOUT);
    assert_int_equal(two.err, ERR_TIMEOUT);
    one.asks_again = false;
    fake_loop_turn(0);
    answer_images(ERR_CLOSED);
    assert_int_equal(one.err, ERR_CLOSED);
    assert_int_equal(one.calls, 2);
    made_up.worker_full = true;
    made_up.at_once = 0;
    get_tile(&full);
    fake_loop_turn(0);
    assert_int_equal(full.err, ERR_FULL);
}

static void test_cancelled(void **state)
{
    (void)state;
    struct asker asker = {0}, other = {0};
    struct content_request *request = get_tile(&asker);
    get_tile(&other);
    fake_loop_turn(0);
    content_cancel(request);
    answer_images(0);
    work();
    assert_int_equal(asker.calls, 0);
    assert_int_equal(other.calls, 1);
    content_get(content, &(struct content_part){.kind = CONTENT_TILES, .tile = {0, 0}}, on_content,
                &asker); // ended while it waits
    fake_loop_turn(0);
}

// A canvas that grows while its picture is made is asked for again.
static void test_growth(void **state)
{
    (void)state;
    struct asker asker = {0};
    content_get(content, &(struct content_part){.kind = CONTENT_PNG, .tile = {0, 0}}, on_content, &asker);
    fake_loop_turn(0);
    config.geom.width = 192;
    config.version++;
    content_configure(content, &config);
    answer_images(0);
    assert_int_equal(asker.err, ERR_FULL);
}

static void test_few_bodies_are_kept(void **state)
{
    (void)state;
    struct asker asker = {0};
    made_up.at_once = 0;
    config.geom = (struct geom){4096, 4096, EDGE};
    content_configure(content, &config);
    for (uint16_t i = 0; i < 600; i++) {
        content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {i % 64, i / 64}}, on_content,
                    &asker);
        fake_loop_turn(0);
        work();
        assert_int_equal(asker.err, 0);
    }
    unsigned asked = made_up.asked;
    content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {599 % 64, 599 / 64}}, on_content,
                &asker);
    assert_int_equal(made_up.asked, asked); // the last is there
    content_get(content, &(struct content_part){.kind = CONTENT_TILE, .tile = {0, 0}}, on_content, &asker);
    fake_loop_turn(0);
    assert_int_equal(made_up.asked, asked + 1); // the first is not
    work();
    fake_loop_turn(30000000); // nobody asks: all is forgotten
    fake_loop_turn(30000000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(test_made_once_for_all), TEST(test_fresh_for_a_second), TEST(test_forms),  TEST(test_refusals),
        TEST(test_errors_reach_all),  TEST(test_cancelled),          TEST(test_growth), TEST(test_few_bodies_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
