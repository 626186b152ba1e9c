// One link to a gateway, as far as the order of draws is concerned (proto/PROTOCOL.md, part 2, "Order"). Pure.
//
// After a NOT_OWNER for a tile, draws of that tile that were under way already must not be accepted, or they would
// overtake the refused ones, which the gateway sends again. So a tile is refused on this link from its NOT_OWNER
// message, number k, until a FORWARD says that the gateway has received k of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/core/geom.h"

struct peer_refusal;

// Zeroed memory is a closed peer.
struct peer {
    bool open;
    bool broken;         // a refusal could not be noted: the link has to be closed
    uint32_t generation; // counts the links that had this place, so that answers to a lost one go nowhere
    uint32_t in_flight;  // draws that wait for their answer
    uint32_t sent;       // NOT_OWNER messages sent
    uint32_t received;   // of the messages, as the last FORWARD says
    uint32_t refusals;   // tiles that are refused now
    bool unsent;         // some of them were not told yet
    struct peer_refusal *tiles;
};

void peer_open(struct peer *peer);
void peer_close(struct peer *peer);

// What a FORWARD says of the NOT_OWNER messages that arrived. ERR_MALFORMED when that cannot be.
MUST_CHECK int peer_set_received(struct peer *peer, uint32_t received);

// Draws of this tile have to be refused.
bool peer_must_refuse(struct peer *peer, struct tile tile);

// A draw of the tile is refused: its id goes into one of the NOT_OWNER messages that are sent next.
// When more tiles are refused than a well-behaved gateway could have draws in flight, or without memory, the peer is
// broken, and its link has to be closed instead.
void peer_refuse(struct peer *peer, struct tile tile);

// All that were refused so far were told, in so many messages.
void peer_flushed(struct peer *peer, uint32_t messages);
