// KEYS and ARGV of place.lua for a batch: everything as text and bytes that the script uses as they are.

#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "shard/place_impl.h"

#define TILE_KEYS 6u
#define HEAD_ARGS ((size_t)5)
#define TILE_HEAD_ARGS 8u
#define DRAW_ARGS 3u
#define WINDOW_ARGS 2u
#define NUMBER_TEXT 20u // digits of a u64
#define CHECK_LEN 13u   // what the script checks of a draw
#define UPDATE_LEN 3u
#define USER_LEN 8u
#define INCARNATION_TEXT 16u

_Static_assert(BATCH_KEYS_MAX == LIMIT_BATCH_DRAWS * (TILE_KEYS + 2u), "keys of the worst batch");
_Static_assert(BATCH_ARGS_MAX == HEAD_ARGS + (size_t)LIMIT_BATCH_DRAWS * (TILE_HEAD_ARGS + DRAW_ARGS + WINDOW_ARGS),
               "arguments of the worst batch");
#define ARENA_SIZE                                                                                                     \
    (HEAD_ARGS * NUMBER_TEXT +                                                                                         \
     (size_t)LIMIT_BATCH_DRAWS * ((TILE_KEYS + 3u) * KEY_MAX + (TILE_HEAD_ARGS + DRAW_ARGS) * NUMBER_TEXT +            \
                                  CHECK_LEN + UPDATE_LEN + USER_LEN + sizeof(struct windows_key) + WINDOW_LEN))
#define INTERN_SLOTS 1024u // a power of two above LIMIT_BATCH_DRAWS

// Distinct keys of one kind, numbered from 1.
struct interned {
    uint32_t count;
    struct batch_arg keys[LIMIT_BATCH_DRAWS];
    uint16_t slots[INTERN_SLOTS]; // number, 0 = free
};

struct batch_builder {
    size_t key_count, arg_count, arena_used;
    struct interned users, addresses;
    struct batch_arg keys[BATCH_KEYS_MAX];
    struct batch_arg args[BATCH_ARGS_MAX];
    char arena[ARENA_SIZE]; // its size is that of the worst batch, so nothing has to be checked
};

struct batch_builder *batch_builder_new(void)
{
    return calloc(1, sizeof(struct batch_builder));
}

void batch_builder_free(struct batch_builder *builder)
{
    free(builder);
}

static char *reserve(struct batch_builder *to, size_t len)
{
    char *at = to->arena + to->arena_used;
    to->arena_used += len;
    return at;
}

static void put(struct batch_builder *to, const void *data, size_t len)
{
    to->args[to->arg_count++] = (struct batch_arg){data, len};
}

// Decimal text, behind an optional prefix.
static void put_number(struct batch_builder *to, const char *prefix, uint64_t value)
{
    char digits[NUMBER_TEXT];
    size_t len = 0, prefix_len = strlen(prefix);
    do {
        digits[len++] = (char)('0' + value % 10u);
        value /= 10u;
    } while (value != 0);
    char *text = reserve(to, prefix_len + len);
    memcpy(text, prefix, prefix_len); // NOLINT(bugprone-not-null-terminated-result)
    for (size_t i = 0; i < len; i++)
        text[prefix_len + i] = digits[len - 1 - i];
    put(to, text, prefix_len + len);
}

static void put_incarnation(struct batch_builder *to, uint64_t incarnation)
{
    static const char hex[] = "0123456789abcdef";
    char *text = reserve(to, INCARNATION_TEXT);
    for (unsigned i = 0; i < INCARNATION_TEXT; i++)
        text[i] = hex[incarnation >> (60u - 4u * i) & 15u];
    put(to, text, INCARNATION_TEXT);
}

// Number of a key of a user or an address; it becomes one if it is new.
static uint16_t intern(struct batch_builder *to, struct interned *in, const char *key, size_t len)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (uint8_t)key[i]) * 16777619u;
    for (uint32_t at = hash & (INTERN_SLOTS - 1u);; at = (at + 1u) & (INTERN_SLOTS - 1u)) {
        uint16_t number = in->slots[at];
        if (number != 0 && (in->keys[number - 1u].len != len || memcmp(in->keys[number - 1u].data, key, len) != 0))
            continue;
        if (number != 0)
            return number;
        char *copy = reserve(to, len);
        memcpy(copy, key, len);
        in->keys[in->count++] = (struct batch_arg){copy, len};
        return in->slots[at] = (uint16_t)in->count;
    }
}

static void put_tile_keys(struct batch_builder *to, struct tile tile)
{
    static const enum key_tile whats[TILE_KEYS] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_LAST,
                                                   KEY_TILE_LOG,  KEY_TILE_DUP0, KEY_TILE_DUP1};
    for (size_t i = 0; i < TILE_KEYS; i++) {
        char *key = reserve(to, KEY_MAX);
        to->keys[to->key_count++] = (struct batch_arg){key, key_tile(key, tile, whats[i])};
    }
}

// What the script has to check of a draw. `charged`: there is a cooldown. Without one, draws of which the windows know
// all have no user.
static void write_check(struct batch_builder *to, uint8_t *at, const struct place *place, const struct draw *draw,
                        bool charged)
{
    char key[KEY_MAX];
    const struct link_draw *asked = &draw->asked;
    uint16_t user = 0, address = 0;
    size_t len = key_user(key, asked->user);
    if (charged || draw->recorded)
        user = intern(to, &to->users, key, len);
    if (charged && asked->kind == LINK_USER_GUEST && place->config.guests_per_address > 0) {
        len = key_address(key, &asked->address);
        address = intern(to, &to->addresses, key, len);
    }
    bytes_set_u32(at, asked->nonce);
    at[4] = asked->color;
    bytes_set_u16(at + 5, asked->x);
    bytes_set_u16(at + 7, asked->y);
    bytes_set_u16(at + 9, user);
    bytes_set_u16(at + 11, address);
}

static void put_columns(struct batch_builder *to, const struct place *place, const struct batch *batch,
                        const struct batch_tile *in)
{
    bool charged = batch->cooldown_ms > 0, checked = charged || batch->recorded > 0;
    uint8_t *updates = (uint8_t *)reserve(to, (size_t)in->sent * UPDATE_LEN);
    uint8_t *users = (uint8_t *)reserve(to, (size_t)in->sent * USER_LEN);
    uint8_t *checks = (uint8_t *)reserve(to, checked ? (size_t)in->sent * CHECK_LEN : 0);
    size_t i = 0;
    for (const struct draw *draw = in->draws.first; draw != NULL; draw = draw->next) {
        if (draw->decided)
            continue;
        bytes_set_u16(updates + UPDATE_LEN * i, geom_offset_of(&place->config.geom, draw->asked.x, draw->asked.y));
        updates[UPDATE_LEN * i + 2] = draw->asked.color;
        bytes_set_u64(users + USER_LEN * i, draw->asked.user);
        if (checked)
            write_check(to, checks + CHECK_LEN * i, place, draw, charged);
        i++;
    }
    put(to, updates, i * UPDATE_LEN);
    put(to, users, i * USER_LEN);
    put(to, checks, checked ? i * CHECK_LEN : 0);
}

static void put_draws(struct batch_builder *to, const struct place *place, const struct batch_tile *in)
{
    uint32_t seq = in->tile->pos.seq;
    for (const struct draw *draw = in->draws.first; draw != NULL; draw = draw->next) {
        if (draw->decided)
            continue;
        put_number(to, "#", geom_offset_of(&place->config.geom, draw->asked.x, draw->asked.y));
        put_number(to, "", draw->asked.color);
        put_number(to, "", ++seq);
    }
}

static void put_windows(struct batch_builder *to, const struct batch *batch, const struct batch_tile *in)
{
    for (uint32_t i = 0; i < in->windows_count; i++) {
        const struct batch_window *from = &batch->windows[in->windows_from + i];
        char *bytes = reserve(to, WINDOW_LEN);
        window_encode((uint8_t *)bytes, &from->window);
        char *field = reserve(to, sizeof from->key);
        bytes_set_u64((uint8_t *)field, from->key.user);
        bytes_set_u64((uint8_t *)field + 8, from->key.connection);
        put(to, field, sizeof from->key);
        put(to, bytes, WINDOW_LEN);
    }
}

static void put_tile(struct batch_builder *to, const struct place *place, const struct batch *batch,
                     const struct batch_tile *in)
{
    put_tile_keys(to, in->tile->tile);
    put_number(to, "", in->tile->epoch);
    put_number(to, "", in->tile->pos.seq);
    put_number(to, "", in->sent);
    char *channel = reserve(to, KEY_MAX);
    put(to, channel, key_tile(channel, in->tile->tile, KEY_TILE_BUS));
    put_columns(to, place, batch, in);
    put_number(to, "", in->windows_count);
    put_draws(to, place, in);
    put_windows(to, batch, in);
}

static void put_interned(struct batch_builder *to, const struct interned *in)
{
    memcpy(to->keys + to->key_count, in->keys, in->count * sizeof in->keys[0]);
    to->key_count += in->count;
}

void batch_build(struct place *place, const struct batch *batch, struct batch_args *out)
{
    struct batch_builder *to = place->builder;
    to->key_count = to->arg_count = to->arena_used = 0;
    to->users.count = to->addresses.count = 0;
    if (batch->cooldown_ms > 0 || batch->recorded > 0) {
        memset(to->users.slots, 0, sizeof to->users.slots);
        memset(to->addresses.slots, 0, sizeof to->addresses.slots);
    }
    put_incarnation(to, place->incarnation);
    put_number(to, "", batch->cooldown_ms);
    put_number(to, "", place->config.guests_per_address);
    put_number(to, "", batch->tile_count);
    size_t user_count_at = to->arg_count++;
    for (uint32_t i = 0; i < batch->tile_count; i++)
        put_tile(to, place, batch, &batch->tiles[i]);
    put_interned(to, &to->users);
    put_interned(to, &to->addresses);

    size_t end = to->arg_count;
    to->arg_count = user_count_at;
    put_number(to, "", to->users.count);
    *out = (struct batch_args){to->keys, to->key_count, to->args, end};
}
