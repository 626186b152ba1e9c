// Between the two halves of hub_world.h.
#pragma once

#include "common/core/geom.h"

unsigned world_tile_index(struct tile tile);
void world_clients_begin(void);
void world_clients_end(void);
