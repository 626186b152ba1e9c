#include "tests/fuzz/resp.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void put(struct resp *resp, const void *bytes, size_t len)
{
    FUZZ_CHECK(len <= resp->room - resp->len);
    memcpy(resp->bytes + resp->len, bytes, len);
    resp->len += len;
}

static void put_head(struct resp *resp, char mark, int64_t number)
{
    char head[32];
    put(resp, head, (size_t)snprintf(head, sizeof head, "%c%" PRId64 "\r\n", mark, number));
}

void resp_array(struct resp *resp, size_t count)
{
    put_head(resp, '*', (int64_t)count);
}

void resp_number(struct resp *resp, int64_t number)
{
    put_head(resp, ':', number);
}

void resp_bytes(struct resp *resp, const void *bytes, size_t len)
{
    put_head(resp, '$', (int64_t)len);
    if (len > 0)
        put(resp, bytes, len);
    put(resp, "\r\n", 2);
}

void resp_text(struct resp *resp, const char *text)
{
    resp_bytes(resp, text, strlen(text));
}

void resp_nil(struct resp *resp)
{
    put_head(resp, '$', -1);
}
