// What a client sees of the public port, and what it must be: answers of HTTP, then, after the upgrade, frames of a
// server. It knows nothing of what the client has sent.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_client {
    bool is_ws;    // after 101
    bool closed;   // a close frame came: nothing may follow
    bool is_json;  // the body that is awaited
    bool body_due; // perhaps: nobody knows here whether it was asked for by HEAD
    size_t body_len;
    unsigned answers, frames;
};

// Checks what came, as far as it is whole; returns how much that is.
size_t edge_client_read(struct edge_client *client, const uint8_t *bytes, size_t len);

// The server has said that it says no more, and `rest` bytes are left that are not whole.
void edge_client_end(const struct edge_client *client, size_t rest);
