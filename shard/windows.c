#include "shard/windows.h"

#include <stdlib.h>
#include <string.h>

void windows_init(struct windows *windows, uint32_t max)
{
    windows->count = 0;
    windows->max = max;
    TAILQ_INIT(&windows->by_use);
    TAILQ_INIT(&windows->spare);
}

void windows_fini(struct windows *windows)
{
    struct windows_entry *entry;
    while ((entry = TAILQ_FIRST(&windows->spare)) != NULL) {
        TAILQ_REMOVE(&windows->spare, entry, by_use);
        free(entry);
    }
}

static void forget(struct windows *windows, struct windows_entry *entry)
{
    struct windows_tile *tile = entry->tile;
    HASH_DEL(tile->table, entry); // NOLINT(clang-analyzer-core.NullDereference)
    TAILQ_REMOVE(&windows->by_use, entry, by_use);
    TAILQ_INSERT_HEAD(&windows->spare, entry, by_use);
    windows->count--;
}

static bool unused_for(const struct windows_entry *entry, struct monotime now, int64_t ms)
{
    return entry != NULL && monotime_reached(monotime_add_ms(entry->used, ms), now);
}

static struct windows_entry *spare(struct windows *windows, struct monotime now)
{
    struct windows_entry *oldest = TAILQ_FIRST(&windows->by_use);
    if (windows->count >= windows->max) {
        if (!unused_for(oldest, now, WINDOWS_PROMISE_MS))
            return NULL;
        forget(windows, oldest);
    }
    struct windows_entry *entry = TAILQ_FIRST(&windows->spare);
    if (entry != NULL)
        TAILQ_REMOVE(&windows->spare, entry, by_use);
    else
        entry = malloc(sizeof *entry);
    return entry;
}

struct windows_entry *windows_get(struct windows *windows, struct windows_tile *tile, const struct windows_key *key,
                                  struct monotime now)
{
    struct windows_entry *entry;
    HASH_FIND(hh, tile->table, key, sizeof *key, entry);
    if (entry != NULL)
        return entry;
    entry = spare(windows, now);
    if (entry == NULL)
        return NULL;
    memset(entry, 0, sizeof *entry);
    entry->key = *key;
    entry->tile = tile;
    entry->used = now;
    HASH_ADD(hh, tile->table, key, sizeof entry->key, entry);
    if (entry->hh.tbl == NULL) {
        TAILQ_INSERT_HEAD(&windows->spare, entry, by_use);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&windows->by_use, entry, by_use);
    windows->count++;
    return entry;
}

const struct window *windows_find(const struct windows_tile *tile, const struct windows_key *key)
{
    const struct windows_entry *entry;
    HASH_FIND(hh, tile->table, key, sizeof *key, entry);
    return entry != NULL ? &entry->window : NULL;
}

void windows_touch(struct windows *windows, struct windows_entry *entry, struct monotime now)
{
    entry->used = now;
    TAILQ_REMOVE(&windows->by_use, entry, by_use);
    TAILQ_INSERT_TAIL(&windows->by_use, entry, by_use);
}

void windows_clear(struct windows *windows, struct windows_tile *tile)
{
    while (tile->table != NULL)
        forget(windows, tile->table);
}

void windows_expire(struct windows *windows, struct monotime now)
{
    struct windows_entry *oldest;
    while (unused_for(oldest = TAILQ_FIRST(&windows->by_use), now, WINDOWS_KEEP_MS))
        forget(windows, oldest);
}
