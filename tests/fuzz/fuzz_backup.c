// The file of a backup: verified, and what was found good restored into a Redis that only listens. Checksums are made
// right here, so that the inputs get behind them; a file that was made honestly must be good.
//
//   mode u8; 1: the rest is the file. Otherwise steps that make records: what u8, and what it takes
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <openssl/sha.h>
#include <zlib.h>

#include "common/ctl/ctl.h"
#include "common/ctl/ctl_verify.h"
#include "tests/fuzz/backup_file.h"
#include "tests/fuzz/fuzz.h"

#define STORED_MAX 65535u // of a block that is not compressed (RFC 1951)

static int file = -1; // what gzopen opens

gzFile __wrap_gzopen(const char *path, const char *mode);

gzFile __wrap_gzopen(const char *path, const char *mode)
{
    (void)path;
    FUZZ_CHECK(lseek(file, 0, SEEK_SET) == 0);
    return gzdopen(dup(file), mode);
}

static void put(const void *bytes, size_t len)
{
    FUZZ_CHECK(write(file, bytes, len) == (ssize_t)len);
}

static void put_u32(uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
    put(bytes, sizeof bytes);
}

// As gzip would, but for the packing (RFC 1952).
static void put_stream(const uint8_t *bytes, size_t len)
{
    static const uint8_t head[10] = {0x1f, 0x8b, 8};
    put(head, sizeof head);
    for (size_t at = 0, n; at < len; at += n) {
        n = len - at < STORED_MAX ? len - at : STORED_MAX;
        const uint8_t block[5] = {at + n == len, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n, (uint8_t)(~n >> 8)};
        put(block, sizeof block);
        put(bytes + at, n);
    }
    put_u32((uint32_t)crc32(0, bytes, (unsigned)len));
    put_u32((uint32_t)len);
}

static void check(bool may_be_good, bool must_be_good)
{
    static const struct ctl_options options = {.who = "fuzz", .json = true};
    static const char *const path[] = {"file"};
    struct ctl_summary summary;
    char why[CTL_VERIFY_WHY_SIZE] = "";
    int err = ctl_verify("file", &summary, why);
    FUZZ_CHECK(err == 0 || (err == ERR_MALFORMED && why[0] != '\0'));
    FUZZ_CHECK(err == 0 ? may_be_good : !must_be_good);
    FUZZ_CHECK(err != 0 || (summary.config_record != NULL && geom_valid(&summary.config.geom)));
    ctl_summary_fini(&summary);
    if (err == 0)
        (void)ctl_run_restore(&options, path, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_in in = fuzz_begin(data, size);
    struct backup_file made;
    bool as_it_is = (fuzz_u8(&in) & 1) != 0, packed = !as_it_is || (fuzz_more(&in) && in.at[0] == 0x1f);
    if (file < 0)
        file = memfd_create("backup", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0 && ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
    if (as_it_is) {
        put(in.at, (size_t)(in.end - in.at));
    } else {
        backup_file_make(&made, &in);
        put_stream(made.bytes, made.len);
    }
    check(packed, !as_it_is && made.honest);
    return 0;
}
