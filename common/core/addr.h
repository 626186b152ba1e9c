// Internet addresses as 16 bytes: IPv6, with IPv4 as ::ffff:a.b.c.d. Two sockets from one host compare equal, whether
// the listener was IPv4 or IPv6.
#pragma once

#include "common/core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT_SIZE 46 // INET6_ADDRSTRLEN
#define ADDR_KEY_SIZE 50  // an IPv6 text and "/64"
#define ADDR_LIST_MAX 64

struct sockaddr;

struct addr {
    uint8_t bytes[16];
};

struct addr_cidr {
    struct addr net;
    uint8_t bits; // of the 128: a /8 of IPv4 is 104
};

struct addr_list {
    uint16_t count;
    struct addr_cidr items[ADDR_LIST_MAX];
};

// ERR_UNSUPPORTED for other families than AF_INET and AF_INET6. `len` is that of the system call that filled it in.
MUST_CHECK int addr_from_sockaddr(struct addr *addr, const struct sockaddr *sa, size_t len);

// A numeric address of `len` bytes (no NUL needed), IPv4 or IPv6 without brackets and zone. ERR_MALFORMED.
MUST_CHECK int addr_from_text(struct addr *addr, const char *text, size_t len);

// Canonical text; IPv4 dotted.
void addr_to_text(const struct addr *addr, char text[ADDR_TEXT_SIZE]);

// The text under which limits are kept: one for each IPv4 address ("192.0.2.7"), one for each /64 of IPv6
// ("2001:db8:1:2::/64"), as an IPv6 host may choose the rest freely.
void addr_key(const struct addr *addr, char text[ADDR_KEY_SIZE]);

bool addr_equal(const struct addr *a, const struct addr *b);
bool addr_is_v4(const struct addr *addr);
bool addr_is_loopback(const struct addr *addr);

// Reads "10.0.0.0/8,::1/128"; spaces around items are allowed, a missing length means the one address; the empty text
// is the empty list. ERR_MALFORMED (also for bits set behind the prefix), ERR_FULL.
MUST_CHECK int addr_list_parse(struct addr_list *list, const char *text, size_t len);

bool addr_list_has(const struct addr_list *list, const struct addr *addr);
