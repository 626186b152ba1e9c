// Reads a backup and holds it against itself: each log, replayed from nothing, has to give the pixels at its position.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/ctl/ctl_late.h"
#include "proto/canvas_config.h"

#define CTL_CONFIG_FIELDS_MAX 64u
#define CTL_VERIFY_WHY_SIZE 256u

// The settings in a CONFIG record: name, value, name, value …, into the payload.
struct ctl_fields {
    const char *texts[CTL_CONFIG_FIELDS_MAX];
    size_t lens[CTL_CONFIG_FIELDS_MAX];
    size_t count;
    uint64_t time_ms;
};
MUST_CHECK int ctl_fields_parse(struct ctl_fields *fields, const uint8_t *payload, size_t len);

struct ctl_summary {
    uint64_t began_ms, ended_ms; // by the clock of Redis
    uint32_t tiles;
    uint64_t users, placements;
    struct canvas_config config; // of the last CONFIG
    uint8_t *config_record;      // its payload
    size_t config_len;
    struct ctl_late *late; // whose records are behind the logs
};

void ctl_summary_fini(struct ctl_summary *summary);

// 0; ERR_MALFORMED with a line in `why`; ERR_IO with errno, ERR_NOMEM. ctl_summary_fini in any case.
MUST_CHECK int ctl_verify(const char *path, struct ctl_summary *summary, char why[CTL_VERIFY_WHY_SIZE]);
