#include "common/ctl/ctl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/bytes.h"

#define HEAD_LEN 5u
#define GZ_BUFFER 131072u

static int begin(struct ctl_file *file)
{
    file->buffer = malloc(CTL_RECORD_MAX);
    file->digest = EVP_MD_CTX_new();
    if (file->buffer == NULL || file->digest == NULL || EVP_DigestInit_ex(file->digest, EVP_sha256(), NULL) != 1)
        return ERR_NOMEM;
    return 0;
}

static int end_digest(struct ctl_file *file, uint8_t digest[CTL_DIGEST_LEN])
{
    unsigned len = 0;
    return EVP_DigestFinal_ex(file->digest, digest, &len) == 1 && len == CTL_DIGEST_LEN ? 0 : ERR_NOMEM;
}

// ---- Writing -------------------------------------------------------------------------------------------------------

static int put_bytes(struct ctl_file *file, const void *data, size_t len, bool counts)
{
    if (counts && EVP_DigestUpdate(file->digest, data, len) != 1)
        return ERR_NOMEM;
    return len == 0 || gzwrite(file->gz, data, (unsigned)len) == (int)len ? 0 : ERR_IO;
}

int ctl_file_create(struct ctl_file *file, const char *path)
{
    *file = (struct ctl_file){.fd = -1, .path = path};
    int len = snprintf(file->part, sizeof file->part, "%s.part", path);
    if (len < 0 || (size_t)len >= sizeof file->part)
        return ERR_RANGE;
    int err = begin(file);
    if (err != 0)
        return err;
    file->fd = open(file->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int copy = file->fd >= 0 ? dup(file->fd) : -1;
    if (copy < 0)
        return ERR_IO;
    file->gz = gzdopen(copy, "wb1");
    if (file->gz == NULL) {
        close(copy);
        return ERR_NOMEM;
    }
    gzbuffer(file->gz, GZ_BUFFER);
    return put_bytes(file, CTL_FILE_MAGIC, strlen(CTL_FILE_MAGIC), true);
}

static int put_record(struct ctl_file *file, enum ctl_record type, const void *payload, size_t len, bool counts)
{
    uint8_t head[HEAD_LEN] = {(uint8_t)type};
    if (len > CTL_RECORD_MAX)
        return ERR_RANGE;
    bytes_set_u32(head + 1, (uint32_t)len);
    int err = put_bytes(file, head, sizeof head, counts);
    return err == 0 ? put_bytes(file, payload, len, counts) : err;
}

int ctl_file_put(struct ctl_file *file, enum ctl_record type, const void *payload, size_t len)
{
    return put_record(file, type, payload, len, true);
}

// The name lies in the folder: that has to be on the disk as well.
static int sync_folder(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd >= 0 && fsync(fd) == 0 ? 0 : ERR_IO;
    if (fd >= 0)
        close(fd);
    return err;
}

int ctl_file_commit(struct ctl_file *file, uint32_t tiles, uint64_t users, uint64_t placements)
{
    uint8_t payload[CTL_END_LEN];
    bytes_set_u32(payload, tiles);
    bytes_set_u64(payload + 4, users);
    bytes_set_u64(payload + 12, placements);
    int err = end_digest(file, payload + 20);
    if (err == 0)
        err = put_record(file, CTL_END, payload, sizeof payload, false);
    gzFile gz = file->gz;
    file->gz = NULL;
    if (gzclose(gz) != Z_OK && err == 0)
        err = ERR_IO;
    if (err == 0 && (fsync(file->fd) != 0 || rename(file->part, file->path) != 0))
        err = ERR_IO;
    if (err != 0)
        return err;
    file->part[0] = '\0';
    return sync_folder(file->path);
}

// ---- Reading -------------------------------------------------------------------------------------------------------

static int take_bytes(struct ctl_file *file, void *data, size_t len)
{
    return len == 0 || gzread(file->gz, data, (unsigned)len) == (int)len ? 0 : ERR_MALFORMED;
}

int ctl_file_open(struct ctl_file *file, const char *path)
{
    char magic[sizeof CTL_FILE_MAGIC - 1];
    *file = (struct ctl_file){.fd = -1, .path = path};
    int err = begin(file);
    if (err != 0)
        return err;
    file->gz = gzopen(path, "rb");
    if (file->gz == NULL)
        return ERR_IO;
    gzbuffer(file->gz, GZ_BUFFER);
    // zlib would read a file that is not compressed as it is, and nothing would see where that is cut.
    if (take_bytes(file, magic, sizeof magic) != 0 || memcmp(magic, CTL_FILE_MAGIC, sizeof magic) != 0 ||
        gzdirect(file->gz) != 0)
        return ERR_MALFORMED;
    return EVP_DigestUpdate(file->digest, magic, sizeof magic) == 1 ? 0 : ERR_NOMEM;
}

static int check_end(struct ctl_file *file, size_t len)
{
    uint8_t digest[CTL_DIGEST_LEN], more;
    int error;
    if (len != CTL_END_LEN || end_digest(file, digest) != 0 ||
        memcmp(digest, file->buffer + CTL_END_LEN - CTL_DIGEST_LEN, sizeof digest) != 0)
        return ERR_MALFORMED;
    // The end of the stream, with the checksum that gzip keeps of it.
    if (gzread(file->gz, &more, 1) != 0 || !gzeof(file->gz))
        return ERR_MALFORMED;
    (void)gzerror(file->gz, &error);
    return error == Z_OK ? 0 : ERR_MALFORMED; // Z_BUF_ERROR: cut inside that checksum
}

int ctl_file_next(struct ctl_file *file, enum ctl_record *type, size_t *len)
{
    uint8_t head[HEAD_LEN];
    if (take_bytes(file, head, sizeof head) != 0)
        return ERR_MALFORMED;
    *len = bytes_get_u32(head + 1);
    if (head[0] < CTL_CONFIG || head[0] > CTL_NAMES || *len > CTL_RECORD_MAX ||
        take_bytes(file, file->buffer, *len) != 0)
        return ERR_MALFORMED;
    *type = (enum ctl_record)head[0];
    if (*type == CTL_END)
        return check_end(file, *len);
    bool counted = EVP_DigestUpdate(file->digest, head, sizeof head) == 1 &&
                   EVP_DigestUpdate(file->digest, file->buffer, *len) == 1;
    return counted ? 0 : ERR_NOMEM;
}

void ctl_file_close(struct ctl_file *file)
{
    if (file->gz != NULL)
        gzclose(file->gz);
    if (file->fd >= 0)
        close(file->fd);
    if (file->fd >= 0 && file->part[0] != '\0')
        unlink(file->part);
    EVP_MD_CTX_free(file->digest);
    free(file->buffer);
    *file = (struct ctl_file){.fd = -1};
}
