// Replies about pixels, names and heat.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/bytes.h"
#include "common/core/decimal.h"
#include "gateway/store_reply_impl.h"

#define PLACEMENT_LEN 21u
#define NAME_HEAD_LEN 12u
#define NAME_LAYOUT 1u
#define NAME_FLAG_ERASED 1u
#define HEAT_MIN 0.5

int store_reply_pixel(const redisReply *reply, struct store_pixel *pixel)
{
    uint64_t color, next;
    if (!store_reply_is_array(reply) || reply->elements != 4 ||
        store_reply_number(reply, 0, INT64_MAX, &pixel->now_ms) != 0 ||
        store_reply_number(reply, 1, UINT8_MAX, &color) != 0 || store_reply_number(reply, 2, UINT32_MAX, &next) != 0 ||
        !store_reply_is_text(reply->element[3]) || reply->element[3]->len % PLACEMENT_LEN != 0 ||
        reply->element[3]->len / PLACEMENT_LEN > STORE_PLACEMENTS_MAX)
        return ERR_MALFORMED;
    const uint8_t *at = (const uint8_t *)reply->element[3]->str;
    pixel->color = (uint8_t)color;
    pixel->next = (uint32_t)next;
    pixel->count = reply->element[3]->len / PLACEMENT_LEN;
    for (size_t i = 0; i < pixel->count; i++, at += PLACEMENT_LEN)
        pixel->placements[i] = (struct store_placement){
            .seq = bytes_get_u32(at), .color = at[4], .user = bytes_get_u64(at + 5), .time_ms = bytes_get_u64(at + 13)};
    return 0;
}

int store_reply_name(const redisReply *reply, struct store_name *name)
{
    *name = (struct store_name){0};
    if (reply->type == REDIS_REPLY_NIL)
        return 0;
    const uint8_t *record = (const uint8_t *)reply->str;
    if (!store_reply_is_text(reply) || reply->len < NAME_HEAD_LEN || record[0] != NAME_LAYOUT ||
        reply->len - NAME_HEAD_LEN >= NAME_SIZE)
        return ERR_MALFORMED;
    name->erased = (record[1] & NAME_FLAG_ERASED) != 0;
    name->changed_ms = bytes_get_u64(record + 4);
    memcpy(name->text, record + NAME_HEAD_LEN, reply->len - NAME_HEAD_LEN);
    // What others are shown is never anything else than this.
    bool ours = name->text[0] == '\0' || name_check(name->text, reply->len - NAME_HEAD_LEN) == NAME_OK;
    return ours && !(name->erased && name->text[0] != '\0') ? 0 : ERR_MALFORMED;
}

int store_reply_renamed(const redisReply *reply, enum store_renamed *result, uint64_t *wait_ms)
{
    uint64_t code;
    if (!store_reply_is_array(reply) || reply->elements != 2 ||
        store_reply_number(reply, 0, STORE_RENAME_CHANGED, &code) != 0 ||
        store_reply_number(reply, 1, INT64_MAX, wait_ms) != 0)
        return ERR_MALFORMED;
    *result = (enum store_renamed)code;
    return 0;
}

// "<tx>:<ty>".
static int read_tile(const redisReply *reply, struct tile *tile)
{
    const char *at = reply->str, *end = at + reply->len;
    bool good = decimal_take_u16(&at, end, &tile->tx) && at < end && *at++ == ':' &&
                decimal_take_u16(&at, end, &tile->ty) && at == end;
    return good ? 0 : ERR_MALFORMED;
}

int store_reply_heat(const redisReply *reply, struct store_heat *heat)
{
    if (!store_reply_is_array(reply) || reply->elements % 2 != 0 || reply->elements / 2 > STORE_HEAT_MAX)
        return ERR_MALFORMED;
    heat->count = reply->elements / 2;
    for (size_t i = 0; i < heat->count; i++) {
        const redisReply *tile = reply->element[2 * i], *score = reply->element[2 * i + 1];
        char *end;
        if (!store_reply_is_text(tile) || !store_reply_is_text(score) || score->len == 0 ||
            read_tile(tile, &heat->tiles[i].tile) != 0)
            return ERR_MALFORMED;
        heat->tiles[i].heat = strtod(score->str, &end);
        if (end != score->str + score->len || !isfinite(heat->tiles[i].heat))
            return ERR_MALFORMED;
    }
    return 0;
}

void store_heat_at(struct store_heat *heat, uint64_t now_ms)
{
    double now = (double)now_ms / STORE_HEAT_HALF_LIFE_MS;
    size_t kept = 0;
    for (size_t i = 0; i < heat->count; i++) {
        // Ahead of the clock, should it have been set back: as much as may be, not more.
        double worth = exp2(fmin(heat->tiles[i].heat - now, 40));
        if (worth < HEAT_MIN)
            continue;
        heat->tiles[kept].tile = heat->tiles[i].tile;
        heat->tiles[kept++].heat = worth;
    }
    heat->count = kept;
}
