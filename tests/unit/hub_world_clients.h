// Between the two halves of hub_world.h.
#ifndef TESSERA_TESTS_HUB_WORLD_CLIENTS_H
#define TESSERA_TESTS_HUB_WORLD_CLIENTS_H

#include "common/core/geom.h"

unsigned world_tile_index(struct tile tile);
void world_clients_begin(void);
void world_clients_end(void);

#endif
