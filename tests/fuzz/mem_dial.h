// common/io/dial.h without a network: whoever dials waits until the target answers.
#pragma once

#include <stdbool.h>

// The oldest that waits for an address which begins with `start` gets this descriptor (of mem_sock), or an error.
// False: nobody waits for it; the descriptor is still the caller's.
bool mem_dial_answer(const char *start, int fd);
bool mem_dial_waits(const char *start);
