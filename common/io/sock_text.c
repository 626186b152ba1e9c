// Addresses in text, of sock.h: no socket is touched.
#include "common/io/sock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "common/core/decimal.h"

static int port_parse(const char *text, uint16_t *port)
{
    uint64_t value;
    size_t len = strlen(text);
    if (len > 5 || decimal_read(text, len, UINT16_MAX, &value) != 0)
        return ERR_MALFORMED;
    *port = (uint16_t)value;
    return 0;
}

int sock_split(const char *text, char host[SOCK_HOST_SIZE], uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    const char *start = text;
    if (colon == NULL)
        return ERR_MALFORMED;
    const char *stop = colon;
    if (*start == '[') {
        if (stop - start < 3 || stop[-1] != ']')
            return ERR_MALFORMED;
        start++;
        stop--;
    } else if (memchr(start, ':', (size_t)(stop - start)) != NULL) {
        return ERR_MALFORMED; // IPv6 without brackets: where it ends would be a guess
    }
    size_t len = (size_t)(stop - start);
    if (len >= SOCK_HOST_SIZE)
        return ERR_MALFORMED;
    for (size_t i = 0; i < len; i++) {
        if (start[i] <= ' ' || start[i] > '~' || start[i] == '[' || start[i] == ']')
            return ERR_MALFORMED;
    }
    memcpy(host, start, len);
    host[len] = '\0';
    return port_parse(colon + 1, port);
}

int sock_parse(const char *text, struct sockaddr_storage *sa, socklen_t *len)
{
    char host[SOCK_HOST_SIZE];
    uint16_t port;
    int err = sock_split(text, host, &port);
    if (err != 0)
        return err;
    memset(sa, 0, sizeof *sa);
    struct sockaddr_in *in = (struct sockaddr_in *)sa;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        *len = sizeof *in;
        return 0;
    }
    if (inet_pton(AF_INET6, host[0] != '\0' ? host : "::", &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        *len = sizeof *in6;
        return 0;
    }
    return ERR_MALFORMED;
}
