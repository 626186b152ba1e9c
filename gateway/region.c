#include "gateway/region.h"

static int side(const struct query *query, const char *name, int64_t *out)
{
    return query_number(query, name, 1, REGION_SIDE_MAX, out);
}

int region_parse(struct region *region, const struct query *query)
{
    int64_t x, y, w, h, scale = 1;
    int scale_err = query_number(query, "scale", 1, REGION_SCALE_MAX, &scale);
    if (query_number(query, "x", 1 - REGION_SIDE_MAX, UINT16_MAX, &x) != 0 ||
        query_number(query, "y", 1 - REGION_SIDE_MAX, UINT16_MAX, &y) != 0 || side(query, "w", &w) != 0 ||
        side(query, "h", &h) != 0 || (scale_err != 0 && scale_err != ERR_NOT_FOUND) || w * scale > REGION_PICTURE_MAX ||
        h * scale > REGION_PICTURE_MAX)
        return ERR_RANGE;
    *region = (struct region){(int32_t)x, (int32_t)y, (uint16_t)w, (uint16_t)h, (uint8_t)scale};
    return 0;
}

// Tiles that [from, from + len) touches along one side of the canvas.
static bool span(int32_t from, int32_t len, uint32_t canvas, uint16_t edge, uint16_t *first, uint16_t *count)
{
    int32_t start = from > 0 ? from : 0;
    int32_t end = from + len < (int32_t)canvas ? from + len : (int32_t)canvas;
    if (start >= end)
        return false;
    *first = (uint16_t)(start / edge);
    *count = (uint16_t)((end - 1) / edge - *first + 1);
    return true;
}

bool region_tiles(const struct region *region, const struct geom *geom, struct region_tiles *tiles)
{
    return span(region->x, region->w, geom->width, geom->edge, &tiles->first.tx, &tiles->across) &&
           span(region->y, region->h, geom->height, geom->edge, &tiles->first.ty, &tiles->down);
}

struct tile region_tile_at(const struct region_tiles *tiles, uint32_t i)
{
    return (struct tile){(uint16_t)(tiles->first.tx + i % tiles->across),
                         (uint16_t)(tiles->first.ty + i / tiles->across)};
}

uint64_t region_key(const struct region *region)
{
    uint32_t x = (uint32_t)(region->x + REGION_SIDE_MAX), y = (uint32_t)(region->y + REGION_SIDE_MAX);
    return (uint64_t)x << 41 | (uint64_t)y << 23 | (uint64_t)(region->w - 1) << 14 | (uint64_t)(region->h - 1) << 5 |
           (uint64_t)(region->scale - 1);
}
