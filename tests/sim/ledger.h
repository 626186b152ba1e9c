// The one who keeps count: every draw that a client ever made, what became of it, and every history that a tile ever
// had. It looks at each effect as it happens and breaks the simulation (sim_fail) when a promise is broken:
//
//   acked     a draw that was acknowledged is in the log, also after a crash (not after older data came back)
//   doubled   no draw is in the log twice
//   refused   a draw that was sent once and refused is not in the log
//   invented  nothing is in the log that nobody drew
//   fence     only who took a tile last writes on it
//   dense     a tile's numbers have no hole
//   cooldown  nobody's placements are closer than the cooldown
//   order     draws of one connection on one tile are placed in their order
//   seq       PLACED names a position that contains the draw
//   epoch     an epoch is given out once
//   history   a position (epoch, seq) never stands for two different placements
//   content   who is at a position has the pixels of it
//   checksum  a tile's stored checksum is that of its pixels
//   converged at quiet every replica is equal to the store
//   answered  at quiet every draw has an answer
//
// and client.c and nodes_gateway.c look at two more:
//
//   undisturbed  while processes are only restarted in turn: every draw is placed, soon, and every connection was told
//   to
//                move before it ended
//   malformed    every byte between client and gateway is what the protocol says
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/core/position.h"
#include "tests/sim/db.h"

#define LEDGER_CLIENTS_MAX 16u

void ledger_begin(uint32_t cooldown_ms, enum mutant mutant);
void ledger_end(void);
const struct db_observer *ledger_observer(void);

struct ledger_draw {
    unsigned client;
    uint64_t user, connection;
    uint32_t nonce;
    unsigned tile;
    uint16_t offset;
    uint8_t color;
};

// A draw that was never drawn before by this user: its number.
uint32_t ledger_draw(const struct ledger_draw *draw);
bool ledger_knows(uint64_t user, unsigned tile, uint16_t offset, uint8_t color);
void ledger_sent(uint32_t number);
// STALE for one that was sent once: it is sent again with this nonce, as a page does.
void ledger_renumber(uint32_t number, uint32_t nonce);
void ledger_verdict(uint32_t number, uint8_t code, uint32_t seq);
void ledger_gave_up(uint32_t number);

// After db_rewind.
void ledger_rewound(bool older);
// `who` shows the tile with this checksum at this position.
void ledger_shows(const char *who, unsigned tile, struct position pos, uint64_t checksum);
// At quiet.
void ledger_settle(void);

struct ledger_counts {
    uint32_t draws, acked, refused, gave_up, placed, repeated, lost;
};
struct ledger_counts ledger_counts(void);
