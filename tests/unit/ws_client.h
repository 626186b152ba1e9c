// A WebSocket client of an edge over fakes (edge_fakes.h), from the upgrade on. Its side is a SOCK_SEQPACKET socket:
// one packet there is one write of the gateway.
#pragma once

#include "check.h"

#include "gateway/edge_internal.h"
#include "tests/unit/edge_fakes.h"

struct ws_client {
    struct edge *edge;
    int far; // its side
    uint8_t packet[70000];
};

extern struct ws_client ws_client;

// An edge with a canvas whose cooldown is 5 s.
int ws_client_begin(void **state);
int ws_client_end(void **state);
#define WS_CLIENT_TEST(name_) cmocka_unit_test_setup_teardown(name_, ws_client_begin, ws_client_end)

// Upgraded; it has said nothing yet.
void ws_client_connect(void);
// And joined: WELCOME was read.
struct ws_conn *ws_client_join(void);
// The only connection there is.
struct conn *ws_client_conn(void);

// The next write of the gateway, into `packet`; 0 when there is none.
size_t ws_client_next(void);
// The code of the close frame that comes; what comes before it is passed over.
uint16_t ws_client_closed(void);

void ws_client_say(const void *data, size_t len);
// A frame that begins with this byte; bytes of it.
size_t ws_client_frame(uint8_t *to, uint8_t first, const void *payload, size_t len);
void ws_client_say_message(const void *payload, size_t len);
void ws_client_say_hello(void);

// What the hub sends: so many bytes of this value; and as much of it as the socket takes, returning how many writes.
struct shared_buf *ws_client_filled(size_t len, uint8_t value);
unsigned ws_client_fill(struct ws_conn *ws, struct shared_buf *buf);
