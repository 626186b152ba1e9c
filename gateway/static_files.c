#include "gateway/static_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#define ZLIB_CONST
#include <zlib.h>

#include "common/core/bytes.h"

#define GZIP_WINDOW (15 + 16) // zlib's way of asking for a gzip head
#define GZIP_MIN 256u         // below, the head eats the gain

static const struct {
    const char *extension;
    const char *type;
    bool packs; // text, worth compressing
} kinds[] = {
    {".html", "text/html; charset=utf-8", true},
    {".js", "text/javascript; charset=utf-8", true},
    {".css", "text/css; charset=utf-8", true},
    {".svg", "image/svg+xml", true},
    {".webmanifest", "application/manifest+json", true},
    {".txt", "text/plain; charset=utf-8", true},
    {".png", "image/png", false},
    {".ico", "image/x-icon", false},
    {".woff2", "font/woff2", false},
};

static int kind_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(dot, kinds[i].extension) == 0)
            return (int)i;
    return -1;
}

static int read_whole(const char *path, struct shared_buf **out)
{
    int err = ERR_IO;
    struct shared_buf *buf = NULL;
    struct stat stat;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &stat) != 0)
        goto out;
    if (stat.st_size > STATIC_FILE_SIZE_MAX) {
        err = ERR_FULL;
        goto out;
    }
    buf = shared_buf_new((size_t)stat.st_size);
    if (buf == NULL) {
        err = ERR_NOMEM;
        goto out;
    }
    size_t have = 0;
    while (have < buf->len) {
        ssize_t n = read(fd, buf->bytes + have, buf->len - have);
        if (n <= 0)
            goto out;
        have += (size_t)n;
    }
    *out = buf;
    buf = NULL;
    err = 0;

out:
    shared_buf_unref(buf);
    if (fd >= 0)
        close(fd);
    return err;
}

static int pack(const struct shared_buf *raw, struct shared_buf **out)
{
    z_stream z = {0};
    int err = ERR_NOMEM;
    *out = NULL;
    if (raw->len < GZIP_MIN)
        return 0;
    uint8_t *packed = malloc(raw->len);
    if (packed == NULL || deflateInit2(&z, Z_BEST_COMPRESSION, Z_DEFLATED, GZIP_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        goto out;
    z.next_in = raw->bytes;
    z.avail_in = (uInt)raw->len;
    z.next_out = packed;
    z.avail_out = (uInt)raw->len;
    int result = deflate(&z, Z_FINISH);
    deflateEnd(&z);
    err = 0; // no room for it: not smaller, so there is no packed form
    if (result == Z_STREAM_END && z.total_out < raw->len) {
        *out = shared_buf_new(z.total_out);
        if (*out != NULL)
            memcpy((*out)->bytes, packed, z.total_out);
        else
            err = ERR_NOMEM;
    }

out:
    free(packed);
    return err;
}

static int make_etag(const struct shared_buf *raw, struct static_file *file)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[BYTES_HEX_SIZE(8)];
    if (EVP_Digest(raw->bytes, raw->len, digest, NULL, EVP_sha256(), NULL) != 1)
        return ERR_NOMEM;
    bytes_to_hex(hex, digest, 8);
    snprintf(file->etag, sizeof file->etag, "\"%s\"", hex);
    snprintf(file->gzip_etag, sizeof file->gzip_etag, "\"%s-gz\"", hex);
    return 0;
}

static int add(struct static_files *files, const char *disk_path, const char *path, int kind)
{
    if (files->count == STATIC_FILES_MAX)
        return ERR_FULL;
    struct static_file *grown = realloc(files->files, (files->count + 1) * sizeof *grown);
    if (grown == NULL)
        return ERR_NOMEM;
    files->files = grown;
    struct static_file *file = &grown[files->count];
    *file = (struct static_file){.type = kinds[kind].type};
    files->count++;
    file->path = strdup(strcmp(path, "/index.html") == 0 ? "/" : path);
    if (file->path == NULL)
        return ERR_NOMEM;
    int err = read_whole(disk_path, &file->raw);
    if (err == 0 && kinds[kind].packs)
        err = pack(file->raw, &file->gzip);
    return err == 0 ? make_etag(file->raw, file) : err;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct static_file *)a)->path, ((const struct static_file *)b)->path);
}

static int walk(struct static_files *files, FTS *fts, size_t dir_len, char *error, size_t error_size)
{
    FTSENT *entry;
    while (errno = 0, (entry = fts_read(fts)) != NULL) {
        if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
            (void)fts_set(fts, entry, FTS_SKIP);
            continue;
        }
        int err = 0;
        int kind = kind_of(entry->fts_name);
        if (entry->fts_info == FTS_ERR || entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS) {
            errno = entry->fts_errno;
            err = ERR_IO;
        } else if (entry->fts_info == FTS_F && kind >= 0) {
            err = add(files, entry->fts_accpath, entry->fts_path + dir_len, kind);
        }
        if (err != 0) {
            snprintf(error, error_size, "%s", entry->fts_path);
            return err;
        }
    }
    return errno != 0 ? ERR_IO : 0;
}

int static_files_load(struct static_files *files, const char *dir, char *error, size_t error_size)
{
    *files = (struct static_files){0};
    snprintf(error, error_size, "%s", dir);
    char *root = strdup(dir);
    if (root == NULL)
        return ERR_NOMEM;
    for (size_t len = strlen(root); len > 1 && root[len - 1] == '/'; len--)
        root[len - 1] = '\0';
    char *const roots[] = {root, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
    int err = fts != NULL ? walk(files, fts, strlen(root), error, error_size) : ERR_IO;
    int saved_errno = errno;
    if (fts != NULL)
        fts_close(fts);
    free(root);
    errno = saved_errno;
    if (err != 0)
        return err;
    if (files->count > 0)
        qsort(files->files, files->count, sizeof files->files[0], by_path);
    return static_files_find(files, "/", 1) != NULL ? 0 : ERR_NOT_FOUND;
}

void static_files_free(struct static_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->files[i].path);
        shared_buf_unref(files->files[i].raw);
        shared_buf_unref(files->files[i].gzip);
    }
    free(files->files);
    *files = (struct static_files){0};
}

const struct static_file *static_files_find(const struct static_files *files, const char *path, size_t len)
{
    size_t low = 0, high = files->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct static_file *file = &files->files[middle];
        int order = strncmp(path, file->path, len);
        if (order == 0 && file->path[len] != '\0')
            order = -1;
        if (order == 0)
            return file;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
