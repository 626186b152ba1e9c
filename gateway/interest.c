#include "gateway/interest.h"

#include <stdlib.h>

#include "gateway/held.h"
#include "gateway/hub.h"
#include "proto/limits.h"

#define FIRST_SLOTS 4u
#define FIRST_CLIENTS 4u
#define HOLES_MIN 16u // fewer are not worth a walk

void interest_tile_fini(struct interest_tile *tile)
{
    for (unsigned lane = 0; lane < INTEREST_LANES; lane++)
        free(tile->lanes[lane].slots);
    *tile = (struct interest_tile){0};
}

void interest_init(struct interest *interest, void (*on_unwatched)(struct held *held, void *arg), void *arg)
{
    *interest = (struct interest){.on_unwatched = on_unwatched, .arg = arg};
}

void interest_fini(struct interest *interest)
{
    struct audience *audience;
    while ((audience = interest->audiences) != NULL) {
        audience->members = 0;
        audience->pinned = false;
        interest_settle(interest, audience);
    }
}

// ---- The tile's side -----------------------------------------------------------------------------------------------

static bool slot_add(struct interest_tile *tile, struct audience *audience, uint32_t watch)
{
    struct interest_slots *lane = &tile->lanes[audience->lane];
    if (lane->count == lane->capacity) {
        uint32_t capacity = lane->capacity > 0 ? lane->capacity * 2 : FIRST_SLOTS;
        struct interest_slot *slots = realloc(lane->slots, capacity * sizeof *slots);
        if (slots == NULL)
            return false;
        lane->slots = slots;
        lane->capacity = capacity;
    }
    audience->watches[watch].slot = lane->count;
    lane->slots[lane->count++] = (struct interest_slot){audience, watch};
    tile->count++;
    return true;
}

static void slot_remove(struct interest_tile *tile, uint32_t in_lane, uint32_t slot)
{
    struct interest_slots *lane = &tile->lanes[in_lane];
    struct interest_slot last = lane->slots[--lane->count];
    tile->count--;
    if (slot == lane->count)
        return;
    lane->slots[slot] = last;
    last.audience->watches[last.watch].slot = slot;
}

// The first `count` tiles no longer have it as a watcher.
static void unwatch(struct interest *interest, struct audience *audience, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct held *held = audience->watches[i].held;
        slot_remove(&held->watchers, audience->lane, audience->watches[i].slot);
        if (held->watchers.count == 0 && interest->on_unwatched != NULL)
            interest->on_unwatched(held, interest->arg);
    }
}

// ---- Audiences -----------------------------------------------------------------------------------------------------

static void audience_free(struct audience *audience)
{
    free(audience->clients);
    free(audience->id);
    free(audience);
}

static struct audience *audience_new(uint32_t lane, struct held *const *tiles, uint32_t count)
{
    struct audience *audience = calloc(1, sizeof *audience + count * sizeof audience->watches[0]);
    if (audience == NULL)
        return NULL;
    audience->id = calloc((size_t)count + 1, sizeof audience->id[0]);
    if (audience->id == NULL) {
        free(audience);
        return NULL;
    }
    audience->lane = audience->id[0] = lane;
    audience->keys = audience->id + 1;
    audience->count = count;
    for (uint32_t i = 0; i < count; i++) {
        audience->keys[i] = tiles[i]->key;
        audience->watches[i].held = tiles[i];
    }
    return audience;
}

size_t interest_audience_bytes(const struct audience *audience)
{
    size_t per_tile = sizeof audience->watches[0] + sizeof audience->keys[0] + sizeof(struct interest_slot);
    return sizeof *audience + sizeof audience->id[0] + audience->count * per_tile +
           audience->capacity * sizeof(struct hub_client *);
}

int interest_intern(struct interest *interest, uint32_t lane, struct held *const *tiles, uint32_t count,
                    struct audience **out)
{
    struct audience *audience = audience_new(lane, tiles, count);
    if (audience == NULL)
        return ERR_NOMEM;
    size_t id_len = ((size_t)count + 1) * sizeof audience->id[0];
    HASH_FIND(hh, interest->audiences, audience->id, id_len, *out);
    if (*out != NULL) {
        audience_free(audience);
        return 0;
    }
    uint32_t watched = 0;
    while (watched < count && slot_add(&tiles[watched]->watchers, audience, watched))
        watched++;
    if (watched < count)
        goto fail;
    HASH_ADD_KEYPTR(hh, interest->audiences, audience->id, id_len, audience);
    if (audience->hh.tbl == NULL)
        goto fail;
    interest->count++;
    interest->bytes += interest_audience_bytes(audience);
    *out = audience;
    return 0;

fail:
    unwatch(interest, audience, watched);
    audience_free(audience);
    return ERR_NOMEM;
}

struct audience *interest_anywhere(const struct interest *interest, struct held *const *tiles, uint32_t count)
{
    uint32_t id[1 + LIMIT_WATCH_TILES];
    struct audience *audience;
    for (uint32_t i = 0; i < count; i++)
        id[1 + i] = tiles[i]->key;
    for (id[0] = 0; id[0] < INTEREST_LANES; id[0]++) {
        HASH_FIND(hh, interest->audiences, id, ((size_t)count + 1) * sizeof id[0], audience);
        if (audience != NULL && audience->members > 0)
            return audience;
    }
    return NULL;
}

static int reserve_client(struct interest *interest, struct audience *audience)
{
    if (audience->used < audience->capacity)
        return 0;
    uint32_t capacity = audience->capacity > 0 ? audience->capacity * 2 : FIRST_CLIENTS;
    struct hub_client **clients = realloc(audience->clients, capacity * sizeof(struct hub_client *));
    if (clients == NULL)
        return ERR_NOMEM;
    interest->bytes += (capacity - audience->capacity) * sizeof(struct hub_client *);
    audience->clients = clients;
    audience->capacity = capacity;
    return 0;
}

int interest_add(struct interest *interest, struct audience *audience, struct hub_client *client)
{
    int err = reserve_client(interest, audience);
    if (err != 0)
        return err;
    audience->members++;
    interest->members++;
    interest->lane_members[audience->lane]++;
    if (client->audience != NULL)
        interest_remove(interest, client);
    client->audience = audience;
    client->index = audience->used;
    audience->clients[audience->used++] = client;
    return 0;
}

void interest_remove(struct interest *interest, struct hub_client *client)
{
    struct audience *audience = client->audience;
    audience->clients[client->index] = NULL;
    audience->members--;
    interest->members--;
    interest->lane_members[audience->lane]--;
    client->audience = NULL;
    if (!audience->pinned)
        interest_settle(interest, audience);
}

static void close_holes(struct audience *audience)
{
    uint32_t to = 0;
    for (uint32_t from = 0; from < audience->used; from++) {
        struct hub_client *client = audience->clients[from];
        if (client == NULL)
            continue;
        client->index = to;
        audience->clients[to++] = client;
    }
    audience->used = to;
}

void interest_settle(struct interest *interest, struct audience *audience)
{
    if (audience->members == 0) {
        HASH_DEL(interest->audiences, audience);
        interest->count--;
        interest->bytes -= interest_audience_bytes(audience);
        unwatch(interest, audience, audience->count);
        audience_free(audience);
        return;
    }
    uint32_t holes = audience->used - audience->members;
    if (holes > HOLES_MIN && holes > audience->members)
        close_holes(audience);
}

int interest_find(const struct audience *audience, uint32_t key)
{
    uint32_t low = 0, high = audience->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (audience->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < audience->count && audience->keys[low] == key ? (int)low : -1;
}
