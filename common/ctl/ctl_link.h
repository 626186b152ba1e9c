// A blocking connection to an admin port (proto/ADMIN.md). For a tool that does one thing and ends; no loop.
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "common/core/err.h"
#include "proto/admin_proto.h"

#define CTL_WHY_SIZE 256u

struct ctl_link {
    int fd; // -1 = closed
    uint32_t number;
    uint8_t key[ADMIN_MAC_LEN];
    char why[CTL_WHY_SIZE]; // of the last error
};

// Connects and does the challenge, each step within `timeout_ms`. ERR_IO: not reached, or no answer; ERR_AUTH: one of
// both does not know the secret; ERR_MALFORMED: that is no admin port. Close in any case.
MUST_CHECK int ctl_link_open(struct ctl_link *link, const char *address, const char *secret, uint32_t timeout_ms);
void ctl_link_close(struct ctl_link *link);

// One command; *answer is the whole ANSWER, to be released. ERR_IO (the outcome is unknown), ERR_AUTH, ERR_MALFORMED,
// ERR_RANGE (the command is too long; nothing was sent).
MUST_CHECK int ctl_link_ask(struct ctl_link *link, const char *command, const char *const *args, size_t count,
                            const char *who, json_t **answer);
