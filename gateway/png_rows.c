#include "gateway/png_rows.h"

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

static void write_head(png_structp png, png_infop info, const struct png_rows *rows)
{
    // All 256 entries, so that no pixel is outside, whatever it holds.
    png_color colors[PALETTE_COLORS_MAX];
    for (unsigned i = 0; i < PALETTE_COLORS_MAX; i++) {
        const struct palette_color *color = &rows->palette->colors[i < rows->palette->count ? i : 0];
        colors[i] = (png_color){color->r, color->g, color->b};
    }
    png_set_IHDR(png, info, rows->width, rows->height, 8, PNG_COLOR_TYPE_PALETTE, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
    png_set_PLTE(png, info, colors, PALETTE_COLORS_MAX);
    png_byte alpha[PNG_ROWS_OUTSIDE + 1];
    memset(alpha, 255, sizeof alpha);
    alpha[PNG_ROWS_OUTSIDE] = 0;
    if (rows->has_outside)
        png_set_tRNS(png, info, alpha, sizeof alpha, NULL);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_compression_level(png, COMPRESSION_LEVEL);
    png_write_info(png, info);
}

// False when libpng gave up; what is in `output` is of no use then.
static bool encode(png_structp png, png_infop info, const struct png_rows *rows)
{
    if (setjmp(png_jmpbuf(png)) != 0)
        return false;
    write_head(png, info, rows);
    for (uint32_t y = 0; y < rows->height; y++)
        png_write_row(png, rows->row(rows->arg, y));
    png_write_end(png, info);
    return true;
}

struct shared_buf *png_rows_write(const struct png_rows *rows)
{
    struct output output = {.buf = shared_buf_new(FIRST_CAPACITY), .capacity = FIRST_CAPACITY};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    bool done = false;
    if (output.buf != NULL && info != NULL) {
        output.buf->len = 0;
        png_set_write_fn(png, &output, on_write, on_flush);
        done = encode(png, info, rows);
    }
    png_destroy_write_struct(&png, &info);
    if (!done) {
        shared_buf_unref(output.buf);
        return NULL;
    }
    return output.buf;
}
