// Users whom a backup caught: it reads all records before the tiles, so the record of one who placed meanwhile names
// an earlier placement than his last one in the logs. From these the record is made that Redis had in the end. Pure.
//
//   each record of USERS ─► ctl_late_record ┐
//                                           ├─► ctl_late_mend for each record, ctl_late_next for those that have none
//   each placement of LOG ─► ctl_late_placed┘
//
// Only what was placed after the backup began can be missing in a record, for both are written by one script. So no
// more is remembered than who did, however many users and placements there are.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "proto/bus_proto.h"

struct ctl_late;

struct ctl_placed {
    uint64_t user, time_ms; // of the log entry
    uint16_t x, y;
    uint32_t seq;
    uint8_t color;
};

// `began_ms`: TIME of Redis before the first record was read. NULL without memory.
struct ctl_late *ctl_late_new(uint64_t began_ms);
void ctl_late_free(struct ctl_late *late); // NULL is ignored

// The record that the backup has of a user: before any placement of the same one. ERR_NOMEM.
MUST_CHECK int ctl_late_record(struct ctl_late *late, uint64_t user, const struct user_record *record);
// Tiles may come in any order. ERR_NOMEM.
MUST_CHECK int ctl_late_placed(struct ctl_late *late, const struct ctl_placed *placed);
// Nothing was to be counted: with cooldown 0 no record is written.
void ctl_late_clear(struct ctl_late *late);

// Users whose record is behind their log, or missing.
size_t ctl_late_count(const struct ctl_late *late);

// Brings the user's record up to the log, and strikes him off.
void ctl_late_mend(struct ctl_late *late, uint64_t user, uint8_t record[USER_RECORD_LEN]);
// One who was not struck off, with his record, and strikes him off; false when there is none any more.
bool ctl_late_next(struct ctl_late *late, uint64_t *user, uint8_t record[USER_RECORD_LEN]);
