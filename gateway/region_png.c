#include "gateway/region_png.h"

#include <string.h>

#include "gateway/png_rows.h"

struct drawing {
    const struct geom *geom;
    const struct region *region;
    struct region_tiles tiles;
    const uint8_t *const *px;
    uint8_t outside;
    int64_t have; // the row of the canvas that is in `row`
    uint8_t row[REGION_PICTURE_MAX];
};

// The color of a pixel, on the canvas or not.
static uint8_t color_at(const struct drawing *drawing, int32_t x, int32_t y)
{
    const struct geom *geom = drawing->geom;
    if (x < 0 || y < 0 || !geom_has_pixel(geom, (uint32_t)x, (uint32_t)y))
        return drawing->outside;
    struct tile tile = geom_tile_of(geom, (uint32_t)x, (uint32_t)y);
    size_t at = (size_t)(tile.ty - drawing->tiles.first.ty) * drawing->tiles.across +
                (size_t)(tile.tx - drawing->tiles.first.tx);
    return drawing->px[at][geom_offset_of(geom, (uint32_t)x, (uint32_t)y)];
}

static const uint8_t *draw_row(void *arg, uint32_t y)
{
    struct drawing *drawing = arg;
    const struct region *region = drawing->region;
    int32_t from = region->y + (int32_t)(y / region->scale);
    if (drawing->have == from)
        return drawing->row;
    for (uint16_t x = 0; x < region->w; x++)
        memset(drawing->row + (size_t)x * region->scale, color_at(drawing, region->x + x, from), region->scale);
    drawing->have = from;
    return drawing->row;
}

struct shared_buf *region_png(const struct geom *geom, const struct palette *palette, const struct region *region,
                              const uint8_t *const *px)
{
    bool has_outside = palette->count <= PNG_ROWS_OUTSIDE;
    struct drawing drawing = {
        .geom = geom, .region = region, .px = px, .outside = has_outside ? PNG_ROWS_OUTSIDE : 0, .have = INT64_MIN};
    if (!region_tiles(region, geom, &drawing.tiles))
        return NULL;
    const struct png_rows rows = {.width = (uint32_t)region->w * region->scale,
                                  .height = (uint32_t)region->h * region->scale,
                                  .palette = palette,
                                  .has_outside = has_outside,
                                  .row = draw_row,
                                  .arg = &drawing};
    return png_rows_write(&rows);
}
