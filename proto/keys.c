#include "proto/keys.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/core/decimal.h"
#include "proto/bus_proto.h"

static const char *const tile_suffixes[] = {
    [KEY_TILE_META] = "meta",       [KEY_TILE_PX] = "px",         [KEY_TILE_LAST] = "last",
    [KEY_TILE_LOG] = "log",         [KEY_TILE_DUP0] = "dup0",     [KEY_TILE_DUP1] = "dup1",
    [KEY_TILE_BUS] = "bus",         [KEY_TILE_NEW_PX] = "new:px", [KEY_TILE_NEW_LAST] = "new:last",
    [KEY_TILE_NEW_LOG] = "new:log",
};

size_t key_tile(char to[KEY_MAX], struct tile tile, enum key_tile what)
{
    return (size_t)snprintf(to, KEY_MAX, "{t:%u:%u}:%s", tile.tx, tile.ty, tile_suffixes[what]);
}

size_t key_user(char to[KEY_MAX], uint64_t user)
{
    unsigned group = (unsigned)(user % USER_GROUPS);
    return (size_t)snprintf(to, KEY_MAX, "{u:%u}:%016llx", group, (unsigned long long)user);
}

size_t key_user_name(char to[KEY_MAX], uint64_t user)
{
    unsigned group = (unsigned)(user % USER_GROUPS);
    return (size_t)snprintf(to, KEY_MAX, "{u:%u}:n:%016llx", group, (unsigned long long)user);
}

size_t key_name(char to[KEY_MAX], const char *skeleton)
{
    int len = snprintf(to, KEY_MAX, "{n:%s}", skeleton);
    return len < (int)KEY_MAX ? (size_t)len : KEY_MAX - 1;
}

size_t key_address(char to[KEY_MAX], const struct addr *address)
{
    char text[ADDR_KEY_SIZE];
    addr_key(address, text);
    return (size_t)snprintf(to, KEY_MAX, "{a:%s}", text);
}

// Skips `text`, which must come next.
static bool skip(const char **at, const char *end, const char *text)
{
    size_t len = strlen(text);
    if ((size_t)(end - *at) < len || memcmp(*at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

int key_tile_parse(const char *key, size_t len, enum key_tile what, struct tile *out)
{
    const char *at = key;
    const char *end = key + len;
    struct tile tile;
    if (!skip(&at, end, "{t:") || !decimal_take_u16(&at, end, &tile.tx) || !skip(&at, end, ":") ||
        !decimal_take_u16(&at, end, &tile.ty) || !skip(&at, end, "}:") || !skip(&at, end, tile_suffixes[what]) ||
        at != end)
        return ERR_MALFORMED;
    *out = tile;
    return 0;
}

int key_tile_of_channel(const char *channel, size_t len, struct tile *out)
{
    return key_tile_parse(channel, len, KEY_TILE_BUS, out);
}

// The user of a key that `write` would write.
static int parse_user(const char *key, size_t len, size_t (*write)(char to[KEY_MAX], uint64_t user), uint64_t *user)
{
    char again[KEY_MAX];
    uint64_t value = 0;
    if (len < 16)
        return ERR_MALFORMED;
    for (size_t i = len - 16; i < len; i++) {
        char c = key[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
            return ERR_MALFORMED;
        value = value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    // Only the whole name as we write it is one.
    if (write(again, value) != len || memcmp(again, key, len) != 0)
        return ERR_MALFORMED;
    *user = value;
    return 0;
}

int key_user_parse(const char *key, size_t len, uint64_t *user)
{
    return parse_user(key, len, key_user, user);
}

int key_user_name_parse(const char *key, size_t len, uint64_t *user)
{
    return parse_user(key, len, key_user_name, user);
}
