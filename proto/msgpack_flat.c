#include "proto/msgpack_flat.h"

#include <assert.h>
#include <msgpack/unpack.h>
#include <stdbool.h>
#include <string.h>

#define MSGPACK_EMBED_STACK_SIZE 2 // of the template's stack: one array, and a place for what it refuses
#include <msgpack/unpack_define.h>

// msgpack-c's own reader, made from its template with callbacks that take what we take and stop it at anything else.

struct flat_user {
    struct msgpack_flat *out;
    bool inside; // the array has begun
};

#define msgpack_unpack_struct(name) struct flat_unpack##name
#define msgpack_unpack_func(ret, name) static inline ret flat_unpack##name
#define msgpack_unpack_callback(name) flat_on##name
#define msgpack_unpack_object struct msgpack_flat_item
#define msgpack_unpack_user struct flat_user

static struct msgpack_flat_item flat_on_root(struct flat_user *user)
{
    user->inside = false;
    return (struct msgpack_flat_item){0};
}

static int flat_on_array(struct flat_user *user, size_t count, struct msgpack_flat_item *item)
{
    (void)item;
    if (user->inside || count < 1 || count > MSGPACK_FLAT_MAX)
        return -1;
    user->inside = true;
    user->out->count = 0;
    return 0;
}

static int flat_on_array_item(struct flat_user *user, struct msgpack_flat_item *array, struct msgpack_flat_item item)
{
    (void)array;
    user->out->items[user->out->count++] = item; // fits: the array's count was checked
    return 0;
}

static int take_number(const struct flat_user *user, uint64_t number, struct msgpack_flat_item *item)
{
    *item = (struct msgpack_flat_item){.kind = MSGPACK_FLAT_UINT, .number = number};
    return user->inside ? 0 : -1;
}

static int take_bytes(const struct flat_user *user, enum msgpack_flat_kind kind, const char *at, unsigned int len,
                      struct msgpack_flat_item *item)
{
    *item = (struct msgpack_flat_item){.kind = kind, .bytes = (const uint8_t *)at, .len = len};
    return user->inside ? 0 : -1;
}

static int flat_on_bin(struct flat_user *user, const char *base, const char *at, unsigned int len,
                       struct msgpack_flat_item *item)
{
    (void)base;
    return take_bytes(user, MSGPACK_FLAT_BIN, at, len, item);
}

static int flat_on_str(struct flat_user *user, const char *base, const char *at, unsigned int len,
                       struct msgpack_flat_item *item)
{
    (void)base;
    return take_bytes(user, MSGPACK_FLAT_STR, at, len, item);
}

#define TAKE(name, type)                                                                                               \
    static int flat_on##name(struct flat_user *user, type number, struct msgpack_flat_item *item)                      \
    {                                                                                                                  \
        return take_number(user, number, item);                                                                        \
    }
#define REFUSE_VALUE(name, type)                                                                                       \
    static int flat_on##name(struct flat_user *user, type value, struct msgpack_flat_item *item)                       \
    {                                                                                                                  \
        (void)user, (void)value, (void)item;                                                                           \
        return -1;                                                                                                     \
    }
#define REFUSE_WORD(name)                                                                                              \
    static int flat_on##name(struct flat_user *user, struct msgpack_flat_item *item)                                   \
    {                                                                                                                  \
        (void)user, (void)item;                                                                                        \
        return -1;                                                                                                     \
    }

TAKE(_uint8, uint8_t)
TAKE(_uint16, uint16_t)
TAKE(_uint32, uint32_t)
TAKE(_uint64, uint64_t)
REFUSE_VALUE(_int8, int8_t)
REFUSE_VALUE(_int16, int16_t)
REFUSE_VALUE(_int32, int32_t)
REFUSE_VALUE(_int64, int64_t)
REFUSE_VALUE(_float, float)
REFUSE_VALUE(_double, double)
REFUSE_VALUE(_map, size_t)
REFUSE_WORD(_nil)
REFUSE_WORD(_true)
REFUSE_WORD(_false)

static int flat_on_map_item(struct flat_user *user, struct msgpack_flat_item *map, struct msgpack_flat_item key,
                            struct msgpack_flat_item value)
{
    (void)user, (void)map, (void)key, (void)value;
    return -1;
}

static int flat_on_ext(struct flat_user *user, const char *base, const char *at, unsigned int len,
                       struct msgpack_flat_item *item)
{
    (void)user, (void)base, (void)at, (void)len, (void)item;
    return -1;
}

#include <msgpack/unpack_template.h>

int msgpack_flat_parse(const uint8_t *msg, size_t len, struct msgpack_flat *out)
{
    struct flat_unpack_context context;
    size_t used = 0;
    context.user = (struct flat_user){.out = out};
    out->count = 0;
    flat_unpack_init(&context);
    // 1: a whole array was read. 0: the message ends inside it.
    if (len == 0 || flat_unpack_execute(&context, (const char *)msg, len, &used) != 1 || used != len)
        return ERR_MALFORMED;
    return 0;
}

static bool item_fits(const struct msgpack_flat_item *item, char form)
{
    switch (form) {
    case '1':
        return item->kind == MSGPACK_FLAT_UINT && item->number <= UINT8_MAX;
    case '2':
        return item->kind == MSGPACK_FLAT_UINT && item->number <= UINT16_MAX;
    case '4':
        return item->kind == MSGPACK_FLAT_UINT && item->number <= UINT32_MAX;
    case '8':
        return item->kind == MSGPACK_FLAT_UINT;
    case 'b':
        return item->kind == MSGPACK_FLAT_BIN;
    case 's':
        return item->kind == MSGPACK_FLAT_STR;
    default:
        return false;
    }
}

int msgpack_flat_check(const struct msgpack_flat *msg, const char *form)
{
    if (msg->count != 1 + strlen(form) || !item_fits(&msg->items[0], '1'))
        return ERR_MALFORMED;
    for (uint32_t i = 1; i < msg->count; i++) {
        if (!item_fits(&msg->items[i], form[i - 1]))
            return ERR_MALFORMED;
    }
    return 0;
}
