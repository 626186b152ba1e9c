// Memory that a process shares with the children that it forks, zeroed; never given back before the end.
#pragma once

#include <stddef.h>

// NULL without memory.
void *load_shared_alloc(size_t size);
