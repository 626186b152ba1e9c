// What the parts of client.h share.
#pragma once

#include <stddef.h>

#include "common/core/replica.h"
#include "proto/ws_proto.h"
#include "tests/sim/client.h"
#include "tests/sim/ledger.h"

#define PENDING_MAX 256u
#define RETRY_MIN_US 50000
#define IN_MAX 8192u // a snapshot of a tile and some more

struct client_pending {
    uint32_t number; // of the ledger
    uint32_t nonce;
    uint16_t x, y;
    uint8_t color;
    uint32_t copies; // sent
    int64_t first_us;
    int64_t again_us; // to be repeated then; 0 = it is under way
};

struct client_watched {
    struct replica replica;
    struct replica older; // as it was at some time: a client may come back with that
    bool asked;           // RESUME is under way
    bool looks;           // it is in the watch
};

// A connection to a gateway. A client has two of them while it moves from one to another.
struct client_socket {
    struct client *client;
    struct net_end *end;     // NULL: there is none
    bool accepted, welcomed; // by the gateway
    int64_t hello_us;        // when HELLO was sent
    uint8_t in[IN_MAX];      // what has come, until a frame is whole
    size_t in_len;
};

struct client {
    struct sim_proc proc;
    char name[16];
    uint32_t number;
    struct edge_user user;
    uint64_t connection;
    struct client_socket sockets[2];
    struct client_socket *socket; // the one that counts
    struct client_socket *next;   // that will take over; NULL: none
    bool welcomed;                // `socket` is
    bool told_to_move;            // by the gateway of `socket`
    int64_t verdict_us;           // when the last one came
    uint32_t next_nonce;
    int64_t ready_us;
    int64_t retry_us;
    struct client_pending pending[PENDING_MAX]; // in the order of their nonces
    uint32_t pending_count;
    uint32_t tile_count;
    unsigned tiles[DB_TILES];
    struct client_watched watched[DB_TILES]; // in the order of tiles
    sim_event pace, connect, repeat, move;
};

struct clients {
    struct client_settings settings;
    struct client all[CLIENTS_MAX];
    bool resting;
    const uint8_t *payload; // that is being read
    size_t payload_len;
};

extern struct clients clients;

// client_draws.c: draws, until each has its verdict.
bool client_may_draw(const struct client *client);
void client_draw(struct client *client);
void client_on_verdict(struct client *client, const struct ws_verdict *verdict);
void client_on_welcome(struct client *client, const struct ws_welcome *welcome);

// client_tiles.c: what it watches and shows.
struct ws_entry client_entry(struct client *client, uint32_t i);
void client_on_tile(struct client *client, const struct ws_tile *tile);
void client_on_snapshot(struct client *client, const struct ws_snapshot *snapshot);
void client_ask_again(struct client *client, struct client_watched *watched);
// It lost its latest pixels, and says from where on it needs them.
void client_go_back(struct client *client);
// The tiles that it watches are others, and it has nothing of those that it had not; or all of them.
void client_look_elsewhere(struct client *client);
void client_look_everywhere(struct client *client);

// client_sockets.c: its connections. A message for the one that counts:
void client_send(struct client *client, const uint8_t *bytes, size_t len);
void client_close_socket(struct client_socket *socket);
// Connects, and comes back again and again from then on.
void client_on_connect(void *arg);
