// common/io without an operating system: see sim_io.c.
#pragma once

// Nobody listens.
void sim_io_init(void);
