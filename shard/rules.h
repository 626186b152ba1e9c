// What a draw can be refused for without asking Redis. Pure.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/canvas_config.h"
#include "proto/link_proto.h"

#define RULES_READ_ONLY_WAIT_MS 1000u
#define RULES_UNKNOWN_WAIT_MS 1000u
#define RULES_OVERLOAD_WAIT_MIN_MS 100u
#define RULES_OVERLOAD_WAIT_MAX_MS 5000u

// Fills `verdict` for a draw that is refused whatever its user's record says: next nonce and wait are the draw's own
// nonce, as none was used up, and 0 (or when to ask again).
void rules_refuse(const struct link_draw *draw, uint8_t code, uint32_t wait_ms, struct link_verdict *verdict);

// true when the draw may go on; else `verdict` is filled. `config` is known; `pressure`: Redis is nearly full.
bool rules_allow(const struct canvas_config *config, bool pressure, const struct link_draw *draw,
                 struct link_verdict *verdict);

// When to ask again while `waiting` draws wait and `rate` were answered in the last second.
uint32_t rules_overload_wait_ms(uint32_t waiting, uint32_t rate);
