#include "common/core/pressure.h"

#include <string.h>

// The number behind `name:` at the start of a line.
static int field(const char *info, size_t len, const char *name, uint64_t *value)
{
    size_t name_len = strlen(name);
    for (const char *at = info, *end = info + len; at < end;) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            line_end = end;
        if ((size_t)(line_end - at) > name_len && memcmp(at, name, name_len) == 0) {
            const char *digit = at + name_len;
            uint64_t sum = 0;
            size_t digits = 0;
            for (; digit < line_end && *digit >= '0' && *digit <= '9' && digits < 19; digit++, digits++)
                sum = sum * 10 + (uint64_t)(*digit - '0');
            if (digits == 0 || (digit < line_end && *digit != '\r'))
                return ERR_MALFORMED;
            *value = sum;
            return 0;
        }
        at = line_end + 1;
    }
    return ERR_MALFORMED;
}

int pressure_parse(struct pressure *pressure, const char *info, size_t len)
{
    struct pressure read;
    int err = field(info, len, "used_memory:", &read.used_bytes);
    if (err == 0)
        err = field(info, len, "maxmemory:", &read.max_bytes);
    if (err == 0)
        *pressure = read;
    return err;
}

bool pressure_high(const struct pressure *pressure)
{
    return pressure->max_bytes != 0 && pressure->used_bytes > pressure->max_bytes / 100 * PRESSURE_PERCENT +
                                                                  pressure->max_bytes % 100 * PRESSURE_PERCENT / 100;
}
