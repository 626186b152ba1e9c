// Log lines on standard error: logfmt or JSON, one event per line, with named fields.
//
//   log_warn("client closed", LOG_STR("reason", reason), LOG_U64("client", id));
//   ts=2026-01-02T03:04:05.678Z level=warn program=gateway msg="client closed" reason=… client=…
//
// Texts may come from strangers: everything is escaped, and cut at LOG_VALUE_MAX bytes. Each call site may say at most
// LOG_SITE_PER_S lines a second; then it is silent, and its next line carries `suppressed=<count>`. A line that would
// have to wait for a reader is dropped, and the next one carries `lost=<count>`: no log ever stops the loop. Reads the
// clock.
#pragma once

#include "common/core/addr.h"
#include "common/core/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_VALUE_MAX 256
#define LOG_SITE_PER_S 10

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

// The choices of the options log-level and log-format, in the order of the enums.
#define LOG_LEVEL_CHOICES "debug|info|warn|error"
#define LOG_FORMAT_CHOICES "logfmt|json"

enum log_kind {
    LOG_KIND_NONE,
    LOG_KIND_STR,
    LOG_KIND_BYTES,
    LOG_KIND_I64,
    LOG_KIND_U64,
    LOG_KIND_HEX,
    LOG_KIND_BOOL,
    LOG_KIND_ERR,
    LOG_KIND_ERRNO,
    LOG_KIND_ADDR
};

struct log_field {
    const char *key; // of [a-z0-9_], from the program text
    enum log_kind kind;
    union {
        const void *ptr;
        int64_t i64;
        uint64_t u64;
    };
    size_t len;
};

#define LOG_STR(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_KIND_STR, .ptr = (value_)})
#define LOG_BYTES(key_, ptr_, len_)                                                                                    \
    ((struct log_field){.key = (key_), .kind = LOG_KIND_BYTES, .ptr = (ptr_), .len = (len_)})
#define LOG_I64(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_KIND_I64, .i64 = (value_)})
#define LOG_U64(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_KIND_U64, .u64 = (value_)})
#define LOG_HEX(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_KIND_HEX, .u64 = (value_)})
#define LOG_BOOL(key_, value_) ((struct log_field){.key = (key_), .kind = LOG_KIND_BOOL, .u64 = (value_)})
#define LOG_ERR(err_) ((struct log_field){.key = "error", .kind = LOG_KIND_ERR, .i64 = (err_)}) // an enum err
#define LOG_ERRNO(errno_)                                                                                              \
    ((struct log_field){.key = "error", .kind = LOG_KIND_ERRNO, .i64 = (errno_)}) // a system error
// What a call failed with that leaves the reason of ERR_IO in errno.
#define LOG_FAILED(err_) ((err_) == ERR_IO ? LOG_ERRNO(errno) : LOG_ERR(err_))
#define LOG_ADDR(key_, addr_) ((struct log_field){.key = (key_), .kind = LOG_KIND_ADDR, .ptr = (addr_)})

// What a call site remembers.
struct log_site {
    int64_t second;
    uint32_t said;
    uint64_t suppressed;
};

// `program` is static text, a field of every line. Before the call: info and up, as logfmt.
void log_init(const char *program, enum log_level level, enum log_format format);

// How addresses of people (LOG_ADDR) are shown instead of in full (log_addr.h).
typedef void log_addr_text(const struct addr *addr, char text[ADDR_TEXT_SIZE]);
void log_set_addr_text(log_addr_text *addr_text);

bool log_enabled(enum log_level level);

// Writes one line; used through the macros below. `fields` has `count` entries.
void log_write(struct log_site *site, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count);

// Counts the lines that were dropped because nobody read them.
const uint64_t *log_lost(void);

// Formats a line into `line` with its closing newline, cut to fit; returns its length. For tests, and for log_write.
size_t log_line(char *line, size_t size, enum log_format format, int64_t wall_ms, const char *program,
                enum log_level level, const char *msg, const struct log_field *fields, size_t count);

#define LOG_AT(level_, msg_, ...)                                                                                      \
    do {                                                                                                               \
        if (log_enabled(level_)) {                                                                                     \
            static struct log_site log_site_;                                                                          \
            const struct log_field log_fields_[] = {{.kind = LOG_KIND_NONE}, ##__VA_ARGS__};                           \
            log_write(&log_site_, (level_), (msg_), log_fields_ + 1, sizeof log_fields_ / sizeof log_fields_[0] - 1);  \
        }                                                                                                              \
    } while (0)

#define log_debug(...) LOG_AT(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_AT(LOG_INFO, __VA_ARGS__)
#define log_warn(...) LOG_AT(LOG_WARN, __VA_ARGS__)
#define log_error(...) LOG_AT(LOG_ERROR, __VA_ARGS__)
