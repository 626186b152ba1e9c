// Where gateways connect (proto/PROTOCOL.md, part 2): the listener, the mutual challenge, and the messages of each link
// to the place and back.
//
//   accepted ─► CHALLENGE sent ─► RESPONSE right ─► ACCEPT sent: FORWARD, PING ... ─► closed
//                  └ 5 s, a wrong mac, any other message ──────────────────────────────┘ 10 s of silence
//
// Answers of one turn of the loop leave in one VERDICTS and one NOT_OWNER message per link (each of 512 at most).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/io/loop.h"
#include "shard/place.h"

#define LINK_SERVER_HANDSHAKE_MS 5000
#define LINK_SERVER_SILENCE_MS 10000

struct link_server;

struct link_server_options {
    const char *listen;    // host:port, numeric
    const uint8_t *secret; // the cluster's; must outlive it
    size_t secret_len;
    uint64_t incarnation;
};

struct link_server_stats {
    uint64_t accepted, closed, refused; // refused: no free link, or the challenge failed
    uint64_t malformed;                 // links closed for a message that breaks the protocol
    int64_t links;                      // now, after the challenge
};

// `on_change`: the place may have something to do. ERR_MALFORMED, ERR_NOMEM, or ERR_IO with errno.
MUST_CHECK int link_server_open(struct link_server **server, struct loop *loop, struct place *place,
                                const struct link_server_options *options, void (*on_change)(void *arg), void *arg);
void link_server_close(struct link_server *server);
uint16_t link_server_port(const struct link_server *server);
const struct link_server_stats *link_server_stats(const struct link_server *server);

// Sends the answer of the draw on its link, at the end of link_server_flush.
void link_server_answer(struct link_server *server, const struct draw *draw);
void link_server_flush(struct link_server *server);
