#include "common/core/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/core/decimal.h"

static const uint8_t v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void from_v4(struct addr *addr, const void *four)
{
    memcpy(addr->bytes, v4_prefix, sizeof v4_prefix);
    memcpy(addr->bytes + sizeof v4_prefix, four, 4);
}

int addr_from_sockaddr(struct addr *addr, const struct sockaddr *sa, size_t len)
{
    // Copied out, for the caller's memory may be aligned for bytes only.
    if (len >= sizeof(struct sockaddr_in) && sa->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, sa, sizeof in);
        from_v4(addr, &in.sin_addr);
        return 0;
    }
    if (len >= sizeof(struct sockaddr_in6) && sa->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, sa, sizeof in6);
        memcpy(addr->bytes, &in6.sin6_addr, sizeof addr->bytes);
        return 0;
    }
    return ERR_UNSUPPORTED;
}

int addr_from_text(struct addr *addr, const char *text, size_t len)
{
    char copy[ADDR_TEXT_SIZE];
    uint8_t four[4];
    if (len >= sizeof copy || memchr(text, '\0', len) != NULL)
        return ERR_MALFORMED;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, four) == 1) {
        from_v4(addr, four);
        return 0;
    }
    return inet_pton(AF_INET6, copy, addr->bytes) == 1 ? 0 : ERR_MALFORMED;
}

bool addr_is_v4(const struct addr *addr)
{
    return memcmp(addr->bytes, v4_prefix, sizeof v4_prefix) == 0;
}

void addr_to_text(const struct addr *addr, char text[ADDR_TEXT_SIZE])
{
    // Neither can fail: the families are known and the text is large enough.
    if (addr_is_v4(addr))
        (void)inet_ntop(AF_INET, addr->bytes + sizeof v4_prefix, text, ADDR_TEXT_SIZE);
    else
        (void)inet_ntop(AF_INET6, addr->bytes, text, ADDR_TEXT_SIZE);
}

void addr_key(const struct addr *addr, char text[ADDR_KEY_SIZE])
{
    char shown[ADDR_TEXT_SIZE];
    struct addr net = *addr;
    if (!addr_is_v4(addr))
        memset(net.bytes + 8, 0, 8);
    addr_to_text(&net, shown);
    snprintf(text, ADDR_KEY_SIZE, "%s%s", shown, addr_is_v4(addr) ? "" : "/64");
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool addr_is_loopback(const struct addr *addr)
{
    static const uint8_t v6_loopback[16] = {[15] = 1};
    if (addr_is_v4(addr))
        return addr->bytes[12] == 127;
    return memcmp(addr->bytes, v6_loopback, sizeof v6_loopback) == 0;
}

// ---- Lists ---------------------------------------------------------------------------------------------------------

static void mask(struct addr *addr, unsigned bits)
{
    for (unsigned i = 0; i < sizeof addr->bytes; i++) {
        unsigned kept = bits > i * 8 ? bits - i * 8 : 0;
        if (kept < 8)
            addr->bytes[i] &= (uint8_t)(0xff00u >> kept);
    }
}

// One to three digits and nothing else; -1 for all others.
static int small_number(const char *text, size_t len)
{
    uint64_t value;
    return len <= 3 && decimal_read(text, len, 999, &value) == 0 ? (int)value : -1;
}

static int cidr_parse(struct addr_cidr *cidr, const char *text, size_t len)
{
    const char *slash = memchr(text, '/', len);
    size_t addr_len = slash != NULL ? (size_t)(slash - text) : len;
    if (addr_from_text(&cidr->net, text, addr_len) != 0)
        return ERR_MALFORMED;
    bool v4 = addr_is_v4(&cidr->net) && memchr(text, ':', addr_len) == NULL;
    int most = v4 ? 32 : 128;
    int bits = slash != NULL ? small_number(slash + 1, len - addr_len - 1) : most;
    if (bits < 0 || bits > most)
        return ERR_MALFORMED;
    cidr->bits = (uint8_t)(bits + (v4 ? 96 : 0));
    struct addr net = cidr->net;
    mask(&net, cidr->bits);
    return addr_equal(&net, &cidr->net) ? 0 : ERR_MALFORMED;
}

int addr_list_parse(struct addr_list *list, const char *text, size_t len)
{
    const char *end = text + len;
    list->count = 0;
    while (text < end) {
        const char *comma = memchr(text, ',', (size_t)(end - text));
        const char *stop = comma != NULL ? comma : end;
        const char *last = stop;
        while (text < last && *text == ' ')
            text++;
        while (last > text && last[-1] == ' ')
            last--;
        if (list->count == ADDR_LIST_MAX)
            return ERR_FULL;
        if (cidr_parse(&list->items[list->count], text, (size_t)(last - text)) != 0)
            return ERR_MALFORMED;
        list->count++;
        if (comma != NULL && comma + 1 == end)
            return ERR_MALFORMED;
        text = comma != NULL ? comma + 1 : end;
    }
    return 0;
}

bool addr_list_has(const struct addr_list *list, const struct addr *addr)
{
    for (uint16_t i = 0; i < list->count; i++) {
        struct addr net = *addr;
        mask(&net, list->items[i].bits);
        if (addr_equal(&net, &list->items[i].net))
            return true;
    }
    return false;
}
