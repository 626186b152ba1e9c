// The records of a backup (proto/ADMIN.md), made as an input says, with the digest at the end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/fuzz.h"

struct backup_file {
    const uint8_t *bytes; // not compressed; valid until the next is made
    size_t len;
    bool honest; // nothing in it was made wrong
};

void backup_file_make(struct backup_file *file, struct fuzz_in *in);
