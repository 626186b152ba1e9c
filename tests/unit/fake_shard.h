// The shard's end of a link, for tests of the gateway's: it listens, and has the latest connection. What is said on it
// is the test's.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/io/loop.h"
#include "common/io/msg_sock.h"
#include "proto/link_proto.h"

#define FAKE_SHARD_SECRET_LEN 34u

// By which gateway and shard know each other in these tests.
extern const uint8_t fake_shard_secret[FAKE_SHARD_SECRET_LEN];

struct fake_shard {
    struct loop *loop;
    int listener; // -1: nobody listens
    struct event acceptable;
    char address[32];              // where it listens, or did
    struct msg_sock *sock;         // NULL: no connection
    unsigned connections;          // in all
    uint8_t nonce[LINK_NONCE_LEN]; // of the latest challenge
    void (*on_open)(void *arg);
    void (*on_message)(void *arg, const uint8_t *data, size_t len);
    void *arg;
};

// Zeroed but for the handlers and their argument; listens at a port of its own.
void fake_shard_begin(struct fake_shard *shard, struct loop *loop);
void fake_shard_end(struct fake_shard *shard);

// Nobody listens any more; somebody does again, at the same address.
void fake_shard_deafen(struct fake_shard *shard);
void fake_shard_listen(struct fake_shard *shard);
// The connection ends, if there is one.
void fake_shard_hang_up(struct fake_shard *shard);

// A message, which has to find room.
void fake_shard_send(struct fake_shard *shard, const uint8_t *msg, size_t len);
