// A whole HTTP request from its text, for tests of what reads requests.
#pragma once

#include "check.h"

#include "gateway/http.h"

static inline void request_parse(struct http_request *request, const char *text)
{
    http_request_init(request);
    assert_int_equal(http_request_feed(request, text, 0, strlen(text)), strlen(text));
}
