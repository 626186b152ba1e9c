// Descriptors in memory, for targets that drive a whole part of a program: what one read brings, how much the peer
// takes, when it goes. They have no number that the system gives out. sock.h and libevent's events are made of them
// here, and recv, close, shutdown and evbuffer_write as the linker hands them over (--wrap). The loop is fake_loop's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEM_SOCKS_MAX 12
#define MEM_SOCK_IN_MAX (1u << 18)  // bytes that wait to be read; more are dropped
#define MEM_SOCK_OUT_MAX (1u << 18) // bytes that wait for the target; a peer never has room for more

// All as at first; every descriptor of the last run must have been closed.
void mem_sock_reset(void);
// A connected one; -1: there are MEM_SOCKS_MAX already. Its peer takes all that there is room for.
int mem_sock_open(void);
// The same, waiting to be accepted by who listens on that address (the text given to sock_listen); -1 also when nobody
// does. `address` is an IPv4 one.
int mem_sock_connect(const char *listen, uint32_t address);

// What the peer does. Each feed is one piece: no read goes beyond it.
void mem_sock_feed(int fd, const void *bytes, size_t len);
void mem_sock_join(int fd, const void *bytes, size_t len); // as one piece with what waits
void mem_sock_end(int fd);                                 // end of stream, after what was fed
void mem_sock_break(int fd);                               // a reset, at once
void mem_sock_room(int fd, size_t room);                   // it takes so many more bytes

// What was written and not eaten yet.
const uint8_t *mem_sock_out(int fd, size_t *len);
void mem_sock_eat(int fd, size_t len);
bool mem_sock_shut(int fd); // nothing more will be written
bool mem_sock_is_open(int fd);
unsigned mem_sock_opened(void); // since the reset

// Calls back each event that is ready, once.
void mem_sock_turn(void);
