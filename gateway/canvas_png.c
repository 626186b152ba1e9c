#include "gateway/canvas_png.h"

#include <png.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 65536u
#define COMPRESSION_LEVEL 3 // four times as fast as the default, a tenth larger

struct output {
    struct shared_buf *buf;
    size_t capacity;
};

static void on_write(png_structp png, png_bytep data, size_t len)
{
    struct output *output = png_get_io_ptr(png);
    size_t need = output->buf->len + len;
    if (need > output->capacity) {
        size_t capacity = output->capacity * 2 > need ? output->capacity * 2 : need;
        struct shared_buf *larger = realloc(output->buf, sizeof *larger + capacity);
        if (larger == NULL)
            png_error(png, "no memory");
        output->buf = larger;
        output->capacity = capacity;
    }
    memcpy(output->buf->bytes + output->buf->len, data, len);
    output->buf->len += len;
}

static void on_flush(png_structp png)
{
    (void)png;
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_error(png_structp png, png_const_charp text)
{
    (void)text;
    png_longjmp(png, 1);
}

static void write_head(png_structp png, png_infop info, const struct geom *geom, const struct palette *palette)
{
    // All 256 entries, so that no pixel is outside, whatever it holds.
    png_color colors[PALETTE_COLORS_MAX];
    for (unsigned i = 0; i < PALETTE_COLORS_MAX; i++) {
        const struct palette_color *color = &palette->colors[i < palette->count ? i : 0];
        colors[i] = (png_color){color->r, color->g, color->b};
    }
    png_set_IHDR(png, info, geom->width, geom->height, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_set_PLTE(png, info, colors, PALETTE_COLORS_MAX);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_compression_level(png, COMPRESSION_LEVEL);
    png_write_info(png, info);
}

static void write_rows(png_structp png, const struct geom *geom, const uint8_t *const *tiles, uint8_t *row)
{
    uint32_t across = geom_across(geom);
    for (uint32_t y = 0; y < geom->height; y++) {
        const uint8_t *const *in_row = tiles + (size_t)(y / geom->edge) * across;
        for (uint32_t tx = 0; tx < across; tx++)
            memcpy(row + (size_t)tx * geom->edge, in_row[tx] + (size_t)(y % geom->edge) * geom->edge, geom->edge);
        png_write_row(png, row);
    }
}

// False when libpng gave up; what is in `output` is of no use then.
static bool encode(png_structp png, png_infop info, const struct geom *geom, const struct palette *palette,
                   const uint8_t *const *tiles, uint8_t *row)
{
    if (setjmp(png_jmpbuf(png)) != 0)
        return false;
    write_head(png, info, geom, palette);
    write_rows(png, geom, tiles, row);
    png_write_end(png, info);
    return true;
}

struct shared_buf *canvas_png(const struct geom *geom, const struct palette *palette, const uint8_t *const *tiles)
{
    struct output output = {.buf = shared_buf_new(FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    // Whole tiles, so that the copy need not stop at the edge of the canvas.
    uint8_t *row = malloc((size_t)geom_across(geom) * geom->edge);
    bool done = false;
    if (output.buf != NULL && info != NULL && row != NULL) {
        output.buf->len = 0;
        png_set_write_fn(png, &output, on_write, on_flush);
        done = encode(png, info, geom, palette, tiles, row);
    }
    png_destroy_write_struct(&png, &info);
    free(row);
    if (!done) {
        shared_buf_unref(output.buf);
        return NULL;
    }
    return output.buf;
}
