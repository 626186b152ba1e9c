#include "proto/members.h"

#include <string.h>

#include "common/core/bytes.h"

#define INCARNATION_LEN 16u
#define NUMBER_LEN_MAX 18u // digits of which any number fits into an int64_t

static int read_number(const char *text, size_t len, uint64_t *out)
{
    uint64_t value = 0;
    if (len == 0 || len > NUMBER_LEN_MAX)
        return ERR_MALFORMED;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ERR_MALFORMED;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return 0;
}

static bool read_incarnation(const char *value, size_t len, uint64_t *out)
{
    uint8_t bytes[INCARNATION_LEN / 2];
    if (len <= INCARNATION_LEN || value[INCARNATION_LEN] != ' ' ||
        bytes_from_hex(bytes, sizeof bytes, value, INCARNATION_LEN) != (int)sizeof bytes)
        return false;
    *out = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *out = *out << 8 | bytes[i];
    return true;
}

int members_field(struct member_view *view, const char *name, size_t name_len, const char *value, size_t value_len)
{
    uint64_t incarnation;
    if (name_len == 4 && memcmp(name, "view", 4) == 0)
        return read_number(value, value_len, &view->number);
    if (name_len < 2 || memcmp(name, "s:", 2) != 0 || !read_incarnation(value, value_len, &incarnation))
        return 0;
    int err = member_view_add(view, name + 2, name_len - 2, incarnation);
    return err == ERR_RANGE ? 0 : err;
}
