// Which tiles were taken, by whom: one question for 256 tiles, so that none takes Redis long.

#include <stdlib.h>

#include "common/admin/admin_impl.h"
#include "common/io/conf.h"
#include "proto/keys.h"
#include "proto/lua_scripts.h"

#define SLICE 256u
#define VALUES 6u
#define LIST_MAX 512u
#define LIST_SCAN_MAX 65536u // tiles that one `tiles` looks at

// ---- Scanning ------------------------------------------------------------------------------------------------------

static void scan_on(struct admin_call *call, struct admin_scan *scan);

static bool is_taken(const redisReply *values)
{
    return values->type == REDIS_REPLY_ARRAY && values->elements == VALUES;
}

static void on_owners(struct admin_call *call, const redisReply *reply)
{
    struct admin_scan *scan = call->state;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) {
        admin_fail(call, "unavailable", "Redis gave no owners");
        return;
    }
    for (size_t i = 0; i < reply->elements && scan->next < scan->end; i++) {
        const struct admin_owner owner = {scan->next, geom_tile_at(&scan->geom, scan->next), reply->element[i]};
        scan->next++;
        if (is_taken(owner.values) && !scan->visit(call, &owner)) {
            scan->done(call);
            return;
        }
    }
    scan_on(call, scan);
}

static void scan_on(struct admin_call *call, struct admin_scan *scan)
{
    static char names[SLICE][KEY_MAX];
    struct redis_arg keys[SLICE];
    uint32_t count = scan->end - scan->next < SLICE ? scan->end - scan->next : SLICE;
    if (count == 0 || call->conn == NULL) {
        scan->done(call);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        keys[i] =
            (struct redis_arg){names[i], key_tile(names[i], geom_tile_at(&scan->geom, scan->next + i), KEY_TILE_META)};
    admin_run(call, LUA_OWNERS, true, keys, count, NULL, 0, on_owners);
}

void admin_scan(struct admin_call *call, struct admin_scan *scan)
{
    scan_on(call, scan);
}

// ---- The command ---------------------------------------------------------------------------------------------------

struct list {
    struct admin_scan scan; // first: it is the call's state
    uint32_t from, count, total;
    json_t *tiles;
};

static void free_list(void *state)
{
    struct list *list = state;
    if (list != NULL)
        json_decref(list->tiles);
    free(list);
}

static json_int_t number_of(const redisReply *reply)
{
    return reply->str != NULL ? (json_int_t)strtoll(reply->str, NULL, 10) : 0;
}

static bool add_tile(struct admin_call *call, const struct admin_owner *owner)
{
    struct list *list = call->state;
    redisReply *const *values = owner->values->element;
    json_array_append_new(
        list->tiles, json_pack("{s:I, s:i, s:i, s:o, s:o, s:I, s:I, s:{s:I, s:I}}", "number", (json_int_t)owner->number,
                               "tx", owner->tile.tx, "ty", owner->tile.ty, "owner", admin_text(values[0]), "address",
                               admin_text(values[1]), "epoch", number_of(values[2]), "view", number_of(values[3]),
                               "position", "epoch", number_of(values[4]), "seq", number_of(values[5])));
    return json_array_size(list->tiles) < list->count;
}

static void list_done(struct admin_call *call)
{
    struct list *list = call->state;
    json_t *next = list->scan.next < list->total ? json_integer((json_int_t)list->scan.next) : json_null();
    admin_answer(call,
                 json_pack("{s:O, s:o, s:I}", "tiles", list->tiles, "next", next, "total", (json_int_t)list->total));
}

static void list_begin(struct admin_call *call, const struct canvas_config *config)
{
    struct list *list = call->state;
    list->total = geom_count(&config->geom);
    list->scan = (struct admin_scan){.geom = config->geom, .next = list->from, .visit = add_tile, .done = list_done};
    if (list->from > list->total)
        list->scan.next = list->total;
    uint32_t left = list->total - list->scan.next;
    list->scan.end = list->scan.next + (left < LIST_SCAN_MAX ? left : LIST_SCAN_MAX);
    admin_scan(call, &list->scan);
}

void admin_run_tiles(struct admin_call *call)
{
    int64_t from = 0, count = LIST_MAX;
    struct list *list = calloc(1, sizeof *list);
    call->state = list;
    call->free_state = free_list;
    if (list == NULL || (list->tiles = json_array()) == NULL) {
        admin_fail(call, "unavailable", "no memory");
        return;
    }
    if ((call->arg_count > 0 && (conf_text_int(call->args[0], &from) != 0 || from < 0 || from > UINT32_MAX)) ||
        (call->arg_count > 1 && (conf_text_int(call->args[1], &count) != 0 || count < 1 || count > LIST_MAX))) {
        admin_fail(call, "usage", "usage: tiles [FROM [COUNT]], COUNT 1 to 512");
        return;
    }
    list->from = (uint32_t)from;
    list->count = (uint32_t)count;
    admin_read_config(call, list_begin);
}
