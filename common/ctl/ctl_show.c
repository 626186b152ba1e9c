// Results for people. Texts that come from outside are printed without control characters.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/ctl/ctl.h"

static json_int_t number(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool yes(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

// The text of a member without control characters, in one of a few buffers of its own.
static const char *text(const json_t *object, const char *name)
{
    static char buffers[8][640];
    static unsigned next;
    char *to = buffers[next++ % 8];
    const char *from = json_string_value(json_object_get(object, name));
    size_t len = 0;
    for (; from != NULL && *from != '\0' && len + 1 < sizeof buffers[0]; from++) {
        unsigned char c = (unsigned char)*from;
        to[len++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    to[len] = '\0';
    return to;
}

static void print_time(json_int_t ms)
{
    char to[32];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000);
    if (gmtime_r(&seconds, &tm) == NULL || strftime(to, sizeof to, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        to[0] = '\0';
    printf("%s", to);
}

// ---- Status --------------------------------------------------------------------------------------------------------

static void show_canvas(const json_t *canvas)
{
    printf("canvas    %" JSON_INTEGER_FORMAT " x %" JSON_INTEGER_FORMAT ", tiles of %" JSON_INTEGER_FORMAT
           ", %" JSON_INTEGER_FORMAT " colors, cooldown %s, settings version %" JSON_INTEGER_FORMAT "\n",
           number(canvas, "width"), number(canvas, "height"), number(canvas, "tile_edge"), number(canvas, "colors"),
           text(canvas, "cooldown"), number(canvas, "version"));
    if (yes(canvas, "restoring"))
        printf("          READ-ONLY: a restore was begun and has not ended\n");
    else if (yes(canvas, "read_only"))
        printf("          READ-ONLY\n");
    if (text(canvas, "announcement")[0] != '\0')
        printf("          announcement: %s\n", text(canvas, "announcement"));
}

static void show_redis(const json_t *redis)
{
    printf("redis     %s, %s, up %" JSON_INTEGER_FORMAT " s, %.1f MiB used", text(redis, "version"),
           text(redis, "role"), number(redis, "uptime_s"), (double)number(redis, "used_bytes") / 1048576.0);
    if (number(redis, "max_bytes") > 0)
        printf(" of %.1f MiB", (double)number(redis, "max_bytes") / 1048576.0);
    printf("\n");
}

static void show_shards(const json_t *shards)
{
    size_t i;
    const json_t *shard;
    json_array_foreach(shards, i, shard)
    {
        printf("shard     %s, incarnation %s, %" JSON_INTEGER_FORMAT " tiles, epoch %" JSON_INTEGER_FORMAT
               ", beat %" JSON_INTEGER_FORMAT " ms ago, version %s\n",
               text(shard, "address"), text(shard, "incarnation"), number(shard, "tiles"), number(shard, "epoch"),
               number(shard, "beat_age_ms"), text(shard, "version"));
    }
    if (json_array_size(shards) == 0)
        printf("shard     none: nobody can draw\n");
}

static void show_gateways(const json_t *gateways)
{
    size_t i;
    const json_t *gateway;
    json_array_foreach(gateways, i, gateway)
    {
        printf("gateway   %s, %" JSON_INTEGER_FORMAT " connections, beat %" JSON_INTEGER_FORMAT " ms ago, version %s\n",
               text(gateway, "id"), number(gateway, "connections"), number(gateway, "beat_age_ms"),
               text(gateway, "version"));
    }
}

void ctl_show_status(const json_t *result)
{
    const json_t *tiles = json_object_get(result, "tiles"), *process = json_object_get(result, "process");
    show_canvas(json_object_get(result, "canvas"));
    show_redis(json_object_get(result, "redis"));
    printf("view      %" JSON_INTEGER_FORMAT ", %zu shards\n", number(result, "view"),
           json_array_size(json_object_get(result, "shards")));
    show_shards(json_object_get(result, "shards"));
    show_gateways(json_object_get(result, "gateways"));
    printf("online    %" JSON_INTEGER_FORMAT "\n", number(result, "connections"));
    printf("tiles     %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT " placed on, %" JSON_INTEGER_FORMAT
           " placements, %" JSON_INTEGER_FORMAT " taken by nobody who is here\n",
           number(tiles, "count"), number(tiles, "placed_on"), number(tiles, "placements"),
           number(tiles, "without_owner"));
    printf("asked     %s, version %s, up %" JSON_INTEGER_FORMAT " s\n", text(process, "name"), text(process, "version"),
           number(process, "uptime_s"));
}

// ---- The others ----------------------------------------------------------------------------------------------------

void ctl_show_tiles(const json_t *result)
{
    size_t i;
    const json_t *tile;
    printf("%8s %5s %5s %10s %15s  %s\n", "number", "tx", "ty", "seq", "epoch", "owner");
    json_array_foreach(json_object_get(result, "tiles"), i, tile)
    {
        printf("%8" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT " %5" JSON_INTEGER_FORMAT " %10" JSON_INTEGER_FORMAT
               " %15" JSON_INTEGER_FORMAT "  %s %s\n",
               number(tile, "number"), number(tile, "tx"), number(tile, "ty"),
               number(json_object_get(tile, "position"), "seq"), number(tile, "epoch"), text(tile, "owner"),
               text(tile, "address"));
    }
    if (json_is_integer(json_object_get(result, "next")))
        printf("more: tiles %" JSON_INTEGER_FORMAT "\n", number(result, "next"));
}

static void show_value(const char *name, const json_t *value)
{
    char *dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    printf("%s = %s\n", name, dumped != NULL ? dumped : "?");
    free(dumped);
}

void ctl_show_get(const json_t *result)
{
    const char *name;
    json_t *value;
    printf("version = %" JSON_INTEGER_FORMAT "\n", number(result, "version"));
    if (json_object_get(result, "settings") == NULL)
        show_value(text(result, "name"), json_object_get(result, "value"));
    json_object_foreach(json_object_get(result, "settings"), name, value) show_value(name, value);
}

void ctl_show_change(const json_t *result)
{
    printf("%s: %s -> %s (version %" JSON_INTEGER_FORMAT ")\n", text(result, "name"), text(result, "old"),
           text(result, "new"), number(result, "version"));
}

void ctl_show_audit(const json_t *result)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(json_object_get(result, "entries"), i, entry)
    {
        print_time(number(entry, "time_ms"));
        printf("  %s  %s: %s -> %s  (%s)\n", text(entry, "who"), text(entry, "what"), text(entry, "old"),
               text(entry, "new"), text(entry, "via"));
    }
    if (json_is_string(json_object_get(result, "next")))
        printf("before these: audit %zu %s\n", json_array_size(json_object_get(result, "entries")),
               text(result, "next"));
}

// ---- Backups -------------------------------------------------------------------------------------------------------

static void show_counts(const json_t *result)
{
    printf("%s: %" JSON_INTEGER_FORMAT " tiles, %" JSON_INTEGER_FORMAT " users, %" JSON_INTEGER_FORMAT " placements\n",
           text(result, "file"), number(result, "tiles"), number(result, "users"), number(result, "placements"));
    if (number(result, "behind") > 0)
        printf("the records of %" JSON_INTEGER_FORMAT
               " users, who placed while it was made, are behind the log: a restore brings them up to it\n",
               number(result, "behind"));
}

void ctl_print_counts(const struct ctl_options *options, const struct ctl_counts *counts)
{
    json_t *result = json_pack("{s:s, s:I, s:I, s:I}", "file", counts->file, "tiles", (json_int_t)counts->tiles,
                               "users", (json_int_t)counts->users, "placements", (json_int_t)counts->placements);
    if (result != NULL && counts->behind >= 0)
        json_object_set_new(result, "behind", json_integer(counts->behind));
    if (result != NULL)
        ctl_print(options, result, show_counts);
    json_decref(result);
}
