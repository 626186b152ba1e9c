// The files of the page, read once at start; nothing is opened afterwards, so no path of a client ever reaches the file
// system.
#pragma once

#include <stddef.h>

#include "common/core/err.h"
#include "gateway/shared_buf.h"

#define STATIC_FILES_MAX 512
#define STATIC_FILE_SIZE_MAX (4u << 20)
#define STATIC_ETAG_SIZE 24

struct static_file {
    char *path;                  // as it is asked for: "/src/main.js"; "/" for index.html
    const char *type;            // Content-Type
    struct shared_buf *raw;      // as it lies
    struct shared_buf *gzip;     // NULL when that is not smaller
    char etag[STATIC_ETAG_SIZE]; // with its quotes; of the raw form
    char gzip_etag[STATIC_ETAG_SIZE];
};

struct static_files {
    size_t count;
    struct static_file *files; // sorted by path
};

// Reads all regular files of known kinds (html, js, css, svg, png, ico, webmanifest, woff2, txt) under `dir`; names
// that begin with a dot, and links, are left out (`dir` itself may be one). 0; ERR_IO with errno; ERR_FULL for too many
// or too large ones, ERR_NOT_FOUND without index.html, ERR_NOMEM. `files` is to be freed in any case; `error` names the
// file.
MUST_CHECK int static_files_load(struct static_files *files, const char *dir, char *error, size_t error_size);
void static_files_free(struct static_files *files);

// NULL when there is none. `path` has `len` bytes, without a query.
const struct static_file *static_files_find(const struct static_files *files, const char *path, size_t len);
