// The parts of a restore (ctl_restore.c), for its own files only. Each function says itself why it was not done, and
// returns false.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/geom.h"
#include "common/ctl/ctl.h"
#include "common/ctl/ctl_restorer.h"
#include "common/ctl/ctl_verify.h"

#define CTL_RESTORE_TILE_SIDE (GEOM_SIDE_MAX / 64u)
#define CTL_RESTORE_NUMBER_SIZE 24u // a number as text

struct restore {
    const struct ctl_options *options;
    struct ctl_restorer to;
    struct ctl_summary summary;
    struct tile tile; // the one that is being written; seq 0: none
    uint64_t epoch;
    uint32_t seq;
    uint64_t checksum;
    uint8_t put[CTL_RESTORE_TILE_SIDE * CTL_RESTORE_TILE_SIDE / 8]; // tiles of the backup
    char version[CTL_RESTORE_NUMBER_SIZE];
    char label[400];
};

// Settings (ctl_restore_settings.c): read-only from the beginning to the end.
bool ctl_restore_begin(struct restore *restore);
bool ctl_restore_end(struct restore *restore);

// Tiles (ctl_restore_tiles.c): records of the backup in their order; the last one is ended by ctl_restore_tile_end.
bool ctl_restore_tile(struct restore *restore, const uint8_t *payload);
bool ctl_restore_log(struct restore *restore, const uint8_t *payload, size_t len);
bool ctl_restore_tile_end(struct restore *restore);
// When all are in place: those that the backup lacks become blank, and what a restore that broke off has left goes.
bool ctl_restore_tiles_settle(struct restore *restore);

// Users (ctl_restore_users.c): first all records that are there go.
bool ctl_restore_users_clear(struct restore *restore);
bool ctl_restore_users(struct restore *restore, uint8_t *payload, size_t len);
bool ctl_restore_names(struct restore *restore, const uint8_t *payload, size_t len);
// Those whose first placement came after the backup had looked for their record. Before the names, whose life depends
// on it; a backup without any has them at its end.
bool ctl_restore_late_users(struct restore *restore);

// Takes away those of the keys that `is_ours` says (ctl_restore.c).
bool ctl_restore_remove(struct restore *restore, const redisReply *keys, bool (*is_ours)(const redisReply *key));
