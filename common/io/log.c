#include "common/io/log.h"

#include "common/core/err.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_SIZE 4096
_Static_assert(LINE_SIZE <= PIPE_BUF, "a pipe takes a line whole or not at all");
#define FIELDS_MAX 16

static struct {
    const char *program;
    enum log_level level;
    enum log_format format;
    log_addr_text *addr_text;
} settings = {.program = "tessera", .level = LOG_INFO, .format = LOG_LOGFMT, .addr_text = addr_to_text};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_init(const char *program, enum log_level level, enum log_format format)
{
    settings.program = program;
    settings.level = level;
    settings.format = format;
}

void log_set_addr_text(log_addr_text *addr_text)
{
    settings.addr_text = addr_text;
}

bool log_enabled(enum log_level level)
{
    return level >= settings.level;
}

// ---- Line ----------------------------------------------------------------------------------------------------------

// A line being written. What does not fit whole is left out, so that a cut JSON line is still JSON.
struct line {
    char *at;
    char *end; // room for the closing characters is kept behind it
    bool json;
    bool first;
    bool full;
};

static void put(struct line *line, const char *text, size_t len)
{
    if (line->full || (size_t)(line->end - line->at) < len) {
        line->full = true;
        return;
    }
    memcpy(line->at, text, len);
    line->at += len;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool is_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == '\0' || strchr("-_.:/@+", c) == NULL))
            return false;
    }
    return len > 0;
}

// In quotes, with everything but printable ASCII escaped: a terminal, a parser and a reader all stay safe.
static void put_quoted(struct line *line, const char *text, size_t len)
{
    put_text(line, "\"");
    for (size_t i = 0; i < len; i++) {
        char escape[8];
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            snprintf(escape, sizeof escape, "\\%c", c);
        else if (c == '\n')
            snprintf(escape, sizeof escape, "\\n");
        else if (c >= ' ' && c <= '~')
            snprintf(escape, sizeof escape, "%c", c);
        else
            snprintf(escape, sizeof escape, "\\u%04x", c);
        put_text(line, escape);
    }
    put_text(line, "\"");
}

static void put_string(struct line *line, const char *text, size_t len)
{
    bool cut = len > LOG_VALUE_MAX;
    if (cut)
        len = LOG_VALUE_MAX;
    if (!line->json && !cut && is_plain(text, len)) {
        put(line, text, len);
        return;
    }
    put_quoted(line, text, len);
    if (cut) {
        // The mark goes inside the quotes.
        line->at -= line->full ? 0 : 1;
        put_text(line, "...\"");
    }
}

static void put_key(struct line *line, const char *key)
{
    if (!line->first)
        put_text(line, line->json ? "," : " ");
    line->first = false;
    if (line->json)
        put_text(line, "\"");
    put_text(line, key);
    put_text(line, line->json ? "\":" : "=");
}

static void put_value(struct line *line, const struct log_field *field)
{
    char text[128] = "";
    const char *shown = text;
    switch (field->kind) {
    case LOG_KIND_I64:
        snprintf(text, sizeof text, "%lld", (long long)field->i64);
        put_text(line, text);
        return;
    case LOG_KIND_U64:
        // Beyond 2^53 a reader of JSON loses digits.
        snprintf(text, sizeof text, line->json && field->u64 >> 53 != 0 ? "\"%llu\"" : "%llu",
                 (unsigned long long)field->u64);
        put_text(line, text);
        return;
    case LOG_KIND_BOOL:
        put_text(line, field->u64 != 0 ? "true" : "false");
        return;
    case LOG_KIND_HEX:
        snprintf(text, sizeof text, "%016llx", (unsigned long long)field->u64);
        break;
    case LOG_KIND_ERR:
        shown = err_text((int)field->i64);
        break;
    case LOG_KIND_ERRNO:
        shown = strerror((int)field->i64);
        break;
    case LOG_KIND_ADDR:
        settings.addr_text(field->ptr, text);
        break;
    case LOG_KIND_STR:
        shown = field->ptr != NULL ? field->ptr : "";
        break;
    case LOG_KIND_BYTES:
        put_string(line, field->ptr != NULL ? field->ptr : "", field->ptr != NULL ? field->len : 0);
        return;
    case LOG_KIND_NONE:
        shown = "";
        break;
    }
    put_string(line, shown, strlen(shown));
}

static void put_field(struct line *line, const struct log_field *field)
{
    struct line before = *line;
    put_key(line, field->key);
    put_value(line, field);
    if (line->full) {
        *line = before;
        line->full = true;
    }
}

static void put_head(struct line *line, int64_t wall_ms, const char *program, enum log_level level, const char *msg)
{
    char time_text[48];
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(time_text + len, sizeof time_text - len, ".%03dZ", (int)(wall_ms % 1000));
    const struct log_field head[] = {
        LOG_STR("ts", time_text),
        LOG_STR("level", level_names[level]),
        LOG_STR("program", program),
        LOG_STR("msg", msg),
    };
    for (size_t i = 0; i < sizeof head / sizeof head[0]; i++)
        put_field(line, &head[i]);
}

size_t log_line(char *text, size_t size, enum log_format format, int64_t wall_ms, const char *program,
                enum log_level level, const char *msg, const struct log_field *fields, size_t count)
{
    bool json = format == LOG_JSON;
    if (size < 4)
        return 0;
    struct line line = {.at = text, .end = text + size - 3, .json = json, .first = true};
    if (json)
        put_text(&line, "{");
    put_head(&line, wall_ms, program, level, msg);
    for (size_t i = 0; i < count && !line.full; i++)
        put_field(&line, &fields[i]);
    line.full = false;
    line.end += 2;
    if (json)
        put_text(&line, "}");
    put_text(&line, "\n");
    return (size_t)(line.at - text);
}

// ---- Writing -------------------------------------------------------------------------------------------------------

static uint64_t lost; // lines that nobody took
static uint64_t lost_said;

const uint64_t *log_lost(void)
{
    return &lost;
}

// Whoever reads our lines may have stopped: waiting for him would stop us as well. A pipe that can be written to at all
// takes a whole line.
static bool is_taken(void)
{
    struct pollfd pollfd = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&pollfd, 1, 0) != 0;
}

// May this site speak? `missed` receives how often it was silenced before.
static bool site_take(struct log_site *site, int64_t second, uint64_t *missed)
{
    if (site->second != second) {
        site->second = second;
        site->said = 0;
    }
    if (site->said >= LOG_SITE_PER_S) {
        site->suppressed++;
        return false;
    }
    site->said++;
    *missed = site->suppressed;
    site->suppressed = 0;
    return true;
}

void log_write(struct log_site *site, enum log_level level, const char *msg, const struct log_field *fields,
               size_t count)
{
    char text[LINE_SIZE];
    struct log_field all[FIELDS_MAX + 2];
    struct timespec now;
    uint64_t missed = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    if (!site_take(site, now.tv_sec, &missed))
        return;
    if (!is_taken()) {
        lost += missed + 1;
        return;
    }
    if (count > FIELDS_MAX)
        count = FIELDS_MAX;
    for (size_t i = 0; i < count; i++)
        all[i] = fields[i];
    if (missed > 0)
        all[count++] = LOG_U64("suppressed", missed);
    if (lost > lost_said)
        all[count++] = LOG_U64("lost", lost - lost_said);
    lost_said = lost;
    int64_t wall_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    size_t len = log_line(text, sizeof text, settings.format, wall_ms, settings.program, level, msg, all, count);
    // One write per line, so that lines of several processes do not mix. A log that cannot be written cannot complain.
    ssize_t ignored = write(STDERR_FILENO, text, len);
    (void)ignored;
}
