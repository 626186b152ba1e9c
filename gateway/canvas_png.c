#include "gateway/canvas_png.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/png_rows.h"

struct drawing {
    const struct geom *geom;
    const uint8_t *const *tiles;
    uint8_t *row;
};

static const uint8_t *draw_row(void *arg, uint32_t y)
{
    const struct drawing *drawing = arg;
    const struct geom *geom = drawing->geom;
    uint32_t across = geom_across(geom);
    const uint8_t *const *in_row = drawing->tiles + (size_t)(y / geom->edge) * across;
    for (uint32_t tx = 0; tx < across; tx++)
        memcpy(drawing->row + (size_t)tx * geom->edge, in_row[tx] + (size_t)(y % geom->edge) * geom->edge, geom->edge);
    return drawing->row;
}

struct shared_buf *canvas_png(const struct geom *geom, const struct palette *palette, const uint8_t *const *tiles)
{
    // Whole tiles, so that the copy need not stop at the edge of the canvas.
    struct drawing drawing = {geom, tiles, malloc((size_t)geom_across(geom) * geom->edge)};
    const struct png_rows rows = {
        .width = geom->width, .height = geom->height, .palette = palette, .row = draw_row, .arg = &drawing};
    struct shared_buf *buf = drawing.row != NULL ? png_rows_write(&rows) : NULL;
    free(drawing.row);
    return buf;
}
