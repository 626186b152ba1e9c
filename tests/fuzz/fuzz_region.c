// A part of the canvas as a picture: any region of any canvas, its tiles and the PNG of it, which libpng reads again
// and finds every pixel where it belongs.
//
//   canvas, region and palette in numbers; the rest: the query of a request
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "gateway/query.h"
#include "gateway/region.h"
#include "gateway/region_png.h"
#include "tests/fuzz/fuzz.h"

#define COLORS 200u
#define TILES_MAX 81u // 9 x 9 tiles of 64

static uint8_t color_of(uint32_t x, uint32_t y)
{
    return (uint8_t)((x * 7 + y * 13) % COLORS);
}

static uint8_t *make_tile(const struct geom *geom, struct tile tile)
{
    uint8_t *px = malloc(geom_tile_len(geom));
    for (uint32_t i = 0; px != NULL && i < geom_tile_len(geom); i++)
        px[i] = color_of(geom_x(geom, tile, (uint16_t)i), geom_y(geom, tile, (uint16_t)i));
    return px;
}

static void check_picture(const struct shared_buf *buf, const struct geom *geom, const struct region *region)
{
    png_image image = {.version = PNG_IMAGE_VERSION};
    FUZZ_CHECK(png_image_begin_read_from_memory(&image, buf->bytes, buf->len) != 0);
    FUZZ_CHECK(image.width == (uint32_t)region->w * region->scale);
    FUZZ_CHECK(image.height == (uint32_t)region->h * region->scale);
    image.format = PNG_FORMAT_RGBA;
    uint8_t *rgba = malloc(PNG_IMAGE_SIZE(image));
    FUZZ_CHECK(rgba != NULL && png_image_finish_read(&image, NULL, rgba, 0, NULL) != 0);
    for (uint32_t y = 0; y < image.height; y++)
        for (uint32_t x = 0; x < image.width; x++) {
            const uint8_t *pixel = rgba + 4 * ((size_t)y * image.width + x);
            int32_t px = region->x + (int32_t)(x / region->scale), py = region->y + (int32_t)(y / region->scale);
            bool inside = px >= 0 && py >= 0 && geom_has_pixel(geom, (uint32_t)px, (uint32_t)py);
            FUZZ_CHECK((pixel[3] == 255) == inside);
            FUZZ_CHECK(!inside || pixel[0] == color_of((uint32_t)px, (uint32_t)py));
        }
    free(rgba);
}

static void draw(const struct geom *geom, const struct region *region, const struct region_tiles *tiles)
{
    static struct palette palette;
    uint8_t *px[TILES_MAX];
    uint32_t count = region_count(tiles);
    FUZZ_CHECK(count >= 1 && count <= TILES_MAX);
    palette.count = COLORS;
    for (unsigned i = 0; i < palette.count; i++)
        palette.colors[i].r = (uint8_t)i;
    for (uint32_t i = 0; i < count; i++) {
        struct tile tile = region_tile_at(tiles, i);
        FUZZ_CHECK(geom_has_tile(geom, tile));
        px[i] = make_tile(geom, tile);
    }
    struct shared_buf *buf = region_png(geom, &palette, region, (const uint8_t *const *)px);
    FUZZ_CHECK(buf != NULL);
    check_picture(buf, geom, region);
    shared_buf_unref(buf);
    for (uint32_t i = 0; i < count; i++)
        free(px[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t edges[] = {64, 128, 256, 64};
    struct fuzz_in in = fuzz_begin(data, size);
    const struct geom geom = {1u + fuzz_u16(&in), 1u + fuzz_u16(&in), edges[fuzz_u8(&in) % 4]};
    struct region region, other;
    struct region_tiles tiles;
    size_t len;
    const char *text = (const char *)fuzz_take(&in, size, &len);
    const struct query query = {text, len};
    if (region_parse(&region, &query) != 0)
        return 0;
    FUZZ_CHECK(region.w >= 1 && region.w <= REGION_SIDE_MAX && region.scale >= 1 && region.scale <= REGION_SCALE_MAX);
    FUZZ_CHECK(region.w * region.scale <= REGION_PICTURE_MAX && region.h * region.scale <= REGION_PICTURE_MAX);
    other = region;
    other.x++;
    FUZZ_CHECK(region_key(&region) < UINT64_C(1) << 59 && region_key(&other) != region_key(&region));
    // A large picture takes long, and shows nothing that a small one does not.
    if (region_tiles(&region, &geom, &tiles) && (uint32_t)region.w * region.scale * region.h * region.scale <= 90000)
        draw(&geom, &region, &tiles);
    return 0;
}
