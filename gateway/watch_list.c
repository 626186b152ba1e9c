#include "gateway/watch_list.h"

#include <stdlib.h>

#include "proto/ws_proto.h"

static int by_key(const void *a, const void *b)
{
    uint32_t one = tile_key(((const struct ws_entry *)a)->tile);
    uint32_t other = tile_key(((const struct ws_entry *)b)->tile);
    return one < other ? -1 : one > other;
}

int watch_list_read(struct watch_list *watch, const struct geom *geom, const uint8_t *entries, uint16_t count)
{
    struct ws_entry sorted[LIMIT_WATCH_TILES];
    if (count > LIMIT_WATCH_TILES)
        return ERR_MALFORMED;
    for (uint16_t i = 0; i < count; i++) {
        sorted[i] = ws_entry_at(entries, i);
        if (!geom_has_tile(geom, sorted[i].tile))
            return ERR_RANGE;
    }
    qsort(sorted, count, sizeof sorted[0], by_key);
    for (uint16_t i = 0; i < count; i++) {
        if (i > 0 && tile_equal(sorted[i].tile, sorted[i - 1].tile))
            return ERR_MALFORMED;
        watch->tiles[i] = sorted[i].tile;
        watch->pos[i] = sorted[i].pos;
    }
    watch->count = count;
    return 0;
}
