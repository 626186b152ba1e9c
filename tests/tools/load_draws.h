// The draws of one connection that are not answered yet. With cooldown 0 a window of them, counted by the connection
// itself; with a cooldown one at a time, with the nonce that the server names. They outlive the socket, and are then
// sent again in their order with their nonces (PROTOCOL.md, Nonces).
#pragma once

#include <stdint.h>

#include "proto/ws_proto.h"
#include "tests/tools/load_conn.h"

struct load_draws;

// NULL without memory.
struct load_draws *load_draws_new(uint32_t window, uint32_t cooldown_ms);
void load_draws_free(struct load_draws *draws);

uint32_t load_draws_in_flight(const struct load_draws *draws);

// The connection has been welcomed.
void load_draws_open(struct load_conn *conn, const struct ws_welcome *welcome, struct monotime now);

// 0 or ERR_MALFORMED. An answer that fits no draw is counted as unexpected.
MUST_CHECK int load_draws_on_verdict(struct load_conn *conn, const struct load_frame *frame, struct monotime now);

// Sends what the window, the wait and the work allow; returns how many draws.
uint32_t load_draws_pump(struct load_conn *conn, struct monotime now);

// A wait or a repetition may be due.
void load_draws_on_timer(struct load_conn *conn, struct monotime now);

// Draws first sent before `before` will not be answered any more: unknown.
void load_draws_expire(struct load_conn *conn, struct monotime before);
void load_draws_give_up(struct load_conn *conn); // all of them
