#include "check.h"

#include "fake_redis.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/core/bytes.h"
#include "common/core/mix.h"
#include "proto/keys.h"
#include "proto/verdict.h"

#define TILE_KEYS 6u
#define TILE_HEAD 8u

struct fake_redis *fake_new(void)
{
    struct fake_redis *fake = calloc(1, sizeof *fake);
    assert_non_null(fake);
    fake->now_ms = 1000000;
    return fake;
}

void fake_free(struct fake_redis *fake)
{
    for (size_t i = 0; i < FAKE_TILES; i++)
        free(fake->tiles[i].log);
    free(fake);
}

struct fake_tile *fake_tile(struct fake_redis *fake, struct tile tile)
{
    for (size_t i = 0; i < FAKE_TILES; i++) {
        struct fake_tile *at = &fake->tiles[i];
        if (at->used && tile_equal(at->tile, tile))
            return at;
        if (!at->used) {
            *at = (struct fake_tile){.used = true, .tile = tile};
            at->log = calloc(FAKE_LOG, sizeof at->log[0]);
            assert_non_null(at->log);
            return at;
        }
    }
    fail_msg("too many tiles");
    return NULL;
}

uint64_t fake_steal(struct fake_redis *fake, struct tile which, uint64_t owner, uint64_t view)
{
    struct fake_tile *tile = fake_tile(fake, which);
    tile->epoch = tile->epoch + 1 > fake->now_ms ? tile->epoch + 1 : fake->now_ms;
    tile->owner = owner;
    tile->view = view;
    return tile->epoch;
}

void fake_take(struct fake_redis *fake, struct place *place, struct monotime now, uint64_t owner,
               const struct place_take *take)
{
    struct fake_tile *tile = fake_tile(fake, take->tile);
    if (tile->view > take->view) {
        place_take_failed(place, now, take->tile, tile->view);
        return;
    }
    fake_steal(fake, take->tile, owner, take->view);
    const struct place_taken taken = {tile->epoch, {tile->position_epoch, tile->seq}, tile->px, sizeof tile->px};
    place_taken(place, now, take->tile, &taken);
    place_taken_window(place, now, take->tile, "g", 1, "8", 1);
    for (uint32_t i = 0; i < tile->window_count; i++)
        place_taken_window(place, now, take->tile, tile->windows[i].field, 16, tile->windows[i].value, WINDOW_LEN);
}

// ---- place.lua -----------------------------------------------------------------------------------------------------

static uint64_t number(const struct batch_arg *arg)
{
    uint64_t value = 0;
    assert_true(arg->len >= 1 && arg->len <= 20);
    for (size_t i = 0; i < arg->len; i++) {
        char digit = ((const char *)arg->data)[i];
        assert_true(digit >= '0' && digit <= '9');
        value = value * 10 + (uint64_t)(digit - '0');
    }
    return value;
}

static bool is_text(const struct batch_arg *arg, const char *text)
{
    return arg->len == strlen(text) && memcmp(arg->data, text, arg->len) == 0;
}

static struct tile check_keys(const struct batch_arg *keys)
{
    static const enum key_tile whats[TILE_KEYS] = {KEY_TILE_META, KEY_TILE_PX,   KEY_TILE_LAST,
                                                   KEY_TILE_LOG,  KEY_TILE_DUP0, KEY_TILE_DUP1};
    char text[KEY_MAX];
    unsigned tx, ty;
    snprintf(text, sizeof text, "%.*s", (int)keys[0].len, (const char *)keys[0].data);
    assert_int_equal(sscanf(text, "{t:%u:%u}", &tx, &ty), 2);
    struct tile tile = {(uint16_t)tx, (uint16_t)ty};
    for (size_t i = 0; i < TILE_KEYS; i++) {
        key_tile(text, tile, whats[i]);
        assert_true(is_text(&keys[i], text));
    }
    return tile;
}

static void store_windows(struct fake_tile *tile, const struct batch_arg *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t at = 0;
        assert_int_equal(args[2 * i].len, 16);
        assert_int_equal(args[2 * i + 1].len, WINDOW_LEN);
        while (at < tile->window_count && memcmp(tile->windows[at].field, args[2 * i].data, 16) != 0)
            at++;
        assert_true(at < FAKE_WINDOWS);
        tile->window_count += at == tile->window_count;
        memcpy(tile->windows[at].field, args[2 * i].data, 16);
        memcpy(tile->windows[at].value, args[2 * i + 1].data, WINDOW_LEN);
    }
}

// With cooldown 0, a draw that was made with one: whether its user's record has it. It is not placed now.
static void recognise(const struct fake_redis *fake, const struct batch_arg *key, const uint8_t *asked,
                      uint8_t *verdict)
{
    uint64_t hash = mix_fnv1a(key->data, key->len);
    bool same = false;
    uint32_t seq = 0;
    for (size_t at = 0; at < FAKE_USERS && fake->users[at].key != 0; at++) {
        if (fake->users[at].key != hash)
            continue;
        same = fake->users[at].nonce == bytes_get_u32(asked) && memcmp(fake->users[at].content, asked + 4, 5) == 0;
        seq = fake->users[at].seq;
    }
    verdict[0] = 0;
    verdict[1] = same ? VERDICT_PLACED : VERDICT_STALE;
    bytes_set_u32(verdict + 2, same ? seq : 0);
    bytes_set_u32(verdict + 6, NONCE_COUNTED_FIRST);
    bytes_set_u32(verdict + 10, 0);
}

// Whether the draw is placed, by its user's record; writes the verdict.
static bool check(struct fake_redis *fake, const struct batch_arg *user_keys, const uint8_t *asked, uint32_t next_seq,
                  uint64_t cooldown, uint8_t *verdict)
{
    const struct batch_arg *key = &user_keys[bytes_get_u16(asked + 9) - 1];
    uint64_t hash = mix_fnv1a(key->data, key->len);
    uint32_t nonce = bytes_get_u32(asked);
    size_t at = 0;
    while (fake->users[at].key != 0 && fake->users[at].key != hash)
        at++;
    assert_true(at < FAKE_USERS);
    fake->users[at].key = hash;
    uint64_t ready = fake->users[at].nonce == 0 ? 0 : fake->users[at].landed_ms + cooldown;
    uint32_t wait = ready > fake->now_ms ? (uint32_t)(ready - fake->now_ms) : 0;
    bool same = nonce == fake->users[at].nonce && memcmp(fake->users[at].content, asked + 4, 5) == 0;
    bool placed = nonce == fake->users[at].nonce + 1 && wait == 0;
    uint8_t code = same || placed ? VERDICT_PLACED : wait > 0 ? VERDICT_COOLDOWN : VERDICT_STALE;
    if (placed) {
        fake->users[at].nonce = nonce;
        fake->users[at].seq = next_seq;
        fake->users[at].landed_ms = fake->now_ms;
        memcpy(fake->users[at].content, asked + 4, 5);
        wait = (uint32_t)cooldown;
    }
    verdict[0] = placed;
    verdict[1] = code;
    bytes_set_u32(verdict + 2, code == VERDICT_PLACED ? fake->users[at].seq : 0);
    bytes_set_u32(verdict + 6, fake->users[at].nonce + 1);
    bytes_set_u32(verdict + 10, wait);
    return placed;
}

static void write_one(struct fake_tile *tile, const struct batch_arg *draw, const uint8_t *update, uint64_t user,
                      uint8_t *old_color)
{
    struct batch_arg offset = {(const char *)draw[0].data + 1, draw[0].len - 1};
    assert_int_equal(*(const char *)draw[0].data, '#');
    uint64_t at = number(&offset);
    assert_true(at < sizeof tile->px && tile->seq < FAKE_LOG);
    assert_int_equal(at, bytes_get_u16(update));
    assert_int_equal(number(&draw[1]), update[2]);
    *old_color = tile->px[at];
    tile->px[at] = update[2];
    tile->log[tile->seq++] = (struct fake_placement){tile->epoch, user, (uint16_t)at, update[2]};
    tile->position_epoch = tile->epoch;
}

struct script {
    struct fake_redis *fake;
    const struct batch_arg *user_keys;
    uint64_t owner, cooldown, users;
    size_t used; // of fake->reply
};

// One tile; `args` begins with its head.
static void place_tile(struct script *script, struct tile which, const struct batch_arg *args,
                       struct batch_result *result)
{
    struct fake_redis *fake = script->fake;
    struct fake_tile *tile = fake_tile(fake, which);
    size_t count = number(&args[2]), windows = number(&args[7]);
    const struct batch_arg *draws = args + TILE_HEAD;
    char channel[KEY_MAX];
    key_tile(channel, which, KEY_TILE_BUS);
    assert_true(is_text(&args[3], channel));
    assert_true(count >= 1 && args[4].len == 3 * count && args[5].len == 8 * count);
    assert_int_equal(args[6].len, script->users > 0 ? 13 * count : 0);
    *result = (struct batch_result){0};
    if (number(&args[0]) != tile->epoch || script->owner != tile->owner)
        result->status = 1;
    else if (number(&args[1]) != tile->seq)
        result->status = 2;
    if (result->status != 0)
        return;

    uint8_t *colors = fake->reply + script->used, *verdicts = colors + count;
    uint32_t base = tile->seq;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *checked = (const uint8_t *)args[6].data + 13 * i;
        assert_int_equal(number(&draws[3 * i + 2]), base + i + 1);
        if (script->cooldown == 0 && script->users > 0) {
            uint16_t user = bytes_get_u16(checked + 9);
            assert_int_equal(bytes_get_u16(checked + 11), 0);
            if (user > 0) {
                recognise(fake, &script->user_keys[user - 1], checked, verdicts + 14 * i);
                continue;
            }
            uint8_t *verdict = verdicts + 14 * i;
            verdict[0] = 1;
            verdict[1] = VERDICT_PLACED;
            bytes_set_u32(verdict + 2, tile->seq + 1);
            bytes_set_u32(verdict + 6, bytes_get_u32(checked) + 1);
            bytes_set_u32(verdict + 10, 0);
        }
        if (script->cooldown > 0 &&
            !check(fake, script->user_keys, checked, tile->seq + 1, script->cooldown, verdicts + 14 * i))
            continue;
        const uint8_t *user = (const uint8_t *)args[5].data + 8 * i;
        write_one(tile, draws + 3 * i, (const uint8_t *)args[4].data + 3 * i, bytes_get_u64(user),
                  colors + result->colors_len);
        result->colors_len++;
    }
    result->colors = colors;
    result->verdicts = verdicts;
    result->verdicts_len = result->colors_len == count ? 0 : 14 * count;
    script->used += 15 * count;
    store_windows(tile, draws + 3 * count, windows);
}

size_t fake_place(struct fake_redis *fake, const struct batch_args *args)
{
    char owner[17];
    assert_int_equal(args->args[0].len, 16);
    snprintf(owner, sizeof owner, "%.16s", (const char *)args->args[0].data);
    size_t tiles = number(&args->args[3]);
    struct script script = {
        .fake = fake,
        .user_keys = args->keys + TILE_KEYS * tiles,
        .owner = strtoull(owner, NULL, 16),
        .cooldown = number(&args->args[1]),
        .users = number(&args->args[4]),
    };
    fake->scripts++;
    assert_true(args->key_count >= TILE_KEYS * tiles + number(&args->args[4]));
    size_t at = 5;
    for (size_t i = 0; i < tiles; i++) {
        struct tile tile = check_keys(args->keys + TILE_KEYS * i);
        place_tile(&script, tile, args->args + at, &fake->results[i]);
        at += TILE_HEAD + 3 * number(&args->args[at + 2]) + 2 * number(&args->args[at + 7]);
    }
    assert_int_equal(at, args->arg_count);
    return tiles;
}
