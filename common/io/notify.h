// Telling systemd how we are: the datagrams of sd_notify(3), to the socket that NOTIFY_SOCKET names. The protocol is a
// few lines of text, documented and stable, so that no library is needed for it. Without the variable nothing happens.
#pragma once

#include <stdint.h>

struct notify {
    int fd;              // -1 = nobody wants to know
    int64_t watchdog_ms; // WATCHDOG=1 is expected at least this often; 0 = never
};

// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment.
void notify_open(struct notify *notify);
void notify_close(struct notify *notify);

// "READY=1", "STATUS=…", several with \n between them. Best effort: never waits.
void notify_send(const struct notify *notify, const char *state);
