// What the checkers of crash tests read: a line for every draw sent, and for what became of it.
//
//     invoke|again|acknowledged|refused|unknown <us> <user> <connection> <nonce> <x> <y> <color> <seq> <verdict>
//
// Time is that of the monotonic clock, user and connection are 16 hex digits; seq is 0 and the verdict "-" where there
// is none. `again`: sent once more with the same nonce. `refused` ends a draw, except "unavailable", which an `again`
// follows. Several processes append to one file, whole lines at a time; the lines of one connection are in their order.
#pragma once

#include <stdint.h>

#include "common/core/err.h"
#include "common/core/monotime.h"

struct load_journal;

struct load_event {
    const char *what;
    uint64_t user;
    uint64_t connection;
    uint32_t nonce;
    uint16_t x;
    uint16_t y;
    uint8_t color;
    uint32_t seq;
    const char *verdict;
};

// NULL with errno set when the file cannot be opened.
struct load_journal *load_journal_open(const char *path);
// Writes what is kept. ERR_IO when lines were lost. Harmless for NULL.
MUST_CHECK int load_journal_flush(struct load_journal *journal);
void load_journal_close(struct load_journal *journal);
// Harmless for NULL.
void load_journal_write(struct load_journal *journal, struct monotime now, const struct load_event *event);
