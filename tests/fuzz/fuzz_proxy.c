// The header of the PROXY protocol, both versions: as one piece, and in the pieces in which a connection reads it.
#include <stdlib.h>
#include <string.h>

#include "gateway/proxy.h"
#include "tests/fuzz/fuzz.h"

// The connection's way (conn_open.c): never a byte beyond the header.
static ssize_t read_in_pieces(const uint8_t *data, size_t size, struct proxy_header *header)
{
    uint8_t bytes[PROXY_LEN_MAX];
    size_t len = 0;
    for (;;) {
        size_t want = proxy_want(bytes, len);
        FUZZ_CHECK(want >= 1 && want <= sizeof bytes - len);
        size_t step = 1 + (len < size ? data[len] % 7u : 0);
        step = step < want ? step : want;
        step = step < size - len ? step : size - len;
        if (step == 0)
            return 0;
        memcpy(bytes + len, data + len, step);
        len += step;
        ssize_t whole = proxy_parse(bytes, len, header);
        if (whole > 0)
            FUZZ_CHECK((size_t)whole == len);
        if (whole != 0)
            return whole;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole_header = {0}, header = {0};
    ssize_t whole = proxy_parse(data, size, &whole_header);
    ssize_t pieces = read_in_pieces(data, size, &header);
    FUZZ_CHECK((whole > 0) == (pieces > 0) && (whole < 0) == (pieces < 0));
    if (whole <= 0)
        return 0;
    FUZZ_CHECK(whole == pieces && whole <= (ssize_t)PROXY_LEN_MAX);
    FUZZ_CHECK(whole_header.has_address == header.has_address && whole_header.port == header.port);
    FUZZ_CHECK(whole_header.says_tls == header.says_tls && whole_header.tls == header.tls);
    FUZZ_CHECK(addr_equal(&whole_header.source, &header.source));
    // A header is one only as long as it is: not one byte less.
    struct proxy_header cut;
    FUZZ_CHECK(proxy_parse(data, (size_t)whole - 1, &cut) <= 0);
    return 0;
}
