// The admin port of a process (proto/ADMIN.md): listener, mutual challenge, commands, and a connection of its own to
// Redis in which their answers lie. The same in gateways and shards.
//
//   accepted ─► CHALLENGE ─► RESPONSE right ─► ACCEPT: COMMAND ─► table ─► Redis … ─► ANSWER, COMMAND … ─► closed
//                  └ 5 s, a wrong mac, anything else ─► closed, one log line          (one at a time; 60 s of silence)
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/io/loop.h"

#define ADMIN_CONNECTIONS_MAX 8u
#define ADMIN_HANDSHAKE_MS 5000
#define ADMIN_SILENCE_MS 60000

struct admin;

struct admin_options {
    const char *listen; // host:port, numeric
    const char *secret;
    const char *redis, *redis_user, *redis_password;
    const char *role; // "gateway" or "shard"
    const char *name; // what this process is called in `via` besides its role; copied
};
// All that they point to, but `name`, must outlive the admin.

// ERR_MALFORMED, ERR_NOMEM, or ERR_IO with errno. An empty `listen` opens nothing, and *admin is NULL.
MUST_CHECK int admin_open(struct admin **admin, struct loop *loop, const struct admin_options *options);
uint16_t admin_port(const struct admin *admin);
// Harmless for NULL.
void admin_close(struct admin *admin);
