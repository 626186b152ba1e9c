#include "gateway/store_reply.h"

#include <string.h>

#include "common/core/bytes.h"
#include "common/core/decimal.h"
#include "gateway/store_reply_impl.h"
#include "proto/limits.h"
#include "proto/members.h"

#define TILE_LEN_MAX ((size_t)GEOM_EDGE_MAX * GEOM_EDGE_MAX)

bool store_reply_is_text(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_STRING || reply->type == REDIS_REPLY_STATUS;
}

bool store_reply_is_array(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY;
}

static int number_of(const char *text, size_t len, uint64_t max, uint64_t *out)
{
    return len <= 19 && decimal_read(text, len, max, out) == 0 ? 0 : ERR_MALFORMED;
}

// An integer, as Redis has two ways of writing it. Nil is 0: a field that was never written.
int store_reply_number(const redisReply *reply, size_t i, uint64_t max, uint64_t *out)
{
    const redisReply *item = reply->element[i];
    *out = 0;
    if (item->type == REDIS_REPLY_NIL)
        return 0;
    if (item->type == REDIS_REPLY_INTEGER) {
        *out = (uint64_t)item->integer;
        return item->integer < 0 || *out > max ? ERR_MALFORMED : 0;
    }
    return store_reply_is_text(item) ? number_of(item->str, item->len, max, out) : ERR_MALFORMED;
}

static int hex_u64(const char *text, size_t len, uint64_t *out)
{
    uint8_t bytes[8];
    if (len != 16 || bytes_from_hex(bytes, sizeof bytes, text, len) != sizeof bytes)
        return ERR_MALFORMED;
    *out = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        *out = *out << 8 | bytes[i];
    return 0;
}

static bool text_is(const redisReply *reply, const char *text)
{
    return reply->len == strlen(text) && memcmp(reply->str, text, reply->len) == 0;
}

int store_reply_view(const redisReply *reply, struct member_view *view)
{
    *view = (struct member_view){0};
    if (!store_reply_is_array(reply) || reply->elements % 2 != 0)
        return ERR_MALFORMED;
    for (size_t i = 0; i < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *value = reply->element[i + 1];
        if (!store_reply_is_text(name) || !store_reply_is_text(value) ||
            members_field(view, name->str, name->len, value->str, value->len) != 0)
            return ERR_MALFORMED;
    }
    return 0;
}

int store_reply_config(const redisReply *reply, struct canvas_config *config, char *errbuf, size_t errlen)
{
    enum { FIELDS_MAX = 64 };
    const char *fields[FIELDS_MAX];
    size_t lens[FIELDS_MAX];
    if (errlen > 0)
        errbuf[0] = '\0';
    if (!store_reply_is_array(reply) || reply->elements > FIELDS_MAX)
        return ERR_MALFORMED;
    for (size_t i = 0; i < reply->elements; i++) {
        if (!store_reply_is_text(reply->element[i]))
            return ERR_MALFORMED;
        fields[i] = reply->element[i]->str;
        lens[i] = reply->element[i]->len;
    }
    return canvas_config_parse(fields, lens, reply->elements, config, errbuf, errlen);
}

int store_reply_user(const redisReply *reply, struct user_record *record)
{
    if (reply->type == REDIS_REPLY_NIL)
        return user_record_decode(NULL, 0, record);
    if (!store_reply_is_text(reply))
        return ERR_MALFORMED;
    return user_record_decode((const uint8_t *)reply->str, reply->len, record);
}

int store_reply_time(const redisReply *reply, uint64_t *now_ms)
{
    uint64_t s, us;
    if (!store_reply_is_array(reply) || reply->elements != 2 || store_reply_number(reply, 0, UINT32_MAX, &s) != 0 ||
        store_reply_number(reply, 1, 999999, &us) != 0)
        return ERR_MALFORMED;
    *now_ms = s * 1000 + us / 1000;
    return 0;
}

int store_reply_online(const redisReply *reply, struct store_online *online)
{
    uint64_t sum, version;
    if (!store_reply_is_array(reply) || reply->elements != 3 || store_reply_number(reply, 0, UINT32_MAX, &sum) != 0 ||
        store_reply_number(reply, 1, INT64_MAX, &online->view) != 0 ||
        store_reply_number(reply, 2, UINT32_MAX, &version) != 0)
        return ERR_MALFORMED;
    online->online = (uint32_t)sum;
    online->config_version = (uint32_t)version;
    return 0;
}

static int position_at(const redisReply *reply, struct position *pos)
{
    uint64_t epoch, seq;
    if (store_reply_number(reply, 0, INT64_MAX, &epoch) != 0 || store_reply_number(reply, 1, UINT32_MAX, &seq) != 0)
        return ERR_MALFORMED;
    *pos = (struct position){.epoch = epoch, .seq = (uint32_t)seq};
    return (epoch == 0) == (seq == 0) ? 0 : ERR_MALFORMED;
}

int store_reply_snapshot(const redisReply *reply, struct store_snapshot *snapshot)
{
    if (!store_reply_is_array(reply) || reply->elements != 3 || !store_reply_is_text(reply->element[2]) ||
        position_at(reply, &snapshot->pos) != 0 || reply->element[2]->len > TILE_LEN_MAX)
        return ERR_MALFORMED;
    snapshot->px = (const uint8_t *)reply->element[2]->str;
    snapshot->len = reply->element[2]->len;
    return 0;
}

int store_reply_position(const redisReply *reply, struct store_position *position)
{
    *position = (struct store_position){0};
    if (!store_reply_is_array(reply) || reply->elements != 4 || position_at(reply, &position->pos) != 0)
        return ERR_MALFORMED;
    const redisReply *sum = reply->element[2];
    if (sum->type == REDIS_REPLY_NIL)
        return 0;
    uint64_t seq;
    if (!store_reply_is_text(sum) || hex_u64(sum->str, sum->len, &position->checksum) != 0 ||
        store_reply_number(reply, 3, UINT32_MAX, &seq) != 0)
        return ERR_MALFORMED;
    position->checksum_seq = (uint32_t)seq;
    position->has_checksum = true;
    return 0;
}

bool store_reply_is_log(const redisReply *reply)
{
    return store_reply_is_array(reply);
}

// The value of a field, or NULL.
static const redisReply *field_of(const redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (store_reply_is_text(fields->element[i]) && text_is(fields->element[i], name) &&
            store_reply_is_text(fields->element[i + 1]))
            return fields->element[i + 1];
    }
    return NULL;
}

static int number_field(const redisReply *fields, const char *name, uint64_t max, uint64_t *out)
{
    const redisReply *value = field_of(fields, name);
    return value != NULL ? number_of(value->str, value->len, max, out) : ERR_MALFORMED;
}

int store_reply_entry(const redisReply *reply, size_t i, struct store_entry *entry)
{
    const redisReply *item = reply->element[i];
    if (!store_reply_is_array(item) || item->elements != 2 || !store_reply_is_text(item->element[0]) ||
        !store_reply_is_array(item->element[1]))
        return ERR_MALFORMED;
    const redisReply *id = item->element[0], *fields = item->element[1];
    uint64_t layout, epoch, first, last;
    if (id->len < 3 || memcmp(id->str + id->len - 2, "-0", 2) != 0 ||
        number_of(id->str, id->len - 2, UINT32_MAX, &last) != 0 ||
        number_field(fields, "l", UINT32_MAX, &layout) != 0 || layout != 1 ||
        number_field(fields, "e", INT64_MAX, &epoch) != 0 || number_field(fields, "f", UINT32_MAX, &first) != 0)
        return ERR_MALFORMED;
    const redisReply *updates = field_of(fields, "u");
    if (updates == NULL || first < 1 || first > last || last - first >= LIMIT_BATCH_DRAWS ||
        updates->len != (last - first + 1) * 3)
        return ERR_MALFORMED;
    *entry = (struct store_entry){
        .epoch = epoch,
        .first = (uint32_t)first,
        .count = (uint32_t)(last - first + 1),
        .updates = (const uint8_t *)updates->str,
    };
    return 0;
}
