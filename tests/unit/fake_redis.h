// What take.lua and place.lua do, in memory, for tests of the place: it reads the very KEYS and ARGV that are sent, and
// fails the test when they are not of the form that the header of place.lua gives.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shard/place.h"
#include "shard/window.h"

#define FAKE_EDGE 64u
#define FAKE_TILES 64u
#define FAKE_LOG 65536u
#define FAKE_WINDOWS 64u
#define FAKE_USERS 64u

struct fake_placement {
    uint64_t epoch, user;
    uint16_t offset;
    uint8_t color;
};

struct fake_tile {
    bool used;
    struct tile tile;
    uint64_t epoch, owner, view, position_epoch;
    uint32_t seq;
    uint8_t px[FAKE_EDGE * FAKE_EDGE];
    struct fake_placement *log; // FAKE_LOG
    uint32_t window_count;
    struct {
        uint8_t field[16], value[WINDOW_LEN];
    } windows[FAKE_WINDOWS];
};

struct fake_redis {
    uint64_t now_ms;
    uint32_t scripts; // place.lua calls
    struct fake_tile tiles[FAKE_TILES];
    struct {
        uint64_t key; // hash of the key's text
        uint32_t nonce, seq;
        uint64_t landed_ms;
        uint8_t content[5];
    } users[FAKE_USERS];
    // Memory of the last reply.
    struct batch_result results[LIMIT_BATCH_DRAWS];
    uint8_t reply[LIMIT_BATCH_DRAWS * 16u];
};

struct fake_redis *fake_new(void);
void fake_free(struct fake_redis *fake);
struct fake_tile *fake_tile(struct fake_redis *fake, struct tile tile);

// take.lua by `owner`, its answer given to the place.
void fake_take(struct fake_redis *fake, struct place *place, struct monotime now, uint64_t owner,
               const struct place_take *take);
// The same by somebody else.
uint64_t fake_steal(struct fake_redis *fake, struct tile tile, uint64_t owner, uint64_t view);

// place.lua: writes; returns how many results there are in `results`.
size_t fake_place(struct fake_redis *fake, const struct batch_args *args);
