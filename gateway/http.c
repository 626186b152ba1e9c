#include "gateway/http.h"

#include <string.h>
#include <strings.h>

#include "common/core/decimal.h"

static bool is_tchar(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static int refuse(struct http_request *request, uint16_t status, const char *why)
{
    if (request->status == 0) {
        request->status = status;
        request->why = why;
    }
    return ERR_MALFORMED;
}

// ---- What http-parser calls -----------------------------------------------------------------------------------------
//
// A piece is the continuation of a span when it begins where the span ends. If it does not, http-parser has skipped
// something inside one value: a folded line.

static bool extend(struct http_request *request, struct http_span *span, const char *at, size_t len)
{
    size_t offset = (size_t)(at - request->base);
    if (span->len == 0)
        span->at = (uint16_t)offset;
    else if ((size_t)span->at + span->len != offset)
        return false;
    span->len = (uint16_t)(span->len + len);
    return true;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;
    if (!extend(request, &request->target, at, len))
        return refuse(request, 400, "malformed request line");
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;
    if (request->count == 0 || request->in_value) {
        if (request->count == HTTP_HEADERS_MAX)
            return refuse(request, 431, "more than 64 header fields");
        request->headers[request->count++] = (struct http_header){0};
        request->in_value = false;
    }
    if (!extend(request, &request->headers[request->count - 1].name, at, len))
        return refuse(request, 400, "malformed header field");
    return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
    struct http_request *request = parser->data;
    request->in_value = true;
    if (request->count == 0 || !extend(request, &request->headers[request->count - 1].value, at, len))
        return refuse(request, 400, "folded header line");
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    // The body is ours to count: no form of it that http-parser would have to decode is accepted.
    http_parser_pause(parser, 1);
    return 0;
}

// ---- Policy ---------------------------------------------------------------------------------------------------------

// Every line ends in CR LF, none is folded, and there are no other control characters, whatever the parser forgives.
static int check_lines(struct http_request *request, const char *buffer)
{
    for (size_t i = 0; i < request->head_len; i++) {
        unsigned char c = (unsigned char)buffer[i];
        if (c == '\n') {
            if (i == 0 || buffer[i - 1] != '\r')
                return refuse(request, 400, "line ends without CR");
            if (i + 1 < request->head_len && (buffer[i + 1] == ' ' || buffer[i + 1] == '\t'))
                return refuse(request, 400, "folded header line");
        } else if (c == '\r') {
            if (i + 1 == request->head_len || buffer[i + 1] != '\n')
                return refuse(request, 400, "CR inside a line");
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return refuse(request, 400, "control character");
        }
    }
    return 0;
}

static int check_target(struct http_request *request, const char *buffer)
{
    if (request->target.len == 0 || buffer[request->target.at] != '/')
        return refuse(request, 400, "target does not start with /");
    for (size_t i = 0; i < request->target.len; i++) {
        unsigned char c = (unsigned char)buffer[request->target.at + i];
        if (c <= 0x20 || c >= 0x7f || c == '#')
            return refuse(request, 400, "character that is not allowed in a target");
    }
    return 0;
}

static int check_names(struct http_request *request, const char *buffer)
{
    for (unsigned h = 0; h < request->count; h++) {
        struct http_span name = request->headers[h].name;
        for (size_t i = 0; i < name.len; i++)
            if (!is_tchar((unsigned char)buffer[name.at + i]))
                return refuse(request, 400, "malformed header name");
    }
    return 0;
}

static int check_host(struct http_request *request, const char *buffer)
{
    size_t len;
    bool repeated = false;
    const char *host = http_request_single(request, buffer, "host", &len, &repeated);
    if (repeated)
        return refuse(request, 400, "more than one Host");
    if (host == NULL || len == 0)
        return refuse(request, 400, "no Host");
    for (size_t i = 0; i < len; i++)
        if (!((host[i] >= '0' && host[i] <= '9') || (host[i] >= 'a' && host[i] <= 'z') ||
              (host[i] >= 'A' && host[i] <= 'Z') || strchr("-._:[]", host[i]) != NULL))
            return refuse(request, 400, "malformed Host");
    return 0;
}

// How long a body follows, from the one header that may say so.
static int check_body(struct http_request *request, const char *buffer)
{
    size_t len;
    bool repeated = false;
    unsigned from = 0;
    if (http_request_header(request, buffer, "transfer-encoding", &from, &len) != NULL)
        return refuse(request, 400, "Transfer-Encoding is not accepted");
    const char *text = http_request_single(request, buffer, "content-length", &len, &repeated);
    if (repeated)
        return refuse(request, 400, "more than one Content-Length");
    if (text == NULL)
        return 0;
    uint64_t value;
    int err = decimal_read(text, len, UINT32_MAX, &value);
    if (err == ERR_RANGE)
        return refuse(request, 413, "body is too long");
    if (err != 0)
        return refuse(request, 400, "malformed Content-Length");
    if (value > 0 && ((request->parser.method != HTTP_POST && request->parser.method != HTTP_PUT) ||
                      http_request_lists(request, buffer, "connection", "upgrade")))
        return refuse(request, 400, "a body is not accepted here");
    if (value > HTTP_BODY_MAX)
        return refuse(request, 413, "body is longer than 1024 bytes");
    from = 0;
    if (value > 0 && http_request_header(request, buffer, "expect", &from, &len) != NULL)
        return refuse(request, 417, "Expect is not supported");
    request->body_len = (uint16_t)value;
    return 0;
}

static int check_head(struct http_request *request, const char *buffer)
{
    const struct http_parser *parser = &request->parser;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return refuse(request, 505, "only HTTP/1.1 and 1.0");
    if (check_lines(request, buffer) != 0 || check_target(request, buffer) != 0 || check_names(request, buffer) != 0 ||
        check_host(request, buffer) != 0 || check_body(request, buffer) != 0)
        return ERR_MALFORMED;
    request->keep_alive = parser->http_minor == 1 ? !http_request_lists(request, buffer, "connection", "close")
                                                  : http_request_lists(request, buffer, "connection", "keep-alive");
    return 0;
}

// ---- Feeding --------------------------------------------------------------------------------------------------------

void http_request_init(struct http_request *request)
{
    memset(request, 0, offsetof(struct http_request, headers));
    http_parser_init(&request->parser, HTTP_REQUEST);
    request->parser.data = request;
}

static int parser_refusal(struct http_request *request)
{
    switch (HTTP_PARSER_ERRNO(&request->parser)) {
    case HPE_INVALID_METHOD:
        return refuse(request, 400, "unknown method");
    case HPE_INVALID_VERSION:
        return refuse(request, 505, "only HTTP/1.1 and 1.0");
    case HPE_HEADER_OVERFLOW:
        return refuse(request, 431, "head is longer than 8192 bytes");
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
        return refuse(request, 400, "malformed or repeated Content-Length");
    case HPE_INVALID_TRANSFER_ENCODING:
        return refuse(request, 400, "Transfer-Encoding is not accepted");
    default:
        return refuse(request, 400, "malformed request");
    }
}

static int feed_head(struct http_request *request, const char *buffer, size_t old_len, size_t len)
{
    static const http_parser_settings settings = {.on_url = on_url,
                                                  .on_header_field = on_field,
                                                  .on_header_value = on_value,
                                                  .on_headers_complete = on_headers_complete};
    size_t end = len < HTTP_HEAD_MAX ? len : HTTP_HEAD_MAX;
    request->base = buffer;
    size_t eaten =
        end > old_len ? http_parser_execute(&request->parser, &settings, buffer + old_len, end - old_len) : 0;
    if (HTTP_PARSER_ERRNO(&request->parser) == HPE_PAUSED) {
        // The parser stops on the last line feed, not behind it.
        request->head_len = (uint16_t)(old_len + eaten + 1);
        return check_head(request, buffer);
    }
    if (HTTP_PARSER_ERRNO(&request->parser) != HPE_OK)
        return parser_refusal(request);
    if (request->parser.upgrade)
        return refuse(request, 400, "malformed request");
    return len >= HTTP_HEAD_MAX ? refuse(request, 431, "head is longer than 8192 bytes") : 0;
}

ssize_t http_request_feed(struct http_request *request, const char *buffer, size_t old_len, size_t len)
{
    if (request->status != 0)
        return ERR_MALFORMED;
    if (request->head_len == 0 && feed_head(request, buffer, old_len, len) != 0)
        return ERR_MALFORMED;
    size_t whole = (size_t)request->head_len + request->body_len;
    return request->head_len > 0 && len >= whole ? (ssize_t)whole : 0;
}
