#include "gateway/limits.h"

#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>
#include <utlist.h>

#define MINUTE_US INT64_C(60000000)

struct entry {
    struct addr key;
    uint32_t connections[LIMITS_KINDS];
    uint32_t sessions; // of the minute that began at `minute`
    struct monotime minute;
    struct entry *prev, *next; // in `idle`, oldest first, while it holds no connection
    UT_hash_handle hh;
};

struct limits {
    struct limits_options options;
    struct entry *table;
    struct entry *idle;
    size_t idle_count;
};

static struct addr key_of(const struct addr *addr)
{
    struct addr key = *addr;
    if (!addr_is_v4(addr))
        memset(key.bytes + 8, 0, 8);
    return key;
}

static bool is_held(const struct entry *entry)
{
    for (int kind = 0; kind < LIMITS_KINDS; kind++)
        if (entry->connections[kind] > 0)
            return true;
    return false;
}

static void drop(struct limits *limits, struct entry *entry)
{
    DL_DELETE(limits->idle, entry);
    limits->idle_count--;
    HASH_DEL(limits->table, entry); // NOLINT(clang-analyzer-core.NullDereference)
    free(entry);
}

static void make_idle(struct limits *limits, struct entry *entry)
{
    DL_APPEND(limits->idle, entry);
    limits->idle_count++;
    while (limits->idle_count > limits->options.idle_entries_max)
        drop(limits, limits->idle);
}

// Takes an entry out of the idle ones, or makes one; NULL without memory.
static struct entry *take(struct limits *limits, const struct addr *addr)
{
    struct addr key = key_of(addr);
    struct entry *entry;
    HASH_FIND(hh, limits->table, &key, sizeof key, entry);
    if (entry == NULL) {
        entry = calloc(1, sizeof *entry);
        if (entry != NULL) {
            entry->key = key;
            HASH_ADD(hh, limits->table, key, sizeof entry->key, entry);
            if (entry->hh.tbl == NULL) {
                free(entry);
                entry = NULL;
            }
        }
    } else if (!is_held(entry)) {
        DL_DELETE(limits->idle, entry);
        limits->idle_count--;
    }
    return entry;
}

struct limits *limits_new(const struct limits_options *options)
{
    struct limits *limits = calloc(1, sizeof *limits);
    if (limits != NULL)
        limits->options = *options;
    return limits;
}

void limits_free(struct limits *limits)
{
    struct entry *entry, *next;
    if (limits == NULL)
        return;
    HASH_ITER(hh, limits->table, entry, next)
    {
        HASH_DEL(limits->table, entry); // NOLINT(clang-analyzer-unix.Malloc)
        free(entry);
    }
    free(limits);
}

int limits_open(struct limits *limits, enum limits_kind kind, const struct addr *addr)
{
    struct entry *entry = take(limits, addr);
    if (entry == NULL)
        return ERR_NOMEM;
    uint32_t max = limits->options.connections_per_address;
    if (max > 0 && entry->connections[kind] >= max) {
        if (!is_held(entry))
            make_idle(limits, entry);
        return ERR_FULL;
    }
    entry->connections[kind]++;
    return 0;
}

void limits_close(struct limits *limits, enum limits_kind kind, const struct addr *addr)
{
    struct addr key = key_of(addr);
    struct entry *entry;
    HASH_FIND(hh, limits->table, &key, sizeof key, entry);
    if (entry == NULL || entry->connections[kind] == 0)
        return;
    entry->connections[kind]--;
    if (!is_held(entry))
        make_idle(limits, entry);
}

int limits_session(struct limits *limits, const struct addr *addr, struct monotime now, uint32_t *retry_s)
{
    int err = 0;
    if (limits->options.sessions_per_minute == 0)
        return 0;
    struct entry *entry = take(limits, addr);
    if (entry == NULL)
        return ERR_NOMEM;
    int64_t age = monotime_diff_us(now, entry->minute);
    if (entry->sessions == 0 || age >= MINUTE_US) {
        entry->minute = now;
        entry->sessions = 0;
        age = 0;
    }
    if (entry->sessions < limits->options.sessions_per_minute) {
        entry->sessions++;
    } else {
        *retry_s = (uint32_t)((MINUTE_US - (age > 0 ? age : 0) + 999999) / 1000000);
        err = ERR_FULL;
    }
    if (!is_held(entry))
        make_idle(limits, entry);
    return err;
}

size_t limits_addresses(const struct limits *limits)
{
    return HASH_COUNT(limits->table);
}
