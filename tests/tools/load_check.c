#include "tests/tools/load_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/io/loop.h"

#define RETRY_MS 200

// What was found in one round; `where` is the first difference.
struct round {
    uint64_t mismatches;
    uint64_t behind;
    uint64_t errors;
    char where[160];
};

static void found(struct round *round, const struct load_target *target, const char *what, uint32_t x, uint32_t y,
                  unsigned is, unsigned expected)
{
    if (round->mismatches++ == 0)
        (void)snprintf(round->where, sizeof round->where, "%s: %s: (%u, %u) is %u, expected %u", target->host, what, x,
                       y, is, expected);
}

static void compare_image(struct round *round, const struct load_target *target, const struct load_tiles *tiles,
                          const struct load_image *image)
{
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = 0; x < image->width; x++) {
            uint16_t wanted = image->px[(size_t)y * image->width + x];
            uint8_t color = load_tiles_color(tiles, x, y);
            if (wanted != LOAD_TRANSPARENT && wanted != color)
                found(round, target, "tiles", x, y, color, wanted);
        }
    }
}

static void compare_png(struct round *round, const struct load_target *target, const struct load_tiles *tiles,
                        const struct load_canvas *canvas)
{
    bool too_large = tiles->geom.width > 4096 || tiles->geom.height > 4096;
    uint8_t *rgb = too_large ? NULL : load_api_png(target, &tiles->geom);
    if (rgb == NULL) {
        round->errors += !too_large;
        return;
    }
    for (uint32_t y = 0; y < tiles->geom.height; y++) {
        for (uint32_t x = 0; x < tiles->geom.width; x++) {
            const uint8_t *at = rgb + 3 * ((size_t)y * tiles->geom.width + x);
            uint8_t color = load_tiles_color(tiles, x, y);
            if (memcmp(at, canvas->rgb[color], 3) != 0)
                found(round, target, "canvas.png", x, y, (unsigned)at[0] << 16 | (unsigned)at[1] << 8 | at[2], color);
        }
    }
    free(rgb);
}

static void compare_tiles(struct round *round, const struct load_target *target, const struct load_tiles *tiles,
                          const struct load_tiles *first)
{
    for (uint32_t i = 0; i < geom_count(&tiles->geom); i++) {
        if (!position_equal(tiles->positions[i], first->positions[i])) {
            round->behind++;
            continue;
        }
        if (memcmp(load_tiles_px(tiles, i), load_tiles_px(first, i), geom_tile_len(&tiles->geom)) != 0)
            found(round, target, "tiles, between gateways", geom_tile_at(&tiles->geom, i).tx,
                  geom_tile_at(&tiles->geom, i).ty, 0, 0);
    }
}

static void one_round(struct round *round, const struct load_options *options, const struct load_canvas *canvas,
                      const struct load_image *image)
{
    struct load_tiles first = {0};
    *round = (struct round){0};
    for (unsigned i = 0; i < options->target_count; i++) {
        struct load_tiles tiles;
        if (load_api_tiles(&options->targets[i], &canvas->geom, &tiles) != 0) {
            round->errors++;
            continue;
        }
        if (image != NULL)
            compare_image(round, &options->targets[i], &tiles, image);
        compare_png(round, &options->targets[i], &tiles, canvas);
        if (first.px == NULL) {
            first = tiles;
            continue;
        }
        compare_tiles(round, &options->targets[i], &tiles, &first);
        load_tiles_fini(&tiles);
    }
    load_tiles_fini(&first);
}

void load_check_gateways(const struct load_options *options, const struct load_canvas *canvas,
                         const struct load_image *image, struct load_stats *stats)
{
    struct monotime deadline = monotime_add_ms(loop_now_exact(), options->settle_ms);
    struct round round;
    for (;;) {
        one_round(&round, options, canvas, image);
        if (round.mismatches + round.behind + round.errors == 0 || monotime_reached(deadline, loop_now_exact()))
            break;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
    }
    if (round.mismatches > 0)
        (void)fprintf(stderr, "%" PRIu64 " mismatches, the first: %s\n", round.mismatches, round.where);
    stats->mismatches += round.mismatches;
    stats->behind += round.behind;
    stats->errors += round.errors;
}
