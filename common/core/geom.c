#include "common/core/geom.h"

bool geom_valid(const struct geom *geom)
{
    bool edge = geom->edge == 64 || geom->edge == 128 || geom->edge == 256;
    return edge && geom->width >= 1 && geom->width <= GEOM_SIDE_MAX && geom->height >= 1 &&
           geom->height <= GEOM_SIDE_MAX;
}

uint32_t geom_across(const struct geom *geom)
{
    return (geom->width + geom->edge - 1) / geom->edge;
}

uint32_t geom_down(const struct geom *geom)
{
    return (geom->height + geom->edge - 1) / geom->edge;
}

uint32_t geom_count(const struct geom *geom)
{
    return geom_across(geom) * geom_down(geom);
}

uint32_t geom_tile_len(const struct geom *geom)
{
    return (uint32_t)geom->edge * geom->edge;
}

bool geom_has_pixel(const struct geom *geom, uint32_t x, uint32_t y)
{
    return x < geom->width && y < geom->height;
}

bool geom_has_tile(const struct geom *geom, struct tile tile)
{
    return tile.tx < geom_across(geom) && tile.ty < geom_down(geom);
}

struct tile geom_tile_of(const struct geom *geom, uint32_t x, uint32_t y)
{
    return (struct tile){(uint16_t)(x / geom->edge), (uint16_t)(y / geom->edge)};
}

uint16_t geom_offset_of(const struct geom *geom, uint32_t x, uint32_t y)
{
    return (uint16_t)(y % geom->edge * geom->edge + x % geom->edge);
}

uint32_t geom_x(const struct geom *geom, struct tile tile, uint16_t offset)
{
    return (uint32_t)tile.tx * geom->edge + offset % geom->edge;
}

uint32_t geom_y(const struct geom *geom, struct tile tile, uint16_t offset)
{
    return (uint32_t)tile.ty * geom->edge + offset / geom->edge;
}

bool geom_has_offset(const struct geom *geom, struct tile tile, uint32_t offset)
{
    return offset < geom_tile_len(geom) &&
           geom_has_pixel(geom, geom_x(geom, tile, (uint16_t)offset), geom_y(geom, tile, (uint16_t)offset));
}

uint32_t geom_index(const struct geom *geom, struct tile tile)
{
    return tile.ty * geom_across(geom) + tile.tx;
}

struct tile geom_tile_at(const struct geom *geom, uint32_t index)
{
    uint32_t across = geom_across(geom);
    return (struct tile){(uint16_t)(index % across), (uint16_t)(index / across)};
}
