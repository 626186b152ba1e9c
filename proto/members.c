#include "proto/members.h"

#include <string.h>

#include "common/core/bytes.h"
#include "common/core/decimal.h"

#define INCARNATION_LEN 16u

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
        return decimal_read(value, value_len, INT64_MAX, &view->number) == 0 ? 0 : ERR_MALFORMED;
    if (name_len < 2 || memcmp(name, "s:", 2) != 0 || !read_incarnation(value, value_len, &incarnation))
        return 0;
    int err = member_view_add(view, name + 2, name_len - 2, incarnation);
    return err == ERR_RANGE ? 0 : err;
}
