#include "gateway/proxy_v1.h"

#include <string.h>

#include "common/core/decimal.h"

#define WORD "PROXY "
#define WORD_LEN (sizeof WORD - 1)

// What is left of the line, without its CR LF.
struct rest {
    const char *at, *end;
};

// Takes the text up to the next space, and the space; the last field ends with the line.
static bool take_field(struct rest *rest, bool last, const char **field, size_t *len)
{
    const char *space = memchr(rest->at, ' ', (size_t)(rest->end - rest->at));
    if ((space == NULL) != last)
        return false;
    *field = rest->at;
    *len = (size_t)((last ? rest->end : space) - rest->at);
    rest->at = last ? rest->end : space + 1;
    return *len > 0;
}

static bool take_address(struct rest *rest, bool v4, struct addr *addr)
{
    const char *text;
    size_t len;
    if (!take_field(rest, false, &text, &len) || addr_from_text(addr, text, len) != 0)
        return false;
    return (memchr(text, ':', len) == NULL) == v4;
}

// 0 … 65535 without leading zeros.
static bool take_port(struct rest *rest, bool last, uint16_t *port)
{
    const char *text;
    size_t len;
    if (!take_field(rest, last, &text, &len))
        return false;
    const char *end = text + len;
    return decimal_take_u16(&text, end, port) && text == end;
}

static int parse_line(struct rest rest, struct proxy_header *out)
{
    static const char unknown[] = "UNKNOWN";
    size_t left = (size_t)(rest.end - rest.at);
    struct proxy_header header = {0};
    struct addr destination;
    uint16_t destination_port;
    if (left >= sizeof unknown - 1 && memcmp(rest.at, unknown, sizeof unknown - 1) == 0 &&
        (left == sizeof unknown - 1 || rest.at[sizeof unknown - 1] == ' ')) {
        *out = header; // the rest of the line is to be ignored
        return 0;
    }
    bool v4 = left >= 5 && memcmp(rest.at, "TCP4 ", 5) == 0;
    if (!v4 && (left < 5 || memcmp(rest.at, "TCP6 ", 5) != 0))
        return ERR_MALFORMED;
    rest.at += 5;
    if (!take_address(&rest, v4, &header.source) || !take_address(&rest, v4, &destination) ||
        !take_port(&rest, false, &header.port) || !take_port(&rest, true, &destination_port))
        return ERR_MALFORMED;
    header.has_address = true;
    *out = header;
    return 0;
}

ssize_t proxy_v1_parse(const uint8_t *bytes, size_t len, struct proxy_header *out)
{
    if (memcmp(bytes, WORD, len < WORD_LEN ? len : WORD_LEN) != 0)
        return ERR_MALFORMED;
    size_t seen = len < PROXY_V1_LEN_MAX ? len : PROXY_V1_LEN_MAX;
    const uint8_t *feed = memchr(bytes, '\n', seen);
    // Behind the line it is the client's.
    if (memchr(bytes, '\0', feed != NULL ? (size_t)(feed - bytes) : seen) != NULL)
        return ERR_MALFORMED;
    if (feed == NULL)
        return len >= PROXY_V1_LEN_MAX ? ERR_RANGE : 0;
    if (feed < bytes + WORD_LEN + 1 || feed[-1] != '\r')
        return ERR_MALFORMED;
    int err = parse_line((struct rest){(const char *)bytes + WORD_LEN, (const char *)feed - 1}, out);
    return err != 0 ? err : feed + 1 - bytes;
}

// At least a CR LF is still to come, or an LF. Two bytes at a time: nobody tells how long the line will be.
size_t proxy_v1_want(const uint8_t *bytes, size_t len)
{
    static const char shortest[] = "PROXY UNKNOWN\r\n";
    if (len < sizeof shortest - 1)
        return sizeof shortest - 1 - len;
    return bytes[len - 1] == '\r' ? 1 : 2;
}
