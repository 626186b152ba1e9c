// A request that waits for answers of Redis. The wait belongs to whoever is called back, and outlives the connection
// should that go first.
//
//   struct asked { struct api_wait wait; … };       first member, on the heap
//   api_wait_begin(&asked->wait, call)              from here on one callback is under way
//   … later, in the callback: conn = api_wait_done(&asked->wait); NULL: nobody waits any more; free(asked) in any case
#pragma once

#include <stdbool.h>

#include "common/core/err.h"

struct conn;
struct call;
struct edge;
struct http_conn;

struct api_wait {
    struct edge *edge;
    struct conn *conn; // NULL: it is gone
};

// ERR_FULL: too many wait already.
MUST_CHECK int api_wait_begin(struct api_wait *wait, const struct call *call);

// The last callback has come. Whom to answer with http_reply.
struct conn *api_wait_done(struct api_wait *wait);

// The connection goes.
void api_wait_end(struct http_conn *http);
