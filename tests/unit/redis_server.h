// A redis-server of the test's own, on a free port of loopback, without a disk.
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct redis_server {
    pid_t pid; // 0 = not running
    uint16_t port;
    int reserved;     // a socket that holds the port against other tests until the process ends
    char address[32]; // 127.0.0.1:port
};

// Chooses a free port, without starting.
void redis_server_init(struct redis_server *server);

// Starts it and waits until it listens; `password` may be NULL. Fails the test when it does not come up.
void redis_server_start(struct redis_server *server, const char *password);

// SIGKILL, and waits. Harmless when it is not running.
void redis_server_kill(struct redis_server *server);

// SIGSTOP and SIGCONT: a server that is there but does not answer.
void redis_server_freeze(struct redis_server *server, int frozen);
