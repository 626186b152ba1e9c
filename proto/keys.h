// Names of keys and channels (REDIS.md). Each writes a zero-terminated name into `to` (KEY_MAX bytes) and returns its
// length.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/addr.h"
#include "common/core/err.h"
#include "common/core/geom.h"

#define KEY_MAX 96u

#define KEY_CONFIG "{cluster}:config"
#define KEY_AUDIT "{cluster}:audit"
#define KEY_MEMBERS "{cluster}:members"
#define KEY_GATEWAYS "{cluster}:gateways"
#define KEY_HEAT "{cluster}:heat"
#define CHANNEL_CLUSTER "{cluster}:bus"

enum key_tile {
    KEY_TILE_META,
    KEY_TILE_PX,
    KEY_TILE_LAST,
    KEY_TILE_LOG,
    KEY_TILE_DUP0,
    KEY_TILE_DUP1,
    KEY_TILE_BUS,
    KEY_TILE_NEW_PX, // while a backup is restored
    KEY_TILE_NEW_LAST,
    KEY_TILE_NEW_LOG,
};

size_t key_tile(char to[KEY_MAX], struct tile tile, enum key_tile what);
size_t key_user(char to[KEY_MAX], uint64_t user);
size_t key_user_name(char to[KEY_MAX], uint64_t user);
// `skeleton` is a name's (common/core/name.h): at most 60 bytes, no braces.
size_t key_name(char to[KEY_MAX], const char *skeleton);
size_t key_address(char to[KEY_MAX], const struct addr *address);
// The tile of a channel's name. 0 or ERR_MALFORMED (not a tile's channel).
MUST_CHECK int key_tile_of_channel(const char *channel, size_t len, struct tile *out);
// The same for a key that ends in `what`; and the user of a record's key, or of a name's (ERR_MALFORMED: another key).
MUST_CHECK int key_tile_parse(const char *key, size_t len, enum key_tile what, struct tile *out);
MUST_CHECK int key_user_parse(const char *key, size_t len, uint64_t *user);
MUST_CHECK int key_user_name_parse(const char *key, size_t len, uint64_t *user);
