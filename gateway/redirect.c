#include "gateway/redirect.h"

#include <stdio.h>
#include <string.h>

#define HTTPS_PORT 443u

// Without ":port"; an IPv6 address keeps its brackets. The characters were checked when the request was read.
static size_t name_len(const char *host, size_t len)
{
    const char *close = memchr(host, ']', len);
    const char *from = close != NULL ? close : host;
    const char *colon = memchr(from, ':', len - (size_t)(from - host));
    return colon != NULL ? (size_t)(colon - host) : len;
}

size_t redirect_header(char *to, size_t size, const struct http_request *request, const char *buffer, uint16_t port)
{
    size_t host_len;
    bool repeated = false;
    char port_text[8] = "";
    const char *host = http_request_single(request, buffer, "host", &host_len, &repeated);
    if (host == NULL)
        return 0;
    if (port != 0)
        host_len = name_len(host, host_len);
    if (port != 0 && port != HTTPS_PORT)
        snprintf(port_text, sizeof port_text, ":%u", port);
    int len = snprintf(to, size, "Location: https://%.*s%s%.*s\r\n", (int)host_len, host, port_text,
                       (int)request->target.len, buffer + request->target.at);
    return len > 0 && (size_t)len < size ? (size_t)len : 0;
}
