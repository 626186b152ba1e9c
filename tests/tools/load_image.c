#include "tests/tools/load_image.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#define OPAQUE_FROM 128u

uint8_t load_image_nearest(const struct load_canvas *canvas, const uint8_t rgb[3])
{
    uint32_t best_distance = UINT32_MAX;
    uint8_t best = 0;
    for (uint16_t i = 0; i < canvas->colors; i++) {
        int dr = canvas->rgb[i][0] - rgb[0];
        int dg = canvas->rgb[i][1] - rgb[1];
        int db = canvas->rgb[i][2] - rgb[2];
        uint32_t distance = (uint32_t)(dr * dr + dg * dg + db * db);
        if (distance < best_distance) {
            best_distance = distance;
            best = (uint8_t)i;
        }
    }
    return best;
}

static void lay_over(struct load_image *image, const png_image *png, const uint8_t *rgba,
                     const struct load_canvas *canvas)
{
    // Neighbours are mostly of one color.
    const uint8_t *known = NULL;
    uint8_t color = 0;
    for (uint32_t y = 0; y < png->height && y < image->height; y++) {
        for (uint32_t x = 0; x < png->width && x < image->width; x++) {
            const uint8_t *at = rgba + 4 * ((size_t)y * png->width + x);
            if (at[3] < OPAQUE_FROM)
                continue;
            if (known == NULL || at[0] != known[0] || at[1] != known[1] || at[2] != known[2])
                color = load_image_nearest(canvas, at);
            known = at;
            image->px[(size_t)y * image->width + x] = color;
        }
    }
}

static int read_layer(struct load_image *image, const char *path, const struct load_canvas *canvas)
{
    png_image png = {.version = PNG_IMAGE_VERSION};
    uint8_t *rgba = NULL;
    int err = ERR_IO;
    if (png_image_begin_read_from_file(&png, path) == 0)
        goto out;
    png.format = PNG_FORMAT_RGBA;
    rgba = malloc(PNG_IMAGE_SIZE(png));
    if (rgba == NULL || png_image_finish_read(&png, NULL, rgba, 0, NULL) == 0)
        goto out;
    lay_over(image, &png, rgba, canvas);
    err = 0;

out:
    if (err != 0)
        (void)fprintf(stderr, "%s: %s\n", path, png.message[0] != '\0' ? png.message : "out of memory");
    png_image_free(&png);
    free(rgba);
    return err;
}

int load_image_read(struct load_image *image, const char *const *paths, unsigned count,
                    const struct load_canvas *canvas)
{
    size_t pixels = (size_t)canvas->geom.width * canvas->geom.height;
    *image = (struct load_image){canvas->geom.width, canvas->geom.height, malloc(pixels * sizeof *image->px)};
    if (image->px == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < pixels; i++)
        image->px[i] = LOAD_TRANSPARENT;
    int err = 0;
    for (unsigned i = 0; i < count && err == 0; i++)
        err = read_layer(image, paths[i], canvas);
    return err;
}

void load_image_fini(struct load_image *image)
{
    free(image->px);
    *image = (struct load_image){0};
}

uint32_t *load_image_changes(const struct load_image *image, const struct load_tiles *present, uint32_t *count)
{
    size_t pixels = (size_t)image->width * image->height;
    uint32_t *changes = malloc((pixels > 0 ? pixels : 1) * sizeof *changes);
    *count = 0;
    if (changes == NULL)
        return NULL;
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = 0; x < image->width; x++) {
            size_t at = (size_t)y * image->width + x;
            if (at < UINT32_MAX && image->px[at] != LOAD_TRANSPARENT &&
                image->px[at] != load_tiles_color(present, x, y))
                changes[(*count)++] = (uint32_t)at;
        }
    }
    return changes;
}
