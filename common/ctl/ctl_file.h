// The file of a backup (proto/ADMIN.md): records in one gzip stream, with a digest at the end.
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "common/core/err.h"

#define CTL_FILE_MAGIC "TESSERA BACKUP 1\n"
#define CTL_RECORD_MAX 1048576u
#define CTL_DIGEST_LEN 32u
#define CTL_USER_LEN 32u      // user u64, record of 24 bytes
#define CTL_LOG_HEAD_LEN 22u  // epoch u64, time u64, first u32, count u16
#define CTL_PLACEMENT_LEN 16u // of all columns
#define CTL_END_LEN (4u + 8u + 8u + CTL_DIGEST_LEN)
#define CTL_USERS_PER_RECORD 1024u

enum ctl_record { CTL_CONFIG = 1, CTL_USERS = 2, CTL_TILE = 3, CTL_LOG = 4, CTL_END = 5, CTL_NAMES = 6 };

// A name in NAMES: user u64, length u16, then the record as it lies in Redis: a head, then the name.
#define CTL_NAME_HEAD_LEN 10u
#define CTL_NAME_RECORD_MIN 12u
#define CTL_NAME_RECORD_MAX 92u

struct ctl_file {
    gzFile gz;
    int fd; // when writing
    EVP_MD_CTX *digest;
    uint8_t *buffer; // CTL_RECORD_MAX
    const char *path;
    char part[4096]; // path while it is written
};

// Writing, to FILE.part; ctl_file_commit syncs it and gives it its name. ERR_IO with errno, ERR_NOMEM, ERR_RANGE (the
// path is too long). Close in any case; what was not committed is removed.
MUST_CHECK int ctl_file_create(struct ctl_file *file, const char *path);
MUST_CHECK int ctl_file_put(struct ctl_file *file, enum ctl_record type, const void *payload, size_t len);
// END, with these counts and the digest of all before it.
MUST_CHECK int ctl_file_commit(struct ctl_file *file, uint32_t tiles, uint64_t users, uint64_t placements);

// Reading. ERR_IO with errno; ERR_MALFORMED when it does not begin as it has to.
MUST_CHECK int ctl_file_open(struct ctl_file *file, const char *path);
// The next record, in file->buffer. ERR_MALFORMED: cut, too long, or damaged (also by gzip's own checksum). After END
// nothing may follow; its digest is checked here.
MUST_CHECK int ctl_file_next(struct ctl_file *file, enum ctl_record *type, size_t *len);

void ctl_file_close(struct ctl_file *file);
