// The link to one shard (PROTOCOL.md, part 2): connects, proves itself, stays alive, and connects again when it breaks.
//
//   BACKOFF --timer--> CONNECTING --open--> CHALLENGED? --CHALLENGE/RESPONSE--> ACCEPTED? --ACCEPT--> UP
//      ^                   |                    |                                   |                  |
//      +-------------------+--------------------+---- any failure ------------------+------------------+
//          10 ms doubling to 500 ms, each with a random factor of 0.5 to 1; from the start after a link that worked
//
// Knows nothing of draws beyond their count: records go through as they are.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/err.h"
#include "common/io/loop.h"

#define SHARD_LINK_CONNECT_MS 2000
#define SHARD_LINK_CHALLENGE_MS 5000
#define SHARD_LINK_PING_MS 1000
#define SHARD_LINK_SILENCE_MS 3000
#define SHARD_LINK_RETRY_MIN_MS 10
#define SHARD_LINK_RETRY_MAX_MS 500

struct shard_link;

struct shard_link_config {
    const char *address;   // host:port; copied
    const uint8_t *secret; // cluster secret; must outlive the link
    size_t secret_len;
    uint64_t gateway; // id of this process
};

// All from the loop; in each of them the link may be closed. `view` is what the shard has read.
struct shard_link_handlers {
    void (*on_up)(void *arg, uint64_t incarnation, uint64_t view);
    void (*on_down)(void *arg); // after on_up only: what was sent and not answered has an unknown outcome
    // Records of VERDICTS and NOT_OWNER, 1 … LIMIT_BATCH_DRAWS. An error: they make no sense, the link breaks.
    int (*on_verdicts)(void *arg, const uint8_t *records, uint32_t count);
    int (*on_not_owner)(void *arg, uint64_t view, const uint8_t *records, uint32_t count);
    void (*on_pong)(void *arg, uint64_t view);
};

// Begins to connect; nothing is called back within this call. ERR_MALFORMED for an address that is too long, ERR_NOMEM.
MUST_CHECK int shard_link_open(struct shard_link **link, struct loop *loop, const struct shard_link_config *config,
                               const struct shard_link_handlers *handlers, void *arg);
// No callback comes any more, on_down neither. Frees at the end of the turn. Harmless for NULL.
void shard_link_close(struct shard_link *link);
bool shard_link_is_up(const struct shard_link *link);

// Sends `count` draws of LINK_DRAW_LEN bytes, 1 … LIMIT_BATCH_DRAWS, copied. When that cannot be, the link breaks, and
// on_down may come before this returns. Does nothing when the link is not up.
void shard_link_forward(struct shard_link *link, uint64_t view, uint32_t refusals, const uint8_t *draws,
                        uint32_t count);
