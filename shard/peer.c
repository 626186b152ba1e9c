#include "shard/peer.h"

#include <stdlib.h>

#include "common/core/hash_table.h"
#include "proto/limits.h"

#define UNSENT UINT32_MAX

struct peer_refusal {
    uint32_t tile;    // tile_key
    uint32_t message; // number of the NOT_OWNER that said so; UNSENT before it was sent
    UT_hash_handle hh;
};

static void forget(struct peer *peer, struct peer_refusal *refusal)
{
    HASH_DEL(peer->tiles, refusal); // NOLINT(clang-analyzer-unix.Malloc)
    free(refusal);
    peer->refusals--;
}

void peer_open(struct peer *peer)
{
    peer_close(peer);
    *peer = (struct peer){.open = true, .generation = peer->generation + 1u};
}

void peer_close(struct peer *peer)
{
    while (peer->tiles != NULL)
        forget(peer, peer->tiles);
    peer->open = false;
    peer->in_flight = 0;
}

int peer_set_received(struct peer *peer, uint32_t received)
{
    if (received > peer->sent || received < peer->received)
        return ERR_MALFORMED;
    if (received == peer->received)
        return 0;
    peer->received = received;
    for (struct peer_refusal *refusal = peer->tiles, *next; refusal != NULL; refusal = next) {
        next = refusal->hh.next;
        if (refusal->message <= received)
            forget(peer, refusal);
    }
    return 0;
}

static struct peer_refusal *find(struct peer *peer, struct tile tile)
{
    uint32_t key = tile_key(tile);
    struct peer_refusal *refusal;
    HASH_FIND(hh, peer->tiles, &key, sizeof key, refusal);
    return refusal;
}

bool peer_must_refuse(struct peer *peer, struct tile tile)
{
    return peer->tiles != NULL && find(peer, tile) != NULL;
}

static struct peer_refusal *add(struct peer *peer, struct tile tile)
{
    struct peer_refusal *refusal = peer->refusals < LIMIT_LINK_IN_FLIGHT ? calloc(1, sizeof *refusal) : NULL;
    if (refusal == NULL)
        return NULL;
    refusal->tile = tile_key(tile);
    HASH_ADD(hh, peer->tiles, tile, sizeof refusal->tile, refusal);
    if (refusal->hh.tbl == NULL) {
        free(refusal);
        return NULL;
    }
    peer->refusals++;
    return refusal;
}

void peer_refuse(struct peer *peer, struct tile tile)
{
    struct peer_refusal *refusal = find(peer, tile);
    if (refusal == NULL)
        refusal = add(peer, tile);
    if (refusal == NULL) {
        peer->broken = true;
        return;
    }
    refusal->message = UNSENT;
    peer->unsent = true;
}

void peer_flushed(struct peer *peer, uint32_t messages)
{
    peer->sent += messages;
    if (!peer->unsent)
        return;
    peer->unsent = false;
    for (struct peer_refusal *refusal = peer->tiles; refusal != NULL; refusal = refusal->hh.next) {
        // The last of them, wherever its id was: better a draw refused too long than accepted too early.
        if (refusal->message == UNSENT)
            refusal->message = peer->sent;
    }
}
