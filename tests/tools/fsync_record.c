// LD_PRELOAD for redis-server: records what of its append-only files has really been synced, so that a test can
// afterwards cut the files to that, as a power loss would.
//
//   FSYNC_RECORD=FILE     where the record goes; without it the library does nothing
//   FSYNC_DIR=DIR         only files below it count
//   FSYNC_DELAY_US=N      every sync takes so much longer, as on a slow disk
//   FSYNC_FULL=FILE       while this file exists, the disk is full: a write fails with ENOSPC, half of it done
//
// The record is read by tests/integration/chaos/power.py. A line each, in the order in which things happened:
//
//   sync DEVICE INODE SIZE     the file's first SIZE bytes are on the disk (its size before the sync began)
//   cut DEVICE INODE SIZE      it was made that short, or removed
//   rename OLD NEW SAVED       SAVED is a link to what NEW was before, or "-"
//   dir DIRECTORY              renames in it up to here are on the disk
//
// Redis appends to these files and never writes elsewhere in them, so a prefix is all there is to know.
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define LINE_MAX_LEN (3 * PATH_MAX + 64)

static int record_fd = -1;
static const char *record_dir;
static const char *full_file;
static useconds_t delay_us;

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static int (*real_ftruncate)(int, off_t);
static int (*real_truncate)(const char *, off_t);
static int (*real_unlink)(const char *);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);

// dlsym gives void *, which C does not turn into a function's address by itself.
static void find(void *function, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(function, &found, sizeof found);
}

// Redis writes its title over the environment.
static char *copy_of(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? strdup(value) : NULL;
}

__attribute__((constructor)) static void record_open(void)
{
    find(&real_fsync, "fsync");
    find(&real_fdatasync, "fdatasync");
    find(&real_rename, "rename");
    find(&real_ftruncate, "ftruncate");
    find(&real_truncate, "truncate");
    find(&real_unlink, "unlink");
    find(&real_write, "write");
    find(&real_writev, "writev");
    const char *path = getenv("FSYNC_RECORD"), *delay = getenv("FSYNC_DELAY_US");
    record_dir = copy_of("FSYNC_DIR");
    full_file = copy_of("FSYNC_FULL");
    delay_us = delay != NULL ? (useconds_t)strtoul(delay, NULL, 10) : 0;
    if (path != NULL && record_dir != NULL)
        record_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

// Whole lines, one write each, so that Redis and the child that rewrites its file may share the record.
__attribute__((format(printf, 1, 2))) static void record(const char *format, ...)
{
    char line[LINE_MAX_LEN];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len <= 0 || (size_t)len >= sizeof line || real_write(record_fd, line, (size_t)len) != len)
        abort(); // a record with a hole is worth nothing
}

static int path_of(int fd, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, PATH_MAX - 1);
    if (len < 0)
        return -1;
    path[len] = '\0';
    return 0;
}

static int counts(const char *path)
{
    return record_fd >= 0 && strncmp(path, record_dir, strlen(record_dir)) == 0;
}

static int sync_file(int fd, int (*real)(int))
{
    char path[PATH_MAX];
    struct stat before;
    if (record_fd < 0 || path_of(fd, path) != 0 || !counts(path) || fstat(fd, &before) != 0)
        return real(fd);
    if (delay_us > 0)
        usleep(delay_us);
    int result = real(fd), saved = errno;
    if (result == 0 && S_ISDIR(before.st_mode))
        record("dir %s\n", path);
    else if (result == 0)
        record("sync %ju %ju %jd\n", (uintmax_t)before.st_dev, (uintmax_t)before.st_ino, (intmax_t)before.st_size);
    errno = saved;
    return result;
}

int fsync(int fd)
{
    return sync_file(fd, real_fsync);
}

int fdatasync(int fd)
{
    return sync_file(fd, real_fdatasync);
}

static void record_size(const struct stat *status, off_t size)
{
    record("cut %ju %ju %jd\n", (uintmax_t)status->st_dev, (uintmax_t)status->st_ino, (intmax_t)size);
}

static int cut_file(int fd, off_t size)
{
    char path[PATH_MAX];
    struct stat status;
    int result = real_ftruncate(fd, size), saved = errno;
    if (result == 0 && record_fd >= 0 && path_of(fd, path) == 0 && counts(path) && fstat(fd, &status) == 0)
        record_size(&status, size);
    errno = saved;
    return result;
}

static int cut_path(const char *path, off_t size)
{
    char real[PATH_MAX];
    struct stat status;
    int result = real_truncate(path, size), saved = errno;
    if (result == 0 && realpath(path, real) != NULL && counts(real) && stat(real, &status) == 0)
        record_size(&status, size);
    errno = saved;
    return result;
}

int ftruncate(int fd, off_t size)
{
    return cut_file(fd, size);
}

int truncate(const char *path, off_t size)
{
    return cut_path(path, size);
}

// What programs that were built for large files call instead.
int ftruncate64(int fd, off64_t size);
int ftruncate64(int fd, off64_t size)
{
    return cut_file(fd, (off_t)size);
}

int truncate64(const char *path, off64_t size);
int truncate64(const char *path, off64_t size)
{
    return cut_path(path, (off_t)size);
}

// The number of a file that is gone may be given to another.
int unlink(const char *path)
{
    char real[PATH_MAX];
    struct stat status;
    int ours = record_fd >= 0 && realpath(path, real) != NULL && counts(real) && stat(real, &status) == 0;
    int result = real_unlink(path), saved = errno;
    if (result == 0 && ours && status.st_nlink == 1)
        record_size(&status, 0);
    errno = saved;
    return result;
}

// What is replaced is kept under another name: a rename that was not synced may be undone by a power loss.
int rename(const char *from, const char *to)
{
    static unsigned count;
    char saved[PATH_MAX], from_real[PATH_MAX], to_real[PATH_MAX];
    if (record_fd < 0 || realpath(from, from_real) == NULL || !counts(from_real))
        return real_rename(from, to);
    snprintf(saved, sizeof saved, "%.*s/replaced-%ld-%u", (int)(PATH_MAX - 64), record_dir, (long)getpid(), count++);
    if (link(to, saved) != 0)
        strcpy(saved, "-");
    int result = real_rename(from, to), error = errno;
    if (result == 0 && realpath(to, to_real) != NULL)
        record("rename %s %s %s\n", from_real, to_real, saved);
    errno = error;
    return result;
}

static int is_full(int fd)
{
    char path[PATH_MAX];
    return full_file != NULL && record_fd >= 0 && path_of(fd, path) == 0 && counts(path) &&
           access(full_file, F_OK) == 0;
}

ssize_t write(int fd, const void *data, size_t len)
{
    if (fd > STDERR_FILENO && is_full(fd)) {
        if (len > 1)
            return real_write(fd, data, len / 2);
        errno = ENOSPC;
        return -1;
    }
    return real_write(fd, data, len);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    if (is_full(fd)) {
        errno = ENOSPC;
        return -1;
    }
    return real_writev(fd, parts, count);
}
