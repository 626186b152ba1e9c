// Redis as a process: connections, publish and subscribe, and the moment at which the file is on the disk. Commands are
// run as they arrive; their answers leave when what they did is synced, but what they published leaves at once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/sim/db.h"
#include "tests/sim/net.h"

enum server_kind {
    SERVER_HELLO,       // request and answer: the connection is of use
    SERVER_CALL,        // request
    SERVER_REPLY,       // answer
    SERVER_SUBSCRIBE,   // request, and its confirmation
    SERVER_UNSUBSCRIBE, // request
    SERVER_PUSH,        // a message of a channel
};

// From a client. Arguments lie behind it.
struct server_request {
    struct net_message head;
    enum server_kind kind;
    struct db_call call;
    struct redis_arg items[];
};

// To a client.
struct server_answer {
    struct net_message head;
    enum server_kind kind;
    struct reply_arena arena;
    redisReply *reply;       // REPLY
    size_t channel_len, len; // SUBSCRIBE, PUSH
    char channel[DB_NAME];
    uint8_t *payload; // PUSH; behind it
};

// Keys and arguments are copied.
struct server_request *server_request_new(enum server_kind kind, int script, const struct redis_arg *keys,
                                          size_t key_count, const struct redis_arg *args, size_t arg_count);

void server_begin(const struct db_observer *observer, enum mutant mutant);
void server_end(void);
struct db *server_db(void);
struct sim_proc *server_proc(void);
bool server_is_up(void);
// NULL when it is down.
struct net_end *server_connect(struct sim_proc *from);

// ---- Faults --------------------------------------------------------------------------------------------------------

// What was not synced may be lost, in part or all. `older`: it comes back with an older copy of its data.
void server_crash(bool older);
void server_start(void);
void server_hurry(void);                        // no sync takes long, from now on
void server_drop_messages(uint32_t in_million); // of the bus, from now on
// An operator writes {cluster}:config and publishes CONFIG.
void server_set_read_only(bool read_only);
// Transactions that are on the disk.
uint32_t server_synced(void);
