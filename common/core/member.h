// Membership: which shards there are, and which of them ought to own a tile. Everyone computes the same from the same
// view; nobody is asked.
//
// Owner of a tile = the member with the greatest weight
//
//     weight = mix_final(mix_fnv1a(address) ^ ((tx << 16 | ty) * 0x9E3779B97F4A7C15))      (all modulo 2^64)
//
// and among equals the smaller address in byte order. It depends on the addresses and the tile only: not on
// incarnations, nor on the order of the members. When a member comes or goes, only the tiles that it wins or loses
// move.
#pragma once

#include "common/core/err.h"
#include "common/core/geom.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMBER_ADDRESS_SIZE 64 // with the closing NUL
#define MEMBER_MAX 256

struct member {
    char address[MEMBER_ADDRESS_SIZE]; // host:port where gateways reach the shard
    uint64_t incarnation;              // random, one for each start of the process
};

struct member_view {
    uint64_t number; // grows with every change; 0 = never read
    uint16_t count;
    struct member members[MEMBER_MAX];
};

// Adds a member, or replaces the incarnation of one with that address. ERR_RANGE for an empty or too long address,
// ERR_FULL when there are MEMBER_MAX already.
MUST_CHECK int member_view_add(struct member_view *view, const char *address, size_t address_len, uint64_t incarnation);

uint64_t member_weight(const char *address, struct tile tile);

// The member who ought to own the tile, or NULL when the view is empty. Points into `view`.
const struct member *member_owner(const struct member_view *view, struct tile tile);
