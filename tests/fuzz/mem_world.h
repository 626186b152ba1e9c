// Loop, sockets and random numbers in memory, for the targets that drive something whole.
#pragma once

#include <stdint.h>

// As new: no log, the same random numbers, no socket.
void mem_world_reset(void);

// What is on the sockets arrives, `us` pass, and what follows from both is done.
void mem_world_turn(int64_t us);
