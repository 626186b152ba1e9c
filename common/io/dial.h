// Connecting to "host:port" without blocking: looks the name up, tries each of its addresses in turn, all under one
// deadline. Embedded in its owner; used by msg_sock and redis_conn.
#pragma once

#include "common/core/err.h"
#include "common/io/loop.h"
#include "common/io/sock.h"

#include <stdint.h>

// `fd` is a connected descriptor that now belongs to the callee, or an error: ERR_TIMEOUT, ERR_NOT_FOUND (the name),
// ERR_IO (refused or unreachable, at all addresses). `why` is a short text in static memory.
typedef void dial_cb(void *arg, int fd, const char *why);

#define DIAL_ADDRESSES_MAX 8

struct dial_lookup;

struct dial {
    struct loop *loop;
    dial_cb *on_done;
    void *arg;
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    struct loop_deferred start;
    struct loop_timer deadline;
    struct dial_lookup *lookup; // running name look-up
    struct event connected;     // of the attempt `fd`
    int fd;                     // -1 = no attempt is running
    int last_errno;
    unsigned count;
    unsigned next;
    struct sockaddr_storage addresses[DIAL_ADDRESSES_MAX];
};

// Once, before anything else.
void dial_init(struct dial *dial, struct loop *loop, dial_cb *on_done, void *arg);

// Begins; on_done is called exactly once, never within this call, unless dial_cancel comes first. Not while another one
// is running. ERR_MALFORMED for the address.
MUST_CHECK int dial_start(struct dial *dial, const char *address, uint32_t timeout_ms);

// Harmless when none is running. After it the memory may go.
void dial_cancel(struct dial *dial);
