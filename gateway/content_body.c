#include "gateway/content_body.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "gateway/canvas_png.h"
#include "gateway/gzip.h"
#include "gateway/region_png.h"

#define TILE_HEAD 16u

static uint64_t digest(const struct canvas_config *config, struct tile_image *const *images, size_t count)
{
    uint8_t state[20];
    uint64_t sum = mix_final(config->version);
    for (size_t i = 0; i < count; i++) {
        bytes_set_u64(state, sum);
        bytes_set_u64(state + 8, images[i]->pos.epoch);
        bytes_set_u32(state + 16, images[i]->pos.seq);
        sum = mix_final(mix_fnv1a(state, sizeof state));
    }
    return sum;
}

void content_position(char to[CONTENT_POSITION_SIZE], struct position pos)
{
    snprintf(to, CONTENT_POSITION_SIZE, "%" PRIu64 "-%" PRIu32, pos.epoch, pos.seq);
}

void content_etag(char to[CONTENT_ETAG_SIZE], const struct content_part *part, const struct canvas_config *config,
                  struct tile_image *const *images, size_t count)
{
    bool picture = part->kind == CONTENT_PNG || part->kind == CONTENT_REGION;
    const char *encoding = picture ? "png" : part->gzip ? "gzip" : "raw";
    char position[CONTENT_POSITION_SIZE];
    if (part->kind == CONTENT_TILE)
        content_position(position, images[0]->pos);
    else
        snprintf(position, sizeof position, "%016" PRIx64, digest(config, images, count));
    snprintf(to, CONTENT_ETAG_SIZE, "\"%s-%s\"", position, encoding);
}

static struct shared_buf *raw_tile(const struct tile_image *image)
{
    struct shared_buf *buf = shared_buf_new(image->len);
    if (buf != NULL)
        memcpy(buf->bytes, image->px, image->len);
    return buf;
}

static struct shared_buf *raw_canvas(struct tile_image *const *images, size_t count)
{
    struct shared_buf *buf = shared_buf_new(count * (TILE_HEAD + images[0]->len));
    if (buf == NULL)
        return NULL;
    uint8_t *at = buf->bytes;
    for (size_t i = 0; i < count; i++) {
        const struct tile_image *image = images[i];
        bytes_set_u16(at, image->tile.tx);
        bytes_set_u16(at + 2, image->tile.ty);
        bytes_set_u32(at + 4, image->pos.seq);
        bytes_set_u64(at + 8, image->pos.epoch);
        memcpy(at + TILE_HEAD, image->px, image->len);
        at += TILE_HEAD + image->len;
    }
    return buf;
}

static struct shared_buf *png(const struct content_part *part, const struct canvas_config *config,
                              struct tile_image *const *images, size_t count)
{
    const uint8_t **tiles = calloc(count, sizeof(const uint8_t *));
    if (tiles == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        tiles[i] = images[i]->px;
    struct shared_buf *buf = part->kind == CONTENT_PNG
                                 ? canvas_png(&config->geom, &config->palette, tiles)
                                 : region_png(&config->geom, &config->palette, &part->region, tiles);
    free(tiles);
    return buf;
}

struct shared_buf *content_make(const struct content_part *part, const struct canvas_config *config,
                                struct tile_image *const *images, size_t count)
{
    if (part->kind == CONTENT_PNG || part->kind == CONTENT_REGION)
        return png(part, config, images, count);
    struct shared_buf *raw = part->kind == CONTENT_TILE ? raw_tile(images[0]) : raw_canvas(images, count);
    if (raw == NULL || !part->gzip)
        return raw;
    struct shared_buf *packed = gzip_fast(raw);
    shared_buf_unref(raw);
    return packed;
}
