#pragma once

// The same numbers come again.
void fixed_rand_reset(void);
