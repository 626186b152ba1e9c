#include "gateway/origin.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/core/decimal.h"

#define HTTPS_PORT 443u

struct place {
    const char *host;
    size_t host_len;
    uint32_t port;
};

// Splits "host", "host:port", "[v6]" or "[v6]:port".
static bool split(const char *text, size_t len, uint32_t default_port, struct place *place)
{
    const char *end = text + len;
    const char *colon = NULL;
    if (len > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', len);
        if (bracket == NULL || (bracket + 1 < end && bracket[1] != ':'))
            return false;
        colon = bracket + 1 < end ? bracket + 1 : NULL;
    } else {
        colon = memchr(text, ':', len);
    }
    *place = (struct place){text, colon != NULL ? (size_t)(colon - text) : len, default_port};
    if (place->host_len == 0 || memchr(text, '/', len) != NULL)
        return false;
    if (colon == NULL)
        return true;
    uint64_t port;
    if (decimal_read(colon + 1, (size_t)(end - colon - 1), UINT16_MAX, &port) != 0)
        return false;
    place->port = (uint32_t)port;
    return port > 0;
}

static bool split_origin(const char *origin, size_t len, uint32_t *default_port, struct place *place)
{
    static const struct {
        const char *prefix;
        size_t len;
        uint32_t port;
    } schemes[] = {{"http://", 7, 80}, {"https://", 8, HTTPS_PORT}};
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (len > schemes[i].len && strncasecmp(origin, schemes[i].prefix, schemes[i].len) == 0) {
            *default_port = schemes[i].port;
            return split(origin + schemes[i].len, len - schemes[i].len, schemes[i].port, place);
        }
    return false;
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->port == b->port && a->host_len == b->host_len && strncasecmp(a->host, b->host, a->host_len) == 0;
}

static size_t next_listed(const char **list)
{
    *list += strspn(*list, " ,");
    return strcspn(*list, " ,");
}

bool origin_allowed(const char *origin, size_t origin_len, const char *host, size_t host_len, bool tls,
                    const char *allowed)
{
    struct place from, to;
    uint32_t port, listed_port;
    if (!split_origin(origin, origin_len, &port, &from))
        return false;
    if ((!tls || port == HTTPS_PORT) && split(host, host_len, port, &to) && same_place(&from, &to))
        return true;
    for (size_t len; (len = next_listed(&allowed)) > 0; allowed += len)
        if (split_origin(allowed, len, &listed_port, &to) && listed_port == port && same_place(&from, &to))
            return true;
    return false;
}

int origin_check_list(const char *allowed)
{
    struct place place;
    uint32_t port;
    for (size_t len; (len = next_listed(&allowed)) > 0; allowed += len)
        if (!split_origin(allowed, len, &port, &place))
            return ERR_MALFORMED;
    return 0;
}
