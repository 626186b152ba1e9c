#include "gateway/limits.h"

#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "common/core/bucket.h"
#include "common/core/hash_table.h"

#define MINUTE_US INT64_C(60000000)
#define HOUR_US (60 * MINUTE_US)

enum span_kind { SPAN_ARRIVALS, SPAN_SESSIONS, SPAN_NAMES, SPANS };

// How many in the minute, or hour, that began at `began`.
struct span {
    struct monotime began;
    uint32_t count;
};

struct entry {
    struct addr key;
    uint32_t connections[LIMITS_KINDS];
    struct span spans[SPANS];
    struct limits_shared shared;
    struct bucket lookups;     // burst 0 at first: not begun
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

// One more of this span. 0, or ERR_FULL with the time until the next in *left_us.
static int span_take(struct span *span, int64_t length_us, uint32_t max, struct monotime now, int64_t *left_us)
{
    int64_t age = monotime_diff_us(now, span->began);
    if (span->count == 0 || age >= length_us) {
        *span = (struct span){.began = now};
        age = 0;
    }
    *left_us = length_us - (age > 0 ? age : 0);
    if (span->count >= max)
        return ERR_FULL;
    span->count++;
    return 0;
}

// One more of the `max` that an address may have in a span; 0 = off. 0, ERR_FULL with the seconds to wait, ERR_NOMEM.
static int span_count(struct limits *limits, const struct addr *addr, enum span_kind kind, int64_t length_us,
                      uint32_t max, struct monotime now, uint32_t *retry_s)
{
    int64_t left_us;
    if (max == 0)
        return 0;
    struct entry *entry = take(limits, addr);
    if (entry == NULL)
        return ERR_NOMEM;
    int err = span_take(&entry->spans[kind], length_us, max, now, &left_us);
    if (err != 0)
        *retry_s = (uint32_t)((left_us + 999999) / 1000000);
    if (!is_held(entry))
        make_idle(limits, entry);
    return err;
}

int limits_arrival(struct limits *limits, const struct addr *addr, struct monotime now)
{
    uint32_t retry_s;
    return span_count(limits, addr, SPAN_ARRIVALS, MINUTE_US, limits->options.new_connections_per_minute, now,
                      &retry_s);
}

struct limits_shared *limits_shared(struct limits *limits, const struct addr *addr)
{
    struct addr key = key_of(addr);
    struct entry *entry;
    HASH_FIND(hh, limits->table, &key, sizeof key, entry);
    return entry != NULL && is_held(entry) ? &entry->shared : NULL;
}

int limits_session(struct limits *limits, const struct addr *addr, struct monotime now, uint32_t *retry_s)
{
    return span_count(limits, addr, SPAN_SESSIONS, MINUTE_US, limits->options.sessions_per_minute, now, retry_s);
}

int limits_name(struct limits *limits, const struct addr *addr, struct monotime now, uint32_t *retry_s)
{
    return span_count(limits, addr, SPAN_NAMES, HOUR_US, limits->options.names_per_hour, now, retry_s);
}

void limits_name_back(struct limits *limits, const struct addr *addr)
{
    struct addr key = key_of(addr);
    struct entry *entry;
    HASH_FIND(hh, limits->table, &key, sizeof key, entry);
    if (entry != NULL && entry->spans[SPAN_NAMES].count > 0)
        entry->spans[SPAN_NAMES].count--;
}

int limits_lookup(struct limits *limits, const struct addr *addr, uint32_t cost, struct monotime now, uint32_t *retry_s)
{
    uint32_t rate = limits->options.lookups_per_second;
    uint32_t burst = rate * LIMITS_LOOKUP_BURST > LIMITS_LOOKUP_MAX ? rate * LIMITS_LOOKUP_BURST : LIMITS_LOOKUP_MAX;
    int err = 0;
    if (rate == 0)
        return 0;
    struct entry *entry = take(limits, addr);
    if (entry == NULL)
        return ERR_NOMEM;
    if (entry->lookups.burst == 0)
        bucket_init(&entry->lookups, rate, burst, now);
    if (!bucket_take(&entry->lookups, now, cost)) {
        *retry_s = (uint32_t)((bucket_wait_ms(&entry->lookups, now, cost) + 999) / 1000);
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
